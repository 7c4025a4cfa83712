//! A thousand subscribers behind a proxy that fails: nothing lost or doubled, the right state, nothing left behind.

use std::time::Duration;

use tidings_acceptance::wait::until;
use tidings_acceptance::{Fault, Figures, ServerOptions, report};
use tokio::time::Instant;

use crate::gaps::KEPT;
use crate::pool::{World, run_all, seeds};
use crate::run::run;

const RUNS: u64 = 1_000;
const AT_ONCE: usize = 40;
/// From so many runs on every fault strikes.
const MANY: u64 = 300;

#[test]
fn subscribers_lose_and_double_nothing_whatever_fails() {
    let options = ServerOptions::new()
        .set("stream.heartbeat", "250ms")
        .set("log.retention.events_per_channel", &KEPT.to_string());
    let world = World::new(options);
    let seeds = seeds(RUNS);
    let runs = seeds.end - seeds.start;
    let began = Instant::now();
    run_all(seeds, AT_ONCE, |seed| run(&world, seed));
    let (struck, never) = world.strikes.summary(&Fault::ALL);
    report(format!("faults: {runs} subscribers in {:.0?}: {}", began.elapsed(), world.counted()));
    report(format!("faults: struck with an event in flight / struck: {struck}"));
    let address = world.target.address;
    world.block_on(until(Duration::from_secs(10), "the server's streams to be closed", async || {
        (Figures::read(address).await.streams() == 0).then_some(())
    }));
    assert!(runs < MANY || never.is_empty(), "these never struck with an event in flight: {never:?}");
}
