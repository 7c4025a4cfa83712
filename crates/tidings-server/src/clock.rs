//! The one place that reads the clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidings_protocol::time::Timestamp;

/// The time since the server's start, and the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    start: Instant,
}

impl Clocks {
    /// Starts counting.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since the start; what sessions are given.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The runtime's instant for a deadline counted from the start.
    #[must_use]
    pub fn instant(&self, deadline: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.start + deadline)
    }
}

/// The wall-clock time.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn wall_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
