//! The channels of a tenant, as the writer sees them.
//!
//! Owns: rows of `channels`, found, made and remembered. Invariants: what is remembered is what the transaction shows;
//! whoever undoes writes forgets it all.

use rusqlite::{Connection, OptionalExtension, params};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Seq};

use crate::cache::Cache;
use crate::row::sql;

/// Channels remembered: about 200 bytes each.
const REMEMBERED: usize = 65_536;

/// What the writer knows of a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) id: i64,
    /// Where the oldest of its events is, and where the next one comes. Their difference is how many there are.
    pub(crate) first_place: i64,
    pub(crate) next_place: i64,
    pub(crate) end: End,
}

/// Whether a terminal event has ended a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    /// The terminal event is in the log.
    Ended,
    /// It has gone; the name is free after this time.
    EndedUntil(Timestamp),
}

impl Channel {
    pub(crate) const fn count(&self) -> i64 {
        self.next_place - self.first_place
    }

    pub(crate) fn is_ended(&self, now: Timestamp) -> bool {
        match self.end {
            End::Open => false,
            End::Ended => true,
            End::EndedUntil(until) => now <= until,
        }
    }
}

/// The channels remembered, by the tenant's row and their name.
#[derive(Debug)]
pub(crate) struct Channels(Cache<(i64, ChannelName), Channel>);

impl Channels {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    pub(crate) fn forget_all(&mut self) {
        self.0.clear();
    }

    pub(crate) fn forget(&mut self, tenant: i64, name: &ChannelName) {
        self.0.remove(&(tenant, name.clone()));
    }

    /// The channel, if there is one of the name.
    pub(crate) fn find(
        &mut self,
        connection: &Connection,
        tenant: i64,
        name: &ChannelName,
    ) -> rusqlite::Result<Option<&mut Channel>> {
        let key = (tenant, name.clone());
        if self.0.get_mut(&key).is_none() {
            let Some(channel) = load(connection, tenant, name)? else { return Ok(None) };
            self.0.insert(key.clone(), channel);
        }
        Ok(self.0.get_mut(&key))
    }

    /// The channel for a new event; made if need be, free again if its end is over.
    pub(crate) fn open(
        &mut self,
        connection: &Connection,
        tenant: i64,
        name: &ChannelName,
        now: Timestamp,
    ) -> rusqlite::Result<Channel> {
        let Some(channel) = self.find(connection, tenant, name)? else {
            let mut insert = connection
                .prepare_cached("INSERT INTO channels (tenant, name) VALUES (?1, ?2) RETURNING id")?;
            let id = insert.query_row(params![tenant, name.as_str()], |row| row.get(0))?;
            let channel = Channel { id, first_place: 1, next_place: 1, end: End::Open };
            self.0.insert((tenant, name.clone()), channel);
            return Ok(channel);
        };
        if channel.end != End::Open && !channel.is_ended(now) {
            channel.end = End::Open;
            free(connection, channel.id)?;
        }
        Ok(*channel)
    }

    /// The channel has one event more.
    pub(crate) fn grew(&mut self, tenant: i64, name: &ChannelName, terminal: bool) {
        if let Some(channel) = self.0.get_mut(&(tenant, name.clone())) {
            channel.next_place += 1;
            if terminal {
                channel.end = End::Ended;
            }
        }
    }
}

/// The name may be used again.
pub(crate) fn free(connection: &Connection, channel: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE channels SET ended_by = NULL, ended_until = NULL WHERE id = ?1")?
        .execute([channel])?;
    Ok(())
}

/// The terminal event `seq` is the last on the channel.
pub(crate) fn end(connection: &Connection, channel: i64, seq: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE channels SET ended_by = ?2, ended_until = NULL WHERE id = ?1")?
        .execute([channel, sql(seq.0)])?;
    Ok(())
}

/// The places of a channel's oldest and next event.
pub(crate) fn places(connection: &Connection, channel: i64) -> rusqlite::Result<(i64, i64)> {
    let end = |order: &str| {
        let sql = format!("SELECT place FROM channel_events WHERE channel = ?1 ORDER BY seq {order} LIMIT 1");
        connection.prepare_cached(&sql)?.query_row([channel], |row| row.get::<_, i64>(0)).optional()
    };
    let Some(last) = end("DESC")? else { return Ok((1, 1)) };
    Ok((end("ASC")?.unwrap_or(last), last + 1))
}

fn load(connection: &Connection, tenant: i64, name: &ChannelName) -> rusqlite::Result<Option<Channel>> {
    let found = connection
        .prepare_cached("SELECT id, ended_by, ended_until FROM channels WHERE tenant = ?1 AND name = ?2")?
        .query_row(params![tenant, name.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?))
        })
        .optional()?;
    let Some((id, ended_by, ended_until)) = found else { return Ok(None) };
    let (first_place, next_place) = places(connection, id)?;
    let end = match (ended_by, ended_until) {
        (None, _) => End::Open,
        (Some(_), None) => End::Ended,
        (Some(_), Some(until)) => End::EndedUntil(Timestamp(until)),
    };
    Ok(Some(Channel { id, first_place, next_place, end }))
}
