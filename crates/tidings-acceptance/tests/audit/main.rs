//! The audit log says what happened (A6): every stream that was opened and how it ended, counted by the test beside the
//! server; and the queries of document 2 find it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clients;
mod crash;
mod mixed;
mod refused;
mod rows;

use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
