//! From the server's start to its word that it is ready.

use serde::Serialize;

use super::child::Child;
use super::latency::percentiles;
use super::server::OwnServer;
use crate::failure::Failure;

/// How often it is started.
const TIMES: usize = 9;

/// Milliseconds to ready, of several starts on the same data.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub(super) least_ms: f64,
    pub(super) median_ms: f64,
    pub(super) most_ms: f64,
}

/// Starts the server again and again.
///
/// # Errors
/// What did not work.
pub(super) fn measure(mut server: OwnServer) -> Result<Start, Failure> {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        server = server.restart(Child::end)?;
        took.push(server.ready_after);
    }
    took.sort_unstable();
    let found = percentiles(&took);
    let least = took.first().map_or(0.0, |least| least.as_secs_f64() * 1e3);
    Ok(Start { least_ms: least, median_ms: found.p50, most_ms: found.max })
}
