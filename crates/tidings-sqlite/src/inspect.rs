//! Looking at a file without changing it: for whoever looks for damage.

use std::path::Path;

use crate::connection;
use crate::error::{OpenError, opening};
use crate::migrate::recognise;

/// The most faults that are named.
const FAULTS: u32 = 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of SQLite that is linked in.
    pub library: &'static str,
    /// The file's schema version.
    pub schema: i64,
    /// What SQLite's `integrity_check` has against the file; empty for a sound one.
    pub damage: Vec<String>,
}

/// Reads the whole file, also while a store has it open. Takes as long as reading it does.
///
/// # Errors
/// [`OpenError`] where it cannot be read at all, or is not ours.
pub fn inspect(path: &Path) -> Result<Inspection, OpenError> {
    let sql = |source| opening(path, source);
    let connection = connection::reader(path).map_err(sql)?;
    let schema = recognise(&connection, path)?;
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FAULTS})")).map_err(sql)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(sql)?;
    let found: Vec<String> = rows.collect::<Result<_, _>>().map_err(sql)?;
    let damage = found.into_iter().filter(|line| line != "ok").collect();
    Ok(Inspection { library: rusqlite::version(), schema, damage })
}
