//! `tidings audit`: who did what, when, from where.
//!
//! Owns: which rows are meant and how they are shown. Leaves out: writing them into a file in order ([`export`]).

mod export;
mod format;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use tidings_protocol::time::Timestamp;
use tidings_server::admin::PAGE_ROWS;
use tidings_server::admin::request::{AuditLine, AuditPage, AuditRead, Request};
use tidings_server::clock::wall_time;

use crate::cli::LocalArgs;
use crate::config::Sources;
use crate::config::units::parse_duration;
use crate::failure::Failure;
use crate::local::Local;
use crate::output::{Output, table};
use export::Sink;
use format::Format;

/// Most rows that are shown; more are exported.
const SHOWN: u64 = 10_000;
/// So many rows are shown where nothing is said.
const USUAL: u64 = 50;

/// Which rows, and where to.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Of this tenant alone
    #[arg(long)]
    tenant: Option<String>,
    /// Of this user, by email or id, or of a service key, key:ID
    #[arg(long, value_name = "EMAIL-OR-ID")]
    user: Option<String>,
    /// With this action, or, with * at its end, those that begin so: cast.sse_connection_opened, 'key.*'
    #[arg(long)]
    action: Option<String>,
    /// Not before: how long ago, or an instant, e.g. 1h or 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    since: Option<When>,
    /// Before: how long ago, or an instant
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    until: Option<When>,
    /// At most so many, the newest [default: 50; all of them for --export]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Write them all, oldest first: csv or jsonl, and a file that is not there yet, or - for stdout
    #[arg(long, num_args = 2, value_names = ["FORMAT", "FILE"])]
    export: Vec<String>,
    #[command(flatten)]
    local: LocalArgs,
}

/// A point in time as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// So many milliseconds before now.
    Ago(i64),
    At(Timestamp),
}

impl When {
    fn millis(self, now: Timestamp) -> i64 {
        match self {
            Self::Ago(millis) => now.0.saturating_sub(millis),
            Self::At(at) => at.0,
        }
    }
}

fn parse_when(text: &str) -> Result<When, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(When::Ago(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    }
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| When::At(Timestamp(at.as_millisecond()))).map_err(|_| {
        format!("`{text}` is no time: write how long ago, e.g. 30m, 1h or 7d, or an instant, e.g. 2026-01-31T12:00:00Z")
    })
}

/// Shows or exports.
///
/// # Errors
/// What did not work.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let sink = sink(args)?;
    let settings = args.local.load(sources)?.settings;
    let mut local = Local::find(&settings).await?;
    let done = match sink {
        Some(sink) => {
            export::run(&mut local, &query(args), args.limit.unwrap_or(u64::MAX), sink, output).await
        }
        None => show(&mut local, query(args), args.limit.unwrap_or(USUAL), output).await,
    };
    local.leave();
    done
}

fn sink(args: &Args) -> Result<Option<Sink>, Failure> {
    match args.export.as_slice() {
        [] if args.limit.is_some_and(|limit| limit > SHOWN) => {
            Err(Failure::usage(format!("at most {SHOWN} rows are shown: write more to a file by --export")))
        }
        [format, file] => {
            let known = Format::parse(format);
            let format = known.ok_or_else(|| {
                Failure::usage(format!("`{format}` is no format of --export: it is csv or jsonl"))
            })?;
            Ok(Some(Sink { format, file: (file != "-").then(|| PathBuf::from(file)) }))
        }
        _ => Ok(None),
    }
}

fn query(args: &Args) -> AuditRead {
    let now = wall_time();
    AuditRead {
        tenant: args.tenant.clone(),
        user: args.user.clone(),
        action: args.action.clone(),
        since: args.since.map(|when| when.millis(now)),
        until: args.until.map(|when| when.millis(now)),
        before: None,
        limit: PAGE_ROWS,
    }
}

async fn show(local: &mut Local, query: AuditRead, limit: u64, output: Output) -> Result<(), Failure> {
    let mut page = AuditPage { rows: Vec::new() };
    let mut before = None;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    while page.rows.len() < limit {
        let wanted = PAGE_ROWS.min(limit - page.rows.len());
        let more: AuditPage =
            local.ask(Request::AuditRead(AuditRead { before, limit: wanted, ..query.clone() })).await?;
        let is_last = more.rows.len() < wanted;
        before = more.rows.last().map(|row| row.id);
        page.rows.extend(more.rows);
        if is_last {
            break;
        }
    }
    output.data(&page, words)
}

fn words(page: &AuditPage) -> String {
    let titles = ["when", "tenant", "who", "action", "what", "from", "more"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(page.rows.iter().map(cells));
    table(&rows)
}

fn cells(row: &AuditLine) -> Vec<String> {
    let given = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), printable);
    vec![
        row.created_at.clone(),
        given(&row.tenant_id),
        given(&row.user_id),
        printable(&row.action),
        given(&row.resource_id),
        given(&row.ip_address),
        row.metadata.to_string(),
    ]
}

/// Text that a terminal shows as it is: clients choose some of it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_instants_or_so_long_ago() {
        let now = Timestamp(1_763_715_600_000);
        assert_eq!(parse_when("1h").unwrap().millis(now), now.0 - 3_600_000);
        assert_eq!(parse_when("2025-11-21T10:00:00+01:00").unwrap().millis(Timestamp(0)), now.0);
        for bad in ["", "yesterday", "2025-11-21", "1"] {
            assert!(parse_when(bad).unwrap_err().contains("is no time"), "{bad}");
        }
    }

    #[test]
    fn what_clients_chose_cannot_move_the_cursor() {
        let row = AuditLine {
            id: 1,
            tenant_id: None,
            user_id: Some("usr_x".into()),
            action: "auth.login_failed".into(),
            resource_id: Some("a\u{1b}[2Jb\n".into()),
            ip_address: None,
            user_agent: None,
            metadata: json!({"code": "x\n"}),
            created_at: "2025-11-21T09:00:00.000Z".into(),
        };
        let cells = cells(&row);
        assert_eq!(cells[4], "a\u{fffd}[2Jb\u{fffd}");
        assert!(cells.iter().all(|cell| !cell.chars().any(char::is_control)), "{cells:?}");
    }
}
