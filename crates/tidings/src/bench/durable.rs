//! Durable publishes, with nobody subscribed; beside them, what the disk alone does.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use tidings_server::clock::Clocks;

use super::dial::Dial;
use super::driver::Driver;
use super::plan::Plan;
use super::process::{PerThing, Used};
use super::publisher::Publisher;
use super::workspace::Workspace;
use crate::client::target::Target;
use crate::failure::Failure;

/// One number of publishes in flight.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Durable {
    pub(super) in_flight: usize,
    pub(super) publishes_per_second: f64,
    pub(super) cpu_us: Option<PerThing>,
}

/// Measures one number of publishes in flight.
///
/// # Errors
/// What did not work.
pub(super) fn measure(
    plan: &Plan,
    dial: Dial,
    target: &Target,
    pid: Option<u32>,
    channel: &str,
    in_flight: usize,
) -> Result<Durable, Failure> {
    let mut driver = Driver::new()?;
    for number in 0..in_flight {
        let stream = dial.connect(number).map_err(|error| Failure::new(format!("a publisher: {error}")))?;
        driver.add_source(Box::new(Publisher::new(stream, target, channel, plan.bytes, 1)))?;
    }
    driver.round(Duration::from_millis(500))?;
    let mut best: Option<Durable> = None;
    for _ in 0..plan.rounds {
        let before = pid.and_then(Used::of);
        let round = driver.round(plan.round())?;
        let found = Durable {
            in_flight,
            publishes_per_second: round.answers as f64 / round.took.as_secs_f64(),
            cpu_us: pid.and_then(|pid| Used::since(before, pid, round.answers)),
        };
        if best.as_ref().is_none_or(|best| best.publishes_per_second < found.publishes_per_second) {
            best = Some(found);
        }
    }
    best.ok_or_else(|| Failure::usage("at least one round is needed"))
}

/// How often a second the disk takes 4 KiB for good: the best of as many rounds as publishes had.
///
/// # Errors
/// The file system's.
pub(super) fn disk(plan: &Plan, workspace: &Workspace) -> Result<f64, Failure> {
    let mut best = 0.0_f64;
    for _ in 0..plan.rounds {
        let once = disk_once(workspace).map_err(|error| Failure::new(format!("the disk: {error}")))?;
        best = best.max(once);
    }
    Ok(best)
}

fn disk_once(workspace: &Workspace) -> io::Result<f64> {
    let mut file = File::create(workspace.path().join("disk"))?;
    let clock = Clocks::start();
    let mut writes = 0;
    while clock.now() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        writes += 1;
    }
    Ok(f64::from(writes) / clock.now().as_secs_f64())
}
