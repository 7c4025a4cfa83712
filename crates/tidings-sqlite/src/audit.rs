//! The audit log, and the note of which streams are open.
//!
//! Owns: the tables `audit_logs` and `open_streams`. Invariants: numbers grow and are never given twice; rows of one
//! call are committed together; reads go by an index or by number, newest first.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use tidings_core::port::audit::{AuditEntry, AuditQuery, AuditRow, NumberedRow};
use tidings_core::port::directory::DirectoryError;
use tidings_core::port::store::Policy;
use tidings_core::port::{AuditLog, PortFuture, StorageError};
use tidings_protocol::time::Timestamp;

use crate::row::{damaged, sql};
use crate::store::SqliteStore;

const COLUMNS: &str =
    "id, tenant_id, user_id, action, resource_id, ip_address, user_agent, metadata, created_at";

/// Stores a row.
pub(crate) fn insert(connection: &Connection, row: &AuditRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit_logs (tenant_id, user_id, action, resource_id, ip_address, user_agent, metadata, \
             created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            row.tenant_id.as_ref().map(|tenant| tenant.as_str()),
            row.user_id,
            row.action,
            row.resource_id,
            row.ip_address,
            row.user_agent,
            row.metadata,
            row.created_at.to_string(),
        ])?;
    Ok(())
}

/// Stores an entry.
pub(crate) fn write(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    match entry {
        AuditEntry::Row(row) => insert(connection, row),
        AuditEntry::Opened { stream, row, closed_action } => {
            insert(connection, row)?;
            note(connection, stream, row, closed_action)
        }
        AuditEntry::Closed { stream, row } => {
            insert(connection, row)?;
            connection.prepare_cached("DELETE FROM open_streams WHERE stream = ?1")?.execute([stream])?;
            Ok(())
        }
    }
}

/// Notes that a stream is open.
fn note(connection: &Connection, stream: &str, row: &AuditRow, closed_action: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO open_streams (stream, closed_action, opened_at, tenant_id, user_id, resource_id, \
             ip_address, user_agent, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            stream,
            closed_action,
            row.created_at.0,
            row.tenant_id.as_ref().map(|tenant| tenant.as_str()),
            row.user_id,
            row.resource_id,
            row.ip_address,
            row.user_agent,
            row.metadata,
        ])?;
    Ok(())
}

fn decode(row: &Row<'_>) -> rusqlite::Result<NumberedRow> {
    let tenant: Option<String> = row.get(1)?;
    Ok(NumberedRow {
        id: row.get(0)?,
        row: AuditRow {
            tenant_id: tenant.map(|name| name.parse()).transpose().map_err(|error| damaged(1, error))?,
            user_id: row.get(2)?,
            action: row.get(3)?,
            resource_id: row.get(4)?,
            ip_address: row.get(5)?,
            user_agent: row.get(6)?,
            metadata: row.get(7)?,
            created_at: instant(row, 8)?,
        },
    })
}

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let parsed: Result<jiff::Timestamp, _> = row.get_ref(column)?.as_str()?.parse();
    parsed.map(|at| Timestamp(at.as_millisecond())).map_err(|error| damaged(column, error))
}

