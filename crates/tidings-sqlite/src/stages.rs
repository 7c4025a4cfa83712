//! Throttled stages: open windows in memory, held values in `held`.
//!
//! Owns: when a held value is due, by the wall clock and by a timer that no setting of the clock can stop. Leaves out:
//! the rule itself ([`tidings_core::throttle`]) and what a held value does to the log (`append`).
//!
//! Invariants: a stage with a held value has a row in `held`, a timer, and a place in memory; windows without a held
//! value are in memory alone and are forgotten when they are over, at the latest with the process.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use tidings_core::throttle::{Look, Stage};
use tidings_protocol::time::Timestamp;

/// A tenant's row and the stage's name.
pub(crate) type StageKey = (i64, String);

/// The wall clock may be set at any moment: with something held it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Now, by a clock that nobody sets.
#[expect(
    clippy::disallowed_methods,
    reason = "the timers behind the wall clock: a held value waits one window at most"
)]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// One stage.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throttled {
    pub(crate) stage: Stage,
    /// Runs while a value is held.
    pub(crate) timer: Option<Instant>,
}

impl Throttled {
    /// A value is held from now for up to `wait`; where one was held already, its timer runs on.
    pub(crate) fn hold(&mut self, wait: Duration) {
        let now = monotonic();
        // A window that ends beyond the clock's reach is looked at by the wall clock alone.
        self.timer = self.timer.or_else(|| now.checked_add(wait)).or(Some(now));
    }
}

/// All stages with an open window.
#[derive(Debug)]
pub(crate) struct Stages {
    by_key: HashMap<StageKey, Throttled>,
    /// Not after the first held value is due, by either clock.
    due: Option<(Timestamp, Instant)>,
    last_look: Timestamp,
}

impl Stages {
    pub(crate) fn new() -> Self {
        Self { by_key: HashMap::new(), due: None, last_look: Timestamp(i64::MIN) }
    }

    pub(crate) fn get(&self, key: &StageKey) -> Throttled {
        self.by_key.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn put(&mut self, key: StageKey, throttled: Throttled) {
        self.expect(&throttled);
        self.by_key.insert(key, throttled);
    }

    pub(crate) fn remove(&mut self, key: &StageKey) {
        self.by_key.remove(key);
    }

    fn expect(&mut self, throttled: &Throttled) {
        if let (Some(due), Some(timer)) = (throttled.stage.due(), throttled.timer) {
            self.due = Some(self.due.map_or((due, timer), |(a, b)| (a.min(due), b.min(timer))));
        }
    }

    /// How long the writer may sleep for all that is held.
    pub(crate) fn patience(&self, now: Timestamp) -> Option<Duration> {
        let (due, timer) = self.due?;
        let wall = Duration::from_millis(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0));
        Some(wall.min(timer.saturating_duration_since(monotonic())).min(LOOK_AGAIN))
    }

    /// The stages whose held value enters the log now, by the time at which they were due. Their next window is open.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<StageKey> {
        let set_back = now < self.last_look;
        self.last_look = now;
        let Some((due, timer)) = self.due else { return Vec::new() };
        let instant = monotonic();
        if !set_back && now < due && instant < timer {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (key, throttled) in &mut self.by_key {
            let Some(due) = throttled.stage.due() else { continue };
            let expired = throttled.timer.is_some_and(|timer| instant >= timer);
            if throttled.stage.look(now) == Look::Emit || (expired && throttled.stage.expire(now)) {
                throttled.timer = None;
                found.push((due, key.clone()));
            }
        }
        self.due = None;
        for throttled in self.by_key.values().copied().collect::<Vec<_>>() {
            self.expect(&throttled);
        }
        found.sort();
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// Forgets the windows that are over with nothing held.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.by_key.retain(|_, throttled| {
            throttled.stage.due().is_some() || throttled.stage.look(now) != Look::Closed
        });
    }
}

/// Keeps a value in place of the one held before.
pub(crate) fn keep(
    connection: &Connection,
    key: &StageKey,
    due: Timestamp,
    value: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO held (tenant, stage, due_at, value) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![key.0, key.1, due.0, value])?;
    Ok(())
}

/// Takes the held value out.
pub(crate) fn take(connection: &Connection, key: &StageKey) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("DELETE FROM held WHERE tenant = ?1 AND stage = ?2 RETURNING value")?
        .query_row(params![key.0, key.1], |row| row.get(0))
        .optional()
}

/// Every stage with a held value, by the time at which it was due.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<StageKey>> {
    let mut statement = connection.prepare("SELECT tenant, stage FROM held ORDER BY due_at, stage")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
