//! The audit log as an operator reads it: by the command line, and in the file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tidings_acceptance::Server;

/// Document 2's first query, verbatim.
pub(crate) const CONNECTIONS: &str = "SELECT * FROM audit_logs
WHERE action LIKE 'cast.sse_%'
ORDER BY created_at DESC;";

/// Its second, as SQLite has it.
pub(crate) const DURATIONS: &str = "SELECT
  user_id,
  AVG(CAST(metadata->>'duration' AS INTEGER)) as avg_duration,
  COUNT(*) as connection_count
FROM audit_logs
WHERE action = 'cast.sse_connection_closed'
GROUP BY user_id;";

/// The rows that a query of the command line shows, newest first.
pub(crate) async fn shown(server: &Server, more: &[&str]) -> Vec<Value> {
    let answer = server.json(&[&["audit", "--limit", "10000"], more].concat()).await;
    answer["rows"].as_array().expect("rows").clone()
}

/// The database of a server that has stopped.
pub(crate) fn database(folder: &Path) -> Connection {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let databases: Vec<_> = files.filter(|path| path.extension().is_some_and(|ext| ext == "db")).collect();
    let [path] = &databases[..] else { panic!("one database in {}: {databases:?}", folder.display()) };
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// How many rows a query gives.
pub(crate) fn count(database: &Connection, query: &str) -> usize {
    let mut statement = database.prepare(query).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    count
}
