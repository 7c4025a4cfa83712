//! Wrappers over the ports that make trouble within what the ports allow: they delay, drop, double, reorder and fail.
//!
//! Owns: the faults and the count of how often each struck, so that a test can fail when none did. Leaves out: faults
//! below the ports (torn files, lost disks), which are the harness's. All are driven by one seed: the same calls in the
//! same order meet the same faults.

pub mod log;
pub mod seed;
pub mod tail;

pub use log::{FaultyLog, LogOdds};
pub use seed::Seed;
pub use tail::{FaultyTail, TailOdds};
