//! What idle connections keep resident in the server.

use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;

use super::crowd::Crowd;
use super::driver::Driver;
use super::plan::Plan;
use super::process::resident;
use super::publisher::Publisher;
use super::scan::Wire;
use super::server::OwnServer;
use super::tally::Faults;
use crate::failure::Failure;

/// Connections before those that are counted: whatever is made once, is made.
const FIRST: usize = 100;
/// The server comes to rest.
const REST: Duration = Duration::from_secs(1);

/// One wire.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Idle {
    pub(super) transport: Wire,
    pub(super) connections: usize,
    pub(super) connects_per_second: f64,
    /// Of the server before, in MiB.
    pub(super) resident_before_mib: f64,
    /// Growth of the server's resident memory a connection, in KiB.
    pub(super) kib: f64,
    /// The same after one event to all.
    pub(super) kib_after_traffic: f64,
    pub(super) faults: Faults,
}

fn kib(pid: u32) -> Result<f64, Failure> {
    let bytes = resident(pid).ok_or_else(|| Failure::new("the server's memory cannot be read"))?;
    Ok(bytes as f64 / 1024.0)
}

/// Measures one wire on a fresh server.
///
/// # Errors
/// What did not work.
pub(super) fn measure(plan: &Plan, server: &OwnServer, wire: Wire, channel: &str) -> Result<Idle, Failure> {
    let crowd = Crowd { dial: server.dial()?, target: &server.target, wire, channel };
    let mut driver = Driver::new()?;
    crowd.gather(&mut driver, FIRST)?;
    let stream = crowd.dial.connect(0).map_err(|error| Failure::new(format!("a publisher: {error}")))?;
    driver.add_source(Box::new(Publisher::new(stream, crowd.target, channel, plan.bytes, 1)))?;
    driver.round(Duration::ZERO)?;
    sleep(REST);
    let before = kib(server.pid())?;
    let began = driver.now();
    crowd.gather(&mut driver, plan.idle)?;
    let took = driver.now() - began;
    sleep(REST);
    let idle = kib(server.pid())?;
    let round = driver.round(Duration::ZERO)?;
    sleep(REST);
    let after = kib(server.pid())?;
    let connections = plan.idle as f64;
    Ok(Idle {
        transport: wire,
        connections: plan.idle,
        connects_per_second: connections / took.as_secs_f64(),
        resident_before_mib: before / 1024.0,
        kib: (idle - before) / connections,
        kib_after_traffic: (after - before) / connections,
        faults: round.faults,
    })
}
