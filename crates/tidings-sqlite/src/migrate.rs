//! The file's shape, brought up to date at open.
//!
//! Owns: the numbered migrations and `user_version`. Invariants: each migration happens whole or not at all; a file that
//! is newer than this program, or not ours, is left as it is.

use std::path::Path;

use rusqlite::Connection;

use crate::connection::APPLICATION_ID;
use crate::error::{OpenError, opening};

/// The migrations, in order: the first makes version 1 of an empty file.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_users_audit_answers.sql"),
];

/// The newest version that this program knows.
pub(crate) const fn newest() -> i64 {
    MIGRATIONS.len() as i64
}

/// Brings a file from the version that was found to the newest.
pub(crate) fn migrate(connection: &Connection, path: &Path, found: i64) -> Result<(), OpenError> {
    for (version, sql) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let script = format!(
            "BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {version};\nCOMMIT;"
        );
        // After an error the file is closed, and an open transaction ends with it.
        connection.execute_batch(&script).map_err(|source| opening(path, source))?;
    }
    Ok(())
}

/// The version of a file that this program can use: ours, or empty. Writes nothing.
pub(crate) fn recognise(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let found = version(connection, path)?;
    if found > newest() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: newest() });
    }
    Ok(found)
}

/// The version of a file that is ours or empty.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let read = || {
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    let (application, version, tables) = read().map_err(|source| opening(path, source))?;
    let ours = application == i64::from(APPLICATION_ID);
    let empty = application == 0 && version == 0 && tables == 0;
    if !ours && !empty {
        let reason = "it belongs to another program".to_owned();
        return Err(OpenError::NotADatabase { path: path.to_owned(), reason });
    }
    Ok(version)
}
