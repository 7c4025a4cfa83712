//! Events to many subscribers, and beside them the bare writes of the same bytes.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::bare::Trigger;
use super::child::Child;
use super::crowd::Crowd;
use super::dial::Dial;
use super::driver::{Driver, Round};
use super::latency::Percentiles;
use super::plan::Plan;
use super::process::{Cores, PerThing, Used};
use super::publisher::Publisher;
use super::scan::Wire;
use super::subscriber::Subscriber;
use super::tally::Faults;
use crate::failure::Failure;

/// Rounds before those that count.
const WARM_UP: Duration = Duration::from_secs(1);

/// What one side did, in its cheapest round.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Side {
    pub(super) deliveries: u64,
    pub(super) seconds: f64,
    pub(super) deliveries_per_second: f64,
    pub(super) events_per_second: f64,
    /// Processor microseconds a delivery, publishing included; none where the process is not on this machine.
    pub(super) cpu_us: Option<PerThing>,
    pub(super) driver_cpu_us: Option<PerThing>,
    /// From the publish's sending to the event's reading, in milliseconds.
    pub(super) latency_ms: Percentiles,
}

/// One wire, one number of publishers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FanOut {
    pub(super) transport: Wire,
    pub(super) subscribers: usize,
    pub(super) publishers: usize,
    pub(super) delivery_bytes: usize,
    pub(super) server: Side,
    /// One `write(2)` a subscriber for as many events as there are publishers.
    pub(super) bare: Option<Side>,
    /// Server over bare.
    pub(super) cpu_ratio: Option<f64>,
    pub(super) p99_ratio: Option<f64>,
    pub(super) faults: Faults,
}

/// The bare writer with its subscribers.
struct Bare {
    child: Child,
    driver: Driver,
    delivery_bytes: usize,
}

/// One round of a process.
fn round(driver: &mut Driver, pid: Option<u32>, how_long: Duration) -> Result<(Side, Round), Failure> {
    let own = std::process::id();
    let before = (pid.and_then(Used::of), Used::of(own));
    let round = driver.round(how_long)?;
    let used = pid.and_then(|pid| Used::since(before.0, pid, round.deliveries));
    let driver_used = Used::since(before.1, own, round.deliveries);
    let seconds = round.took.as_secs_f64();
    let side = Side {
        deliveries: round.deliveries,
        seconds,
        deliveries_per_second: round.deliveries as f64 / seconds,
        events_per_second: round.events as f64 / seconds,
        cpu_us: used,
        driver_cpu_us: driver_used,
        latency_ms: driver.latency.take(),
    };
    Ok((side, round))
}

/// Whichever cost less; without costs, whichever delivered more.
fn better(best: Option<Side>, side: Side) -> Side {
    match best {
        Some(best) if best.cpu_us.zip(side.cpu_us).is_some_and(|(best, new)| best.all <= new.all) => best,
        Some(best) if side.cpu_us.is_none() && best.deliveries_per_second >= side.deliveries_per_second => {
            best
        }
        _ => side,
    }
}

impl Bare {
    fn start(
        plan: &Plan,
        cores: Option<Cores>,
        wire: Wire,
        channel: &str,
        together: usize,
    ) -> Result<Self, Failure> {
        let (child, line) = Child::start(cores, &["bench", "--bare"], &[])?;
        let address: SocketAddr = line.parse().map_err(|_| Failure::new("bare writes: no address"))?;
        let mut driver = Driver::new()?;
        let delivery_bytes = Self::connect(plan, &mut driver, Dial::new(address), wire, channel, together)
            .map_err(|error| Failure::new(format!("bare writes: {error}")))?;
        Ok(Self { child, driver, delivery_bytes })
    }

    fn connect(
        plan: &Plan,
        driver: &mut Driver,
        dial: Dial,
        wire: Wire,
        channel: &str,
        together: usize,
    ) -> std::io::Result<usize> {
        let mut trigger = Trigger::new(dial.connect(0)?, wire, channel, plan.bytes, together)?;
        let bytes = trigger.delivery_bytes()?;
        trigger.begin(plan.subscribers)?;
        for number in 0..plan.subscribers {
            driver.add(Subscriber::headless(dial.connect(number)?, wire)).map_err(std::io::Error::other)?;
        }
        trigger.wait()?;
        driver.add_source(Box::new(trigger)).map_err(std::io::Error::other)?;
        Ok(bytes)
    }
}

/// The server's subscribers and publishers.
fn connect(plan: &Plan, crowd: &Crowd<'_>, publishers: usize) -> Result<Driver, Failure> {
    let mut driver = Driver::new()?;
    crowd.gather(&mut driver, plan.subscribers)?;
    for number in 0..publishers {
        let stream = crowd.dial.connect(number);
        let stream = stream.map_err(|error| Failure::new(format!("a publisher: {error}")))?;
        driver.add_source(Box::new(Publisher::new(stream, crowd.target, crowd.channel, plan.bytes, 1)))?;
    }
    Ok(driver)
}

/// Measures one wire with one number of publishers, and the bare writes in turn with it.
///
/// # Errors
/// What did not work.
pub(super) fn measure(
    plan: &Plan,
    crowd: &Crowd<'_>,
    pid: Option<u32>,
    cores: Option<Cores>,
    publishers: usize,
) -> Result<FanOut, Failure> {
    let mut driver = connect(plan, crowd, publishers)?;
    let mut bare = match pid {
        Some(_) => Some(Bare::start(plan, cores, crowd.wire, crowd.channel, publishers)?),
        None => None,
    };
    let mut faults = driver.round(WARM_UP)?.faults;
    let (mut best, mut best_bare) = (None, None);
    for _ in 0..plan.rounds {
        let (side, round) = round(&mut driver, pid, plan.round())?;
        best = Some(better(best, side));
        faults = faults.plus(round.faults);
        if let Some(bare) = &mut bare {
            let (side, _) = self::round(&mut bare.driver, Some(bare.child.pid()), plan.round())?;
            best_bare = Some(better(best_bare, side));
        }
    }
    let server = best.ok_or_else(|| Failure::usage("at least one round is needed"))?;
    let ratio = |of: fn(&Side) -> Option<f64>| Some(of(&server)? / of(best_bare.as_ref()?)?);
    Ok(FanOut {
        transport: crowd.wire,
        subscribers: plan.subscribers,
        publishers,
        delivery_bytes: bare.as_ref().map_or(0, |bare| bare.delivery_bytes),
        server,
        bare: best_bare,
        cpu_ratio: ratio(|side| Some(side.cpu_us?.all)),
        p99_ratio: ratio(|side| Some(side.latency_ms.p99)),
        faults,
    })
}
