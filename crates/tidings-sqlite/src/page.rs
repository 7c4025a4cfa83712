//! One page of a tenant's log, read in one snapshot.
//!
//! Exact channels are read through the index of channels: a seek for each, and the rows given. As soon as a prefix or
//! `*` is among the patterns, the tenant's events after the position are looked at one by one.

use rusqlite::{Connection, Row};
use tidings_core::port::log::{LogPage, Query, Trimmed};
use tidings_protocol::{ChannelName, Pattern, Seq};

use crate::marks;
use crate::merge::Merge;
use crate::row::{self, COLUMNS, seq, sql, takes_in};
use crate::runs::Runs;
use crate::tenants::Tenant;

/// The next rows of a channel.
pub(crate) const CHANNEL_ROWS: &str =
    "SELECT seq FROM channel_events WHERE channel = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
/// The marks above a number, the highest first.
pub(crate) const MARKS: &str = "SELECT trimmed_to, name FROM channels WHERE tenant = ?1 AND trimmed_to > 0 AND trimmed_to > ?2 \
                                ORDER BY trimmed_to DESC";

/// One event.
fn by_number() -> String {
    format!("SELECT {COLUMNS} FROM events WHERE tenant = ?1 AND seq = ?2")
}

/// All events after a number.
fn after_number() -> String {
    format!("SELECT {COLUMNS} FROM events WHERE tenant = ?1 AND seq > ?2 ORDER BY seq")
}

/// Reads a page.
pub(crate) fn read(connection: &Connection, tenant: &Tenant, query: &Query) -> rusqlite::Result<LogPage> {
    // Dropped at the end: nothing was written.
    let snapshot = connection.unchecked_transaction()?;
    let (head, floor) = snapshot
        .prepare_cached("SELECT head, floor FROM tenants WHERE id = ?1")?
        .query_row([tenant.row], |row| Ok((seq(row.get(0)?), seq(row.get(1)?))))?;
    // Whatever this reader is given must be known when it comes back with it.
    tenant.saw_head(head);
    let runs = tenant.runs();
    let mut page = Page {
        connection,
        tenant: tenant.row,
        query,
        at: query.after.max(floor),
        events: Vec::new(),
        bytes: 0,
        examined: 0,
    };
    let exact: Option<Vec<&ChannelName>> = query.selection.patterns.iter().map(Pattern::as_exact).collect();
    let (trimmed, ended) = match exact {
        Some(names) => page.merge(&names, floor, &runs)?,
        None => page.scan(floor, &runs)?,
    };
    let scanned_to = if ended { page.at.max(head) } else { page.at };
    Ok(LogPage {
        scanned_to: runs.at(scanned_to, head),
        head: runs.at(head, head),
        trimmed,
        examined: page.examined,
        events: page.events,
    })
}

/// What becomes of a row.
enum Take {
    Taken,
    /// It no longer fits into the page.
    Full,
}

struct Page<'a> {
    connection: &'a Connection,
    tenant: i64,
    query: &'a Query,
    /// Everything up to here has been looked at.
    at: Seq,
    events: Vec<tidings_protocol::Event>,
    bytes: usize,
    examined: usize,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.events.len() >= self.query.max_events.max(1) || self.examined >= self.query.max_examined.max(1)
    }

    /// Exact channels alone. Answers the marks, and whether the log was seen to its end.
    fn merge(
        &mut self,
        names: &[&ChannelName],
        floor: Seq,
        runs: &Runs,
    ) -> rusqlite::Result<(Vec<Trimmed>, bool)> {
        let mut trimmed: Vec<Trimmed> = Vec::new();
        let mut channels = Vec::with_capacity(names.len());
        for name in names {
            let place = marks::place(self.connection, self.tenant, name.as_str())?;
            let told = marks::of_channel(name, place.as_ref(), self.query.after, floor, runs);
            trimmed.extend(told);
            channels.extend(place.map(|place| place.id));
        }
        channels.sort_unstable();
        channels.dedup();
        let by_number = by_number();
        let mut merge = Merge::new(self.connection, &channels, sql(self.at.0))?;
        while let Some(next) = merge.peek() {
            if self.is_full() {
                return Ok((distinct(trimmed), false));
            }
            let mut statement = self.connection.prepare_cached(&by_number)?;
            let mut rows = statement.query([self.tenant, next])?;
            self.examined += 1;
            if let Some(row) = rows.next()?
                && let Take::Full = self.take(row)?
            {
                return Ok((distinct(trimmed), false));
            }
            self.at = seq(next);
            merge.take()?;
        }
        Ok((distinct(trimmed), true))
    }

    /// Every event after the position. Answers the marks, and whether the log was seen to its end.
    fn scan(&mut self, floor: Seq, runs: &Runs) -> rusqlite::Result<(Vec<Trimmed>, bool)> {
        let patterns = &self.query.selection.patterns;
        let after = self.query.after;
        let mut trimmed = Vec::new();
        for name in patterns.iter().filter_map(Pattern::as_exact) {
            let place = marks::place(self.connection, self.tenant, name.as_str())?;
            trimmed.extend(marks::of_channel(name, place.as_ref(), after, floor, runs));
        }
        let wide = patterns.iter().filter(|pattern| pattern.as_exact().is_none());
        trimmed.extend(marks::of_patterns(self.connection, self.tenant, wide, after, floor, runs)?);
        let trimmed = distinct(trimmed);
        let mut statement = self.connection.prepare_cached(&after_number())?;
        let mut rows = statement.query([self.tenant, sql(self.at.0)])?;
        while let Some(row) = rows.next()? {
            if self.is_full() {
                return Ok((trimmed, false));
            }
            self.examined += 1;
            if self.is_selected(row)?
                && let Take::Full = self.take(row)?
            {
                return Ok((trimmed, false));
            }
            self.at = seq(row.get(0)?);
        }
        Ok((trimmed, true))
    }

    /// Whether the row is still on a selected channel.
    fn is_selected(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let patterns = &self.query.selection.patterns;
        let is_on = |name: &str| patterns.iter().any(|pattern| takes_in(pattern, name));
        let names: Vec<&str> = row::names(row)?.collect();
        if names.iter().all(|name| is_on(name)) {
            // It is stored, so one of its channels holds it.
            return Ok(true);
        }
        let number = seq(row.get(0)?);
        for name in names.into_iter().filter(|name| is_on(name)) {
            if !marks::is_trimmed(self.connection, self.tenant, name, number)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<Take> {
        if !row::is_wanted(row, &self.query.selection.filter)? {
            return Ok(Take::Taken);
        }
        let size = row::size(row)?;
        if !self.events.is_empty() && self.bytes + size > self.query.max_bytes {
            return Ok(Take::Full);
        }
        self.events.push(row::decode(row)?);
        self.bytes += size;
        Ok(Take::Taken)
    }
}

/// Two patterns may name the same channel.
fn distinct(trimmed: Vec<Trimmed>) -> Vec<Trimmed> {
    let mut seen = std::collections::HashSet::new();
    trimmed.into_iter().filter(|one| seen.insert((one.pattern.clone(), one.through))).collect()
}
