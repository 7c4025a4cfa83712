//! A look at channels one after the other, so that none stays over its limit, ended or empty for ever.

use rusqlite::params;
use tidings_protocol::ChannelName;
use tidings_protocol::time::Timestamp;

use crate::channels::{free, places};
use crate::error::Step;
use crate::group::Transaction;
use crate::row::seq;
use crate::trim;

/// What a sweep came to.
#[derive(Debug)]
pub(crate) struct Swept {
    /// Channels done.
    pub(crate) channels: usize,
    /// Rows it took.
    pub(crate) rows: usize,
    /// The last row of `channels` that is done.
    pub(crate) after: i64,
    /// Whether there was no further channel.
    pub(crate) ended: bool,
}

struct Found {
    id: i64,
    tenant: i64,
    name: String,
    trimmed_to: i64,
    is_ended: bool,
    ended_until: Option<i64>,
}

/// Looks at up to `channels` channels after a row, in about `rows` rows.
pub(crate) fn sweep(
    transaction: &mut Transaction<'_>,
    after: i64,
    channels: usize,
    rows: usize,
) -> Step<Swept> {
    let batch = i64::try_from(channels.min(rows)).unwrap_or(i64::MAX);
    let found = transaction
        .connection
        .prepare_cached(
            "SELECT id, tenant, name, trimmed_to, ended_by IS NOT NULL, ended_until FROM channels WHERE id > ?1 \
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after, batch], |row| {
            Ok(Found {
                id: row.get(0)?,
                tenant: row.get(1)?,
                name: row.get(2)?,
                trimmed_to: row.get(3)?,
                is_ended: row.get(4)?,
                ended_until: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let ended = (found.len() as i64) < batch;
    let mut swept = Swept { channels: 0, rows: 0, after, ended: false };
    for channel in &found {
        if swept.rows >= rows {
            return Ok(swept);
        }
        let (used, finished) = look_at(transaction, channel, rows - swept.rows)?;
        swept.rows += used;
        if !finished {
            return Ok(swept);
        }
        swept.channels += 1;
        swept.after = channel.id;
    }
    swept.ended = ended;
    Ok(swept)
}

fn look_at(transaction: &mut Transaction<'_>, found: &Found, rows: usize) -> Step<(usize, bool)> {
    let connection = transaction.connection;
    let Ok(name) = found.name.parse::<ChannelName>() else { return Ok((1, true)) };
    let (first, next) = places(connection, found.id)?;
    let limit = transaction.policy.events_per_channel;
    if limit > 0 && u64::try_from(next - first).is_ok_and(|count| count > limit) {
        return trim::channel(transaction, found.tenant, found.id, &name, rows);
    }
    let over = found.ended_until.is_some_and(|until| transaction.now > Timestamp(until));
    if found.is_ended && over {
        free(connection, found.id)?;
        transaction.memory.channels.forget(found.tenant, &name);
    }
    let floor = trim::enter(transaction, found.tenant)?;
    let means_nothing = first == next && (!found.is_ended || over) && seq(found.trimmed_to) <= floor;
    if means_nothing {
        connection.prepare_cached("DELETE FROM channels WHERE id = ?1")?.execute([found.id])?;
        transaction.memory.channels.forget(found.tenant, &name);
    }
    Ok((1, true))
}
