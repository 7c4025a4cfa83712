//! Taking one event out of the log.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::store::KEY_MEMORY;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Cursor};

use crate::channels::End;
use crate::group::Transaction;
use crate::keys::{self, Known};
use crate::row::{also, lineage, seq, sql};

const COLUMNS: &str = "seq, lineage, time, channel, also, terminal, idempotency_key, fingerprint";

/// What has to be known of an event to remove it.
pub(crate) struct Header {
    pub(crate) id: Cursor,
    pub(crate) time: Timestamp,
    /// Its channel and further channels. What is no name is left out; we never wrote it.
    pub(crate) names: Vec<ChannelName>,
    terminal: bool,
    key: Option<(String, Fingerprint)>,
}

fn header(row: &Row<'_>) -> rusqlite::Result<Header> {
    let channel: String = row.get(3)?;
    let names =
        std::iter::once(channel.as_str()).chain(also(row, 4)?).filter_map(|name| name.parse().ok()).collect();
    let key: Option<String> = row.get(6)?;
    let fingerprint: Option<[u8; 16]> = row.get(7)?;
    Ok(Header {
        id: Cursor::new(seq(row.get(0)?), lineage(row.get(1)?)),
        time: Timestamp(row.get(2)?),
        names,
        terminal: row.get(5)?,
        key: key.zip(fingerprint.map(Fingerprint)),
    })
}

/// A tenant's oldest events.
pub(crate) fn oldest(connection: &Connection, tenant: i64, limit: usize) -> rusqlite::Result<Vec<Header>> {
    let text = format!("SELECT {COLUMNS} FROM events WHERE tenant = ?1 ORDER BY seq LIMIT ?2");
    let mut statement = connection.prepare_cached(&text)?;
    statement.query_map([tenant, sql(limit as u64)], header)?.collect()
}

/// One event.
pub(crate) fn one(connection: &Connection, tenant: i64, at: i64) -> rusqlite::Result<Option<Header>> {
    let text = format!("SELECT {COLUMNS} FROM events WHERE tenant = ?1 AND seq = ?2");
    connection.prepare_cached(&text)?.query_row([tenant, at], header).optional()
}

/// Removes an event that is in no channel's index any more. Its key is remembered for as long as it must be, and a
/// channel that it ended stays ended for the time that the policy says.
pub(crate) fn forget(transaction: &mut Transaction<'_>, tenant: i64, event: &Header) -> rusqlite::Result<()> {
    let (connection, now) = (transaction.connection, transaction.now);
    let age = |length: std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    if let (Some((key, fingerprint)), Some(channel)) = (&event.key, event.names.first())
        && now.0.saturating_sub(event.time.0) <= age(KEY_MEMORY)
    {
        let known = Known { id: event.id, fingerprint: *fingerprint };
        keys::leave_stub(connection, tenant, channel.as_str(), key, known, event.time)?;
    }
    if let Some(name) = event.names.first().filter(|_| event.terminal) {
        let rest = age(KEY_MEMORY.max(transaction.policy.retention_age));
        let until = Timestamp(now.0.saturating_add(rest));
        connection
            .prepare_cached(
                "UPDATE channels SET ended_until = ?3 WHERE tenant = ?1 AND name = ?2 AND ended_by = ?4",
            )?
            .execute(params![tenant, name.as_str(), until.0, sql(event.id.seq.0)])?;
        if let Some(channel) = transaction.memory.channels.find(connection, tenant, name)?
            && channel.end == End::Ended
        {
            channel.end = End::EndedUntil(until);
        }
    }
    connection
        .prepare_cached("DELETE FROM events WHERE tenant = ?1 AND seq = ?2")?
        .execute([tenant, sql(event.id.seq.0)])?;
    Ok(())
}
