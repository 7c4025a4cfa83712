//! How often streams may be opened, how many may be open, and that every place is given back (A5).

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod abrupt;
mod departed;
mod logins;
mod opening;
mod places;
mod rate;

use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);
