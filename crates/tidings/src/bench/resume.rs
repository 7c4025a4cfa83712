//! Subscribers that come back after the server was killed in the middle of publishing.

use std::time::Duration;

use serde::Serialize;

use super::child::Child;
use super::crowd::Crowd;
use super::driver::Driver;
use super::plan::Plan;
use super::process::{PerThing, Used};
use super::publisher::Publisher;
use super::scan::Wire;
use super::server::OwnServer;
use super::tally::Faults;
use crate::failure::Failure;

/// Events in one publish.
const BATCH: usize = 20;
/// Publishes before the server is killed, and again while nobody is connected.
const PUBLISHES: usize = 5;

/// How coming back went.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resume {
    pub(super) clients: usize,
    /// Events that each of them missed and was given.
    pub(super) missed: u64,
    pub(super) ready_ms: f64,
    /// From the server's being ready to the last client's having everything.
    pub(super) seconds: f64,
    pub(super) cpu_us_per_client: Option<PerThing>,
    /// `$reset`s: there must be none.
    pub(super) resets: u64,
    pub(super) faults: Faults,
}

fn publish(driver: &mut Driver, crowd: &Crowd<'_>, bytes: usize) -> Result<(), Failure> {
    let stream = crowd.dial.connect(0).map_err(|error| Failure::new(format!("a publisher: {error}")))?;
    driver.add_source(Box::new(Publisher::new(stream, crowd.target, crowd.channel, bytes, BATCH)))?;
    (0..PUBLISHES).try_for_each(|_| driver.send_for(Duration::ZERO))?;
    driver.drop_sources();
    Ok(())
}

/// Kills the server under its clients, and has them come back.
///
/// # Errors
/// What did not work.
pub(super) fn measure(plan: &Plan, server: OwnServer, channel: &str) -> Result<Resume, Failure> {
    let mut driver = Driver::new()?;
    let crowd = Crowd { dial: server.dial()?, target: &server.target, wire: Wire::Sse, channel };
    crowd.gather(&mut driver, plan.idle)?;
    driver.start_over();
    publish(&mut driver, &crowd, plan.bytes)?;
    // Killed while what was published is still on its way to some.
    let gone = driver.disconnect();
    let server = server.restart(Child::kill)?;
    let crowd = Crowd { dial: server.dial()?, target: &server.target, wire: Wire::Sse, channel };
    publish(&mut driver, &crowd, plan.bytes)?;
    let had = driver.received();
    let before = Used::of(server.pid());
    let began = driver.now();
    crowd.gather_again(&mut driver, &gone)?;
    driver.settle()?;
    let seconds = (driver.now() - began).as_secs_f64();
    Ok(Resume {
        clients: plan.idle,
        missed: (driver.received() - had) / plan.idle.max(1) as u64,
        ready_ms: server.ready_after.as_secs_f64() * 1e3,
        seconds,
        cpu_us_per_client: Used::since(before, server.pid(), plan.idle as u64),
        resets: driver.subscribers.iter().map(|subscriber| subscriber.resets).sum(),
        faults: driver.faults(),
    })
}
