//! Two hundred publishers behind a proxy that fails: each event is in the log once, in the order of the calls.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidings_acceptance::poll::history;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Fault, FaultProxy, ServerOptions, report};
use tidings_client::{Draft, PublishError, Publisher};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::pool::{World, run_all, seeds};
use crate::publishing;

const RUNS: u64 = 200;
const AT_ONCE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// What a request can meet: its answer's type is nothing that counts.
fn faults() -> Vec<Fault> {
    Fault::ALL.into_iter().filter(|fault| *fault != Fault::WrongContentType).collect()
}

/// A publisher under way, and how many events it has published.
struct Run {
    seed: u64,
    random: StdRng,
    proxy: FaultProxy,
    publisher: Publisher,
    count: u64,
}

impl Run {
    fn drafts(&mut self, count: u64) -> Vec<Draft> {
        let numbers = self.count..self.count + count;
        self.count += count;
        let draft = |n: u64| {
            let draft =
                Draft::new(format!("pub:{}", self.seed), "numbered", &serde_json::json!({"n": n})).unwrap();
            draft.idempotency_key(format!("{}-{n}", self.seed))
        };
        numbers.map(draft).collect()
    }

    /// Publishes and waits; where it is refused for good, or not understood, the caller does it again.
    async fn publish(&mut self) {
        let fault = self.draw();
        self.proxy.arm(fault);
        let count = self.random.random_range(1..4);
        let drafts = self.drafts(count);
        let error = match &drafts[..] {
            [one] => self.publisher.publish(one.clone()).await.err(),
            many => {
                self.publisher.publish_all(many.to_vec()).await.err().map(|interrupted| interrupted.error)
            }
        };
        let is_expected = match (&error, fault) {
            (Some(PublishError::Refused(refusal)), Some(Fault::Status401 | Fault::Status403)) => {
                Some(refusal.status) == fault.and_then(Fault::status)
            }
            (Some(PublishError::Misunderstood(_)), fault) => fault == Some(Fault::Status204),
            (Some(_), _) => false,
            (None, fault) => !matches!(fault, Some(Fault::Status401 | Fault::Status403 | Fault::Status204)),
        };
        assert!(is_expected, "seed {}: {fault:?} ended with {error:?}", self.seed);
        if error.is_some() {
            let again = self.publisher.publish_all(drafts).await;
            assert!(again.is_ok(), "seed {}: {again:?}", self.seed);
        }
    }

    /// Puts events into the queue and waits until it is empty. What is refused for good is told, not tried again.
    async fn enqueue(&mut self) {
        let count = self.random.random_range(1..8);
        for draft in self.drafts(count) {
            if self.proxy.armed().is_none() {
                let fault = self.draw();
                let is_refusal =
                    matches!(fault, Some(Fault::Status401 | Fault::Status403 | Fault::Status204));
                self.proxy.arm(fault.filter(|_| !is_refusal));
            }
            self.publisher.enqueue(draft).unwrap();
            tokio::task::yield_now().await;
        }
        self.publisher.flush(PATIENCE).await.unwrap();
    }

    fn draw(&mut self) -> Option<Fault> {
        let faults = faults();
        let fault = faults[self.random.random_range(0..faults.len())];
        self.random.random_bool(0.7).then_some(fault)
    }
}

async fn run(world: &World, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let proxy = FaultProxy::of_requests(world.target.address, &world.strikes).await;
    let options = publishing(&world.target.at(proxy.address()), Duration::from_millis(700));
    let publisher = Publisher::new(options).unwrap();
    let calls = random.random_range(4..8);
    let mut run = Run { seed, random, proxy, publisher, count: 0 };
    for _ in 0..calls {
        if run.random.random_bool(0.7) {
            run.publish().await;
        } else {
            run.enqueue().await;
        }
    }
    let log = history(&world.target, &[&format!("pub:{seed}")], None).await;
    let numbers: Vec<u64> = log.iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..run.count).collect();
    assert_eq!(numbers, expected, "seed {seed}: each once, in the order of the calls");
    world.count("events", numbers.len());
    let Run { proxy, publisher, .. } = run;
    drop(publisher);
    let what = format!("seed {seed}: the publisher's connections to be closed");
    until(PATIENCE, &what, async || (proxy.open() == 0).then_some(())).await;
    proxy.stop().await;
    let what = format!("seed {seed}: every task to have ended");
    until(PATIENCE, &what, async || (Handle::current().metrics().num_alive_tasks() == 0).then_some(())).await;
}

#[test]
fn publishers_lose_and_double_nothing_whatever_fails() {
    let world = World::new(ServerOptions::new());
    let seeds = seeds(RUNS);
    let runs = seeds.end - seeds.start;
    let began = Instant::now();
    run_all(seeds, AT_ONCE, |seed| run(&world, seed));
    let (struck, never) = world.strikes.summary(&faults());
    report(format!("faults: {runs} publishers in {:.0?}: {}", began.elapsed(), world.counted()));
    report(format!("faults: struck with events in flight / struck: {struck}"));
    assert!(runs < RUNS || never.is_empty(), "these never struck: {never:?}");
}
