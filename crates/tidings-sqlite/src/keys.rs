//! Idempotency keys: known or new, and how many a tenant may use.
//!
//! Owns: lookup in events and stubs, and the counts behind the quota. Invariants: a key younger than 24 hours is found,
//! whatever retention does; the quota counts the keys of the last 24 hours, to the minute.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, params};
use tidings_core::port::store::KEY_MEMORY;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Cursor};

use crate::row::{lineage, number, seq, sql};

const MINUTE: i64 = 60_000;
/// Minutes of 24 hours.
const MINUTES: i64 = KEY_MEMORY.as_secs() as i64 / 60;

/// A key that was used before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) id: Cursor,
    pub(crate) fingerprint: Fingerprint,
}

/// Looks a key up.
pub(crate) fn find(
    connection: &Connection,
    tenant: i64,
    channel: &ChannelName,
    key: &str,
) -> rusqlite::Result<Option<Known>> {
    for table in ["events", "key_stubs"] {
        let sql = format!(
            "SELECT seq, lineage, fingerprint FROM {table} WHERE tenant = ?1 AND channel = ?2 AND idempotency_key = ?3"
        );
        let known = connection
            .prepare_cached(&sql)?
            .query_row(params![tenant, channel.as_str(), key], |row| {
                let id = Cursor::new(seq(row.get(0)?), lineage(row.get(1)?));
                Ok(Known { id, fingerprint: Fingerprint(row.get(2)?) })
            })
            .optional()?;
        if known.is_some() {
            return Ok(known);
        }
    }
    Ok(None)
}

/// How many keys a tenant used, by minute.
#[derive(Debug, Default)]
pub(crate) struct KeyCounts {
    minutes: VecDeque<(i64, u64)>,
    total: u64,
}

impl KeyCounts {
    /// Reads what is stored.
    pub(crate) fn load(connection: &Connection, tenant: i64) -> rusqlite::Result<Self> {
        let mut statement = connection
            .prepare_cached("SELECT minute, keys FROM key_counts WHERE tenant = ?1 ORDER BY minute")?;
        let rows = statement.query_map([tenant], |row| Ok((row.get(0)?, number(row.get(1)?))))?;
        let minutes = rows.collect::<rusqlite::Result<VecDeque<_>>>()?;
        let total = minutes.iter().map(|(_, keys)| keys).sum();
        Ok(Self { minutes, total })
    }

    /// How many were used in the last 24 hours.
    pub(crate) fn used(
        &mut self,
        connection: &Connection,
        tenant: i64,
        now: Timestamp,
    ) -> rusqlite::Result<u64> {
        let oldest = now.0.div_euclid(MINUTE) - MINUTES;
        let mut forgot = false;
        while let Some((_, keys)) = self.minutes.front().filter(|(minute, _)| *minute <= oldest) {
            self.total -= keys;
            self.minutes.pop_front();
            forgot = true;
        }
        if forgot {
            connection
                .prepare_cached("DELETE FROM key_counts WHERE tenant = ?1 AND minute <= ?2")?
                .execute([tenant, oldest])?;
        }
        Ok(self.total)
    }

    /// Counts keys used now.
    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        tenant: i64,
        now: Timestamp,
        keys: u64,
    ) -> rusqlite::Result<()> {
        // A clock set back counts to the latest minute, so that the minutes stay in order.
        let minute =
            self.minutes.back().map_or(i64::MIN, |(minute, _)| *minute).max(now.0.div_euclid(MINUTE));
        match self.minutes.back_mut() {
            Some((last, count)) if *last == minute => *count += keys,
            _ => self.minutes.push_back((minute, keys)),
        }
        self.total += keys;
        connection
            .prepare_cached(
                "INSERT INTO key_counts (tenant, minute, keys) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (tenant, minute) DO UPDATE SET keys = keys + excluded.keys",
            )?
            .execute([tenant, minute, sql(keys)])?;
        Ok(())
    }
}

/// Keeps a key whose event goes, until it may be forgotten.
pub(crate) fn leave_stub(
    connection: &Connection,
    tenant: i64,
    channel: &str,
    key: &str,
    known: Known,
    used_at: Timestamp,
) -> rusqlite::Result<()> {
    let memory = i64::try_from(KEY_MEMORY.as_millis()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO key_stubs (tenant, channel, idempotency_key, fingerprint, seq, lineage, forget_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            tenant,
            channel,
            key,
            known.fingerprint.0,
            sql(known.id.seq.0),
            sql(known.id.lineage.bits()),
            used_at.0.saturating_add(memory),
        ])?;
    Ok(())
}

/// Forgets up to `limit` stubs whose time is over. Answers how many.
pub(crate) fn forget_stubs(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM key_stubs WHERE (tenant, channel, idempotency_key) IN \
             (SELECT tenant, channel, idempotency_key FROM key_stubs WHERE forget_at < ?1 ORDER BY forget_at LIMIT ?2)",
        )?
        .execute([now.0, i64::try_from(limit).unwrap_or(i64::MAX)])
}
