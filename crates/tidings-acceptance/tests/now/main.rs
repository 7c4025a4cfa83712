//! Now means now (G8): whatever ends a credential ends what was opened with it, on every transport, within a second, and
//! nothing comes after.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod causes;
mod h2;
mod partial;
mod renewal;
mod slow;
mod stream;
mod traffic;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Within this, what has ended is over.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time, in milliseconds since 1970, as the server's events have it.
#[allow(clippy::disallowed_methods, reason = "compared with the server's times")]
fn wall_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}
