//! The wall clock, as storage sees it.

use tidings_protocol::time::Timestamp;

/// Tells the wall-clock time, for event times, ages and expiry. Never for order.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
