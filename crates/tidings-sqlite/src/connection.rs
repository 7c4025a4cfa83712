//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::options::Durability;

/// Marks the file as ours ("TDNG").
pub(crate) const APPLICATION_ID: i32 = 0x5444_4E47;
/// Pages of the WAL after which a commit copies them into the file (4 KiB each).
const CHECKPOINT_PAGES: i64 = 2_000;
/// To how many bytes the WAL is cut once its pages are in the file.
const WAL_BYTES: i64 = 32 << 20;
/// Page cache of the writer and of each reader, in KiB.
const WRITER_CACHE: i64 = 16 << 10;
const READER_CACHE: i64 = 4 << 10;
/// How long another program may keep the file locked, a backup tool for instance.
const BUSY: Duration = Duration::from_secs(5);
/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 160;

/// Opens the writing connection; nothing is written to the file yet. Pages are not mapped: an I/O error shall be an
/// error, not a signal.
pub(crate) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, WRITER_CACHE)?;
    Ok(connection)
}

/// Readies a file that is ours, or empty, for writing.
pub(crate) fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    let synchronous = match durability {
        Durability::Fsync => "FULL",
        Durability::Os => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(()))
}

/// Opens a connection that only reads.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, READER_CACHE)?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_flushed_as_the_durability_says() {
        let directory = tempfile::tempdir().unwrap();
        for (durability, expected) in [(Durability::Fsync, 2), (Durability::Os, 1)] {
            let connection = writer(&directory.path().join("t.db")).unwrap();
            configure(&connection, durability).unwrap();
            let pragma =
                |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(pragma("synchronous"), expected);
            assert_eq!(pragma("foreign_keys"), 1);
            assert_eq!(pragma("page_size"), 4096);
            assert_eq!(pragma("mmap_size"), 0);
            assert_eq!(pragma("wal_autocheckpoint"), CHECKPOINT_PAGES);
            assert_eq!(pragma("journal_size_limit"), WAL_BYTES);
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
