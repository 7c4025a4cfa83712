//! How often each path was taken. A path that no run has taken is a hole in the test, and fails it.

use std::collections::BTreeMap;

/// Every path that the runs together must take.
pub(crate) const PATHS: &[&str] = &[
    "publish: one",
    "publish: batch",
    "publish: also",
    "publish: key",
    "publish: terminal",
    "publish: duplicate",
    "publish: refused",
    "publish: another tenant",
    "publish: burst",
    "hub: told late",
    "hub: told twice",
    "hub: told out of order",
    "hub: not told",
    "hub: overflow",
    "log: late",
    "log: failed",
    "log: page",
    "store: trimmed",
    "store: floor raised",
    "store: restarted",
    "store: restored",
    "store: tail lost",
    "open: now",
    "open: start",
    "open: start after trimming",
    "open: resume",
    "open: resume over a restart",
    "open: resume over a restore",
    "open: unknown",
    "open: unknown over a lost history",
    "open: poll",
    "open: failed",
    "frame: event",
    "frame: backfill",
    "frame: $ready",
    "frame: $reset expired",
    "frame: $reset expired, wide",
    "frame: $reset expired, in a join",
    "frame: $reset unknown",
    "frame: $reset unknown, in a join",
    "frame: $reset unauthorized",
    "frame: $subscribed",
    "frame: $joined",
    "frame: $lagged",
    "frame: $lagged, in a join",
    "frame: $expiring",
    "frame: heartbeat, same",
    "frame: heartbeat, moved",
    "frame: heartbeat, silent",
    "frame: $end",
    "frame: $end without an id",
    "frame: abort",
    "end: capacity",
    "end: lifetime",
    "end: expired",
    "end: revoked",
    "change: two groups",
    "change: refused",
    "change: removed",
    "change: waits for a join",
    "unauthorize: while joining",
    "unauthorize: a change that waits",
    "cut: while joining",
    "drained",
];

/// Counts by path.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn hit(&mut self, path: &'static str) {
        self.add(path, 1);
    }

    pub(crate) fn add(&mut self, path: &'static str, times: u64) {
        debug_assert!(PATHS.contains(&path), "{path:?} is not listed");
        *self.0.entry(path).or_default() += times;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (path, times) in &other.0 {
            *self.0.entry(path).or_default() += times;
        }
    }

    pub(crate) fn of(&self, path: &str) -> u64 {
        self.0.get(path).copied().unwrap_or(0)
    }

    pub(crate) fn print(&self) {
        for path in PATHS {
            println!("{:>10}  {path}", self.of(path));
        }
    }

    pub(crate) fn missing(&self) -> Vec<&'static str> {
        PATHS.iter().copied().filter(|path| self.of(path) == 0).collect()
    }
}