/// The statement for a query, and what is bound to it.
fn select(query: &AuditQuery) -> (String, Vec<Value>) {
    let mut wanted = vec![("id < ?", Value::from(query.before.unwrap_or(i64::MAX)))];
    wanted.extend(query.tenant.as_ref().map(|tenant| ("tenant_id = ?", tenant.as_str().to_owned().into())));
    wanted.extend(query.user.clone().map(|user| ("user_id = ?", user.into())));
    let action = query.action.as_deref();
    match action.map(|action| (action, action.strip_suffix('*'))) {
        None => {}
        Some((action, None)) => wanted.push(("action = ?", action.to_owned().into())),
        Some((_, Some(prefix))) => wanted.push(("instr(action, ?) = 1", prefix.to_owned().into())),
    }
    // The plus keeps the index of times out of it: its order is not that of the numbers.
    wanted.extend(query.since.map(|since| ("+created_at >= ?", since.to_string().into())));
    wanted.extend(query.until.map(|until| ("+created_at < ?", until.to_string().into())));
    let conditions: Vec<&str> = wanted.iter().map(|(condition, _)| *condition).collect();
    let text = format!(
        "SELECT {COLUMNS} FROM audit_logs WHERE {} ORDER BY id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    let mut values: Vec<Value> = wanted.into_iter().map(|(_, value)| value).collect();
    values.push(sql(query.limit.max(1) as u64).into());
    (text, values)
}

/// Reads rows, newest first.
pub(crate) fn read(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<Vec<NumberedRow>> {
    let (text, values) = select(query);
    let mut statement = connection.prepare(&text)?;
    statement.query_map(params_from_iter(values), decode)?.collect()
}

/// The latest time that the file speaks of: of the last event or of an audit row.
pub(crate) fn last_sign_of_life(connection: &Connection) -> rusqlite::Result<Timestamp> {
    let event = connection
        .query_row("SELECT coalesce(max(last_time), 0) FROM tenants", [], |row| row.get(0).map(Timestamp))?;
    let row = connection
        .query_row("SELECT created_at FROM audit_logs ORDER BY created_at DESC LIMIT 1", [], |row| {
            instant(row, 0)
        })
        .optional()?;
    Ok(row.map_or(event, |row| row.max(event)))
}

/// Writes a row for the end of every stream that is noted as open. Answers how many.
fn close_abandoned(connection: &Connection, alive: Timestamp, now: Timestamp) -> rusqlite::Result<u64> {
    let closed = connection.execute(
        "INSERT INTO audit_logs (tenant_id, user_id, action, resource_id, ip_address, user_agent, metadata, created_at) \
         SELECT tenant_id, user_id, closed_action, resource_id, ip_address, user_agent, \
         json_set(iif(json_valid(metadata), metadata, '{}'), '$.reason', 'server_crash', \
         '$.duration', max(0, ?1 - opened_at), '$.messageCount', NULL), ?2 FROM open_streams ORDER BY opened_at, stream",
        params![alive.0, now.to_string()],
    )?;
    connection.execute("DELETE FROM open_streams", [])?;
    Ok(closed as u64)
}

/// Removes up to `limit` rows that are older than the policy says. Answers how many.
pub(crate) fn forget(
    connection: &Connection,
    policy: &Policy,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    let age = i64::try_from(policy.audit_age.as_millis()).unwrap_or(i64::MAX);
    if age == 0 {
        return Ok(0);
    }
    let oldest = Timestamp(now.0.saturating_sub(age)).to_string();
    connection
        .prepare_cached(
            "DELETE FROM audit_logs WHERE id IN \
             (SELECT id FROM audit_logs WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
        )?
        .execute(params![oldest, sql(limit as u64)])
}

/// Changes of the audit log refuse nothing, so only storage can be the reason.
fn reason(error: DirectoryError) -> StorageError {
    match error {
        DirectoryError::Storage(why) => why,
        other => StorageError::Unavailable(other.to_string()),
    }
}

impl AuditLog for SqliteStore {
    fn write(&self, entries: Vec<AuditEntry>) -> PortFuture<'_, Result<(), StorageError>> {
        let written = self.change(
            move |connection| entries.iter().try_for_each(|entry| write(connection, entry)).map(Ok),
            |()| (),
        );
        Box::pin(async move { written.await.map_err(reason) })
    }

    fn read<'a>(&'a self, query: &'a AuditQuery) -> PortFuture<'a, Result<Vec<NumberedRow>, StorageError>> {
        let query = query.clone();
        Box::pin(self.readers.read(move |connection| read(connection, &query)))
    }

    fn close_abandoned(&self) -> PortFuture<'_, Result<u64, StorageError>> {
        let (alive, now) = (self.shared.found_alive, self.shared.options.clock.now());
        let closed = self.change(move |connection| close_abandoned(connection, alive, now).map(Ok), |_| ());
        Box::pin(async move { closed.await.map_err(reason) })
    }
}
