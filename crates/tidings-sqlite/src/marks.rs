//! What retention removed of the selected channels, as a reader is told.

use rusqlite::{Connection, OptionalExtension, params};
use tidings_core::port::log::{MAX_TRIMMED, Trimmed};
use tidings_protocol::{ChannelName, Pattern, Seq};

use crate::page::MARKS;
use crate::row::{seq, sql, takes_in};
use crate::runs::Runs;

/// A channel as a reader sees it.
pub(crate) struct Place {
    pub(crate) id: i64,
    trimmed_to: Seq,
}

/// Looks an exact channel up.
pub(crate) fn place(connection: &Connection, tenant: i64, name: &str) -> rusqlite::Result<Option<Place>> {
    connection
        .prepare_cached("SELECT id, trimmed_to FROM channels WHERE tenant = ?1 AND name = ?2")?
        .query_row(params![tenant, name], |row| Ok(Place { id: row.get(0)?, trimmed_to: seq(row.get(1)?) }))
        .optional()
}

/// Whether an event that is still stored was removed from a channel.
pub(crate) fn is_trimmed(
    connection: &Connection,
    tenant: i64,
    name: &str,
    event: Seq,
) -> rusqlite::Result<bool> {
    Ok(place(connection, tenant, name)?.is_some_and(|place| place.trimmed_to >= event))
}

/// The marks above `after` of an exact channel.
pub(crate) fn of_channel(
    name: &ChannelName,
    place: Option<&Place>,
    after: Seq,
    floor: Seq,
    runs: &Runs,
) -> Option<Trimmed> {
    let through = place.map_or(Seq::ZERO, |place| place.trimmed_to).max(floor);
    (through > after).then(|| Trimmed { pattern: name.clone().into(), through: runs.event(through) })
}

/// One prefix pattern's marks.
struct Found<'p> {
    pattern: &'p Pattern,
    /// The highest mark.
    highest: Seq,
    /// The channels marked, up to one more than are named.
    channels: Vec<(ChannelName, Seq)>,
}

/// The marks above `after` of prefix patterns: the channels by name, or the pattern where there are too many.
pub(crate) fn of_patterns<'p>(
    connection: &Connection,
    tenant: i64,
    patterns: impl Iterator<Item = &'p Pattern>,
    after: Seq,
    floor: Seq,
    runs: &Runs,
) -> rusqlite::Result<Vec<Trimmed>> {
    let mut found: Vec<Found<'_>> =
        patterns.map(|pattern| Found { pattern, highest: floor, channels: Vec::new() }).collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // From the highest mark down: the first of a pattern is its highest, and with one too many it needs no more.
    let mut statement = connection.prepare_cached(MARKS)?;
    let mut rows = statement.query([tenant, sql(after.max(floor).0)])?;
    while let Some(row) = rows.next()? {
        let (through, text) = (seq(row.get(0)?), row.get_ref(1)?);
        let Ok(name) = text.as_str() else { continue };
        let mut open = false;
        for one in found.iter_mut().filter(|one| one.channels.len() <= MAX_TRIMMED) {
            open = true;
            if takes_in(one.pattern, name)
                && let Ok(name) = name.parse()
            {
                one.highest = one.highest.max(through);
                one.channels.push((name, through));
            }
        }
        if !open {
            break;
        }
    }
    Ok(found.iter().flat_map(|one| one.tell(after, floor, runs)).collect())
}

impl Found<'_> {
    fn tell(&self, after: Seq, floor: Seq, runs: &Runs) -> Vec<Trimmed> {
        let whole = |through| Trimmed { pattern: self.pattern.clone(), through: runs.event(through) };
        if self.channels.len() > MAX_TRIMMED {
            return vec![whole(self.highest)];
        }
        let named = self
            .channels
            .iter()
            .map(|(name, through)| Trimmed { pattern: name.clone().into(), through: runs.event(*through) });
        (floor > after).then(|| whole(floor)).into_iter().chain(named).collect()
    }
}
