//! Removal by age and by count.
//!
//! Age takes a prefix of the tenant's log: times never decrease along it. Count takes a prefix of one channel; the event
//! itself goes with the last channel that holds it.

use std::collections::HashMap;

use tidings_protocol::{ChannelName, Seq};

use crate::error::{Step, Stop};
use crate::group::Transaction;
use crate::remove::{self, Header};
use crate::row::{self, sql};

/// Removes up to `rows` of the tenant's oldest events that are too old or at or under the floor. Answers how many it
/// looked at, and whether that was all.
pub(crate) fn prefix(transaction: &mut Transaction<'_>, tenant: i64, rows: usize) -> Step<(usize, bool)> {
    let floor = enter(transaction, tenant)?;
    let (connection, now) = (transaction.connection, transaction.now);
    let age = i64::try_from(transaction.policy.retention_age.as_millis()).unwrap_or(i64::MAX);
    let is_due =
        |event: &Header| event.id.seq <= floor || (age > 0 && now.0.saturating_sub(event.time.0) > age);
    // Mostly nothing is due, and one row tells.
    let first = remove::oldest(connection, tenant, 1)?;
    if !first.first().is_some_and(is_due) {
        return Ok((first.len(), true));
    }
    let events = remove::oldest(connection, tenant, rows)?;
    let mut marks: HashMap<i64, Seq> = HashMap::new();
    let mut used = 0;
    for event in events.iter().take_while(|event| is_due(event)) {
        used += 1 + event.names.len();
        unindex(transaction, tenant, event, floor, &mut marks)?;
        remove::forget(transaction, tenant, event)?;
        if used >= rows {
            break;
        }
    }
    for (channel, through) in marks {
        mark(transaction, tenant, channel, through)?;
    }
    let finished = used < rows && (events.len() < rows || events.last().is_some_and(|event| !is_due(event)));
    Ok((used, finished))
}

/// Removes up to `rows` of a channel's oldest events while it has more than it may. Answers how many, and whether that
/// was all.
pub(crate) fn channel(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    id: i64,
    name: &ChannelName,
    rows: usize,
) -> Step<(usize, bool)> {
    let floor = enter(transaction, tenant)?;
    let connection = transaction.connection;
    let limit = transaction.policy.events_per_channel;
    let found = transaction.memory.channels.find(connection, tenant, name)?;
    let Some(channel) = found.filter(|channel| channel.id == id && limit > 0) else { return Ok((1, true)) };
    let excess = usize::try_from(channel.count().saturating_sub(sql(limit))).unwrap_or(0);
    let take = excess.min(rows);
    let seqs = connection
        .prepare_cached("SELECT seq FROM channel_events WHERE channel = ?1 ORDER BY seq LIMIT ?2")?
        .query_map([id, sql(take as u64)], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let Some(last) = seqs.last().copied() else { return Ok((1, true)) };
    channel.first_place += seqs.len() as i64;
    connection
        .prepare_cached("DELETE FROM channel_events WHERE channel = ?1 AND seq <= ?2")?
        .execute([id, last])?;
    for seq in &seqs {
        let Some(event) = remove::one(connection, tenant, *seq)? else { continue };
        if !is_elsewhere(transaction, tenant, name, &event)? {
            remove::forget(transaction, tenant, &event)?;
        }
    }
    let through = row::seq(last);
    if through > floor {
        mark(transaction, tenant, id, through)?;
    }
    Ok((2 * seqs.len(), take == excess))
}

/// The tenant's floor, its ledger being open from now on.
pub(crate) fn enter(transaction: &mut Transaction<'_>, tenant: i64) -> Step<Seq> {
    let Some(found) = transaction.tenants.by_row(tenant) else {
        return Err(Stop::Fail(format!("no tenant has row {tenant}")));
    };
    transaction.open_ledger(found)?;
    Ok(transaction.ledger(tenant)?.floor)
}

fn unindex(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    event: &Header,
    floor: Seq,
    marks: &mut HashMap<i64, Seq>,
) -> rusqlite::Result<()> {
    let connection = transaction.connection;
    for name in &event.names {
        let Some(channel) = transaction.memory.channels.find(connection, tenant, name)? else { continue };
        let gone = connection
            .prepare_cached("DELETE FROM channel_events WHERE channel = ?1 AND seq = ?2")?
            .execute([channel.id, sql(event.id.seq.0)])?;
        if gone > 0 {
            channel.first_place += 1;
            if event.id.seq > floor {
                marks.insert(channel.id, event.id.seq);
            }
        }
    }
    Ok(())
}

fn is_elsewhere(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    name: &ChannelName,
    event: &Header,
) -> rusqlite::Result<bool> {
    let connection = transaction.connection;
    for other in event.names.iter().filter(|other| *other != name) {
        let Some(channel) = transaction.memory.channels.find(connection, tenant, other)? else { continue };
        let there = connection
            .prepare_cached("SELECT 1 FROM channel_events WHERE channel = ?1 AND seq = ?2")?
            .exists([channel.id, sql(event.id.seq.0)])?;
        if there {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes the last number that was removed from a channel.
fn mark(transaction: &mut Transaction<'_>, tenant: i64, channel: i64, through: Seq) -> Step<()> {
    let set = |sql: &str| {
        let mut update = transaction.connection.prepare_cached(sql)?;
        update.execute([channel, row::sql(through.0)])
    };
    if set("UPDATE channels SET trimmed_to = ?2 WHERE id = ?1 AND trimmed_to = 0")? == 0 {
        set("UPDATE channels SET trimmed_to = ?2 WHERE id = ?1 AND trimmed_to < ?2")?;
    } else if let Some(marks) = &mut transaction.ledger(tenant)?.marks {
        *marks += 1;
    }
    Ok(())
}
