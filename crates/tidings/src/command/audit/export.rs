//! The audit log into a file, oldest first.
//!
//! Pages are given newest first. A first pass notes where each begins; the second reads them from the last on. Rows do
//! not change and new ones come only before the first page, so both passes see the same; what retention removes
//! meanwhile is left out. Memory: a page, and 16 bytes for each.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tidings_server::admin::request::{AuditLine, AuditPage, AuditRead, Request};

use super::format::Format;
use crate::failure::Failure;
use crate::local::Local;
use crate::output::{Output, say};

/// Where rows are written, and how.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) format: Format,
    /// Without, stdout.
    pub(super) file: Option<PathBuf>,
}

/// The rows of a page: numbers from `first` on and under `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    first: i64,
    end: i64,
}

/// Writes the newest `limit` rows of the query, oldest first.
///
/// # Errors
/// The log cannot be read or the file not be written; what was begun of the file is removed.
pub(super) async fn run(
    local: &mut Local,
    query: &AuditRead,
    limit: u64,
    sink: Sink,
    output: Output,
) -> Result<(), Failure> {
    let Sink { format, file } = sink;
    let Some(path) = file else {
        let written = write(local, query, limit, format, &mut io::stdout()).await;
        return written.map(drop);
    };
    let mut new = BufWriter::new(create(&path)?);
    match write(local, query, limit, format, &mut new).await {
        Ok(rows) => {
            say(&format!("{rows} rows written to {}", path.display()));
            if output.json { output.line(&serde_json::json!({ "rows": rows }).to_string()) } else { Ok(()) }
        }
        Err(failure) => {
            // Half an export must not be taken for a whole one.
            let _ = fs::remove_file(&path);
            Err(failure)
        }
    }
}

/// A new file for its owner alone: the log names people and addresses.
fn create(path: &Path) -> Result<fs::File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AlreadyExists => "it is there already, and is not written over".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!("cannot write {}: {why}", path.display()))
    })
}

async fn write(
    local: &mut Local,
    query: &AuditRead,
    limit: u64,
    format: Format,
    out: &mut impl Write,
) -> Result<u64, Failure> {
    put(out, format.head())?;
    let mut rows = 0;
    for mark in marks(local, query, limit).await?.into_iter().rev() {
        let page = read(local, query, Some(mark.end)).await?;
        for row in page.iter().rev().filter(|row| row.id >= mark.first) {
            put(out, &format.line(row)?)?;
            rows += 1;
        }
    }
    out.flush().map_err(|error| unwritable(&error))?;
    Ok(rows)
}

async fn marks(local: &mut Local, query: &AuditRead, limit: u64) -> Result<Vec<Mark>, Failure> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    while left > 0 {
        let page = read(local, query, marks.last().map(|mark| mark.first)).await?;
        let kept = &page[..page.len().min(left)];
        let (Some(newest), Some(oldest)) = (kept.first(), kept.last()) else { break };
        marks.push(Mark { first: oldest.id, end: newest.id + 1 });
        left -= kept.len();
    }
    Ok(marks)
}

async fn read(local: &mut Local, query: &AuditRead, before: Option<i64>) -> Result<Vec<AuditLine>, Failure> {
    let page: AuditPage = local.ask(Request::AuditRead(AuditRead { before, ..query.clone() })).await?;
    Ok(page.rows)
}

fn put(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::closed(),
        _ => Failure::new(format!("cannot write the export: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::parts;
    use tidings_core::port::AuditLog;
    use tidings_core::port::audit::{AuditEntry, AuditRow};
    use tidings_protocol::time::Timestamp;

    /// A data directory whose audit log has so many rows.
    async fn filled(directory: &Path, rows: usize) -> Settings {
        let settings = Settings { data_dir: directory.to_owned(), ..Settings::default() };
        let store = parts::open_for_command(directory).unwrap();
        let row = |number: usize| AuditRow {
            tenant_id: None,
            user_id: None,
            action: "test".into(),
            resource_id: Some(number.to_string()),
            ip_address: None,
            user_agent: None,
            metadata: "{}".into(),
            created_at: Timestamp(number as i64),
        };
        store.write((0..rows).map(|number| AuditEntry::Row(row(number))).collect()).await.unwrap();
        store.close();
        settings
    }

    async fn exported(settings: &Settings, query: &AuditRead, limit: u64) -> Vec<usize> {
        let mut local = Local::find(settings).await.unwrap();
        let mut out = Vec::new();
        let rows = write(&mut local, query, limit, Format::Jsonl, &mut out).await.unwrap();
        local.leave();
        let lines: Vec<usize> = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice::<AuditLine>(line).unwrap().resource_id.unwrap().parse().unwrap()
            })
            .collect();
        assert_eq!(lines.len() as u64, rows);
        lines
    }

    #[tokio::test]
    async fn every_row_is_written_once_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let settings = filled(folder.path(), 25).await;
        let query = AuditRead { limit: 10, ..AuditRead::default() };
        assert_eq!(exported(&settings, &query, u64::MAX).await, (0..25).collect::<Vec<_>>());
        assert_eq!(exported(&settings, &query, 12).await, (13..25).collect::<Vec<_>>());
        let since = AuditRead { since: Some(20), ..query };
        assert_eq!(exported(&settings, &since, u64::MAX).await, (20..25).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_file_is_private_and_none_is_written_over() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let settings = filled(folder.path(), 3).await;
        let query = AuditRead { limit: 10, ..AuditRead::default() };
        let path = folder.path().join("log.csv");
        let mut local = Local::find(&settings).await.unwrap();
        let sink = || Sink { format: Format::Csv, file: Some(path.clone()) };
        run(&mut local, &query, 9, sink(), Output { json: false }).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused =
            run(&mut local, &query, 9, sink(), Output { json: false }).await.unwrap_err().to_string();
        assert!(refused.contains("not written over"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }
}
