//! The reference-model test: random runs of publishing, streaming, breaking, changing, trimming and restarting on the
//! real hub, pages, feeds and sessions, each frame held against the rules of PROTOCOL.md.
//!
//! `TIDINGS_MODEL_SEED=<n>` runs one seed; `TIDINGS_MODEL_RUNS=<n>` sets how many are run, from `TIDINGS_MODEL_FROM=<n>`
//! on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "everything here is test code"
)]

mod client;
mod coverage;
mod history;
mod names;
mod run;
mod script;
mod setup;
mod step;
mod watch;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use coverage::Coverage;
use script::{Failure, run_seed};

const RUNS: u64 = 30_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

fn report(failure: &Failure) -> String {
    let script: Vec<String> = failure.script.iter().map(|step| format!("  {step:?}")).collect();
    let again = format!("TIDINGS_MODEL_SEED={}", failure.seed);
    format!(
        "{}\nthe shortest script that fails:\n{}\nrun it again with {again}",
        failure.why,
        script.join("\n")
    )
}

/// Runs the seeds on all cores; answers the first failure.
fn run_all(seeds: std::ops::Range<u64>) -> (Coverage, Option<Box<Failure>>) {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut cov = Coverage::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (cov, None);
            }
            if let Err(failure) = run_seed(seed, &mut cov) {
                next.store(seeds.end, Ordering::Relaxed);
                return (cov, Some(failure));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = (Coverage::default(), None);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (cov, failure) = worker.join().expect("a worker's panics are failures");
            all.0.merge(&cov);
            all.1 = all.1.take().or(failure);
        }
    });
    all
}

#[test]
fn streams_say_what_happened_once_and_in_order_or_what_they_cannot_give() {
    if let Some(seed) = number("TIDINGS_MODEL_SEED") {
        let failure = run_seed(seed, &mut Coverage::default()).err();
        assert!(failure.is_none(), "{}", report(&failure.unwrap()));
        return;
    }
    let from = number("TIDINGS_MODEL_FROM").unwrap_or(0);
    let runs = number("TIDINGS_MODEL_RUNS").unwrap_or(RUNS);
    let (cov, failure) = run_all(from..from + runs);
    assert!(failure.is_none(), "{}", report(&failure.unwrap()));
    cov.print();
    let missing = cov.missing();
    assert!(missing.is_empty() || runs < RUNS, "no run took these paths: {missing:?}");
}
