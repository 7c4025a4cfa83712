//! Channels added to a live stream, again and again cut off on the way: a client that keeps to PROTOCOL.md has lost
//! nothing and has nothing twice.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod joining;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use joining::client::{Cut, Joiner};
use joining::source::{Source, publish};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidings_acceptance::report::random;
use tidings_acceptance::{Server, ServerOptions, Transport, report};
use tokio::time::timeout;

const WORKERS: usize = 25;
const ROUNDS: usize = 40;
/// What one round may take.
const ROUND: Duration = Duration::from_secs(30);

/// What all rounds of all workers came to.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    rounds: usize,
    cuts: usize,
    cuts_between: usize,
    twice_cut: usize,
    backfilled: usize,
    dropped: usize,
    applied: usize,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.cuts += other.cuts;
        self.cuts_between += other.cuts_between;
        self.twice_cut += other.twice_cut;
        self.backfilled += other.backfilled;
        self.dropped += other.dropped;
        self.applied += other.applied;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_joins_cut_at_random_lose_and_double_nothing() {
    let mut rng = random("joins");
    let server = Server::start(ServerOptions::new().set("stream.heartbeat", "300ms")).await;
    let target = server.master().await;
    let source = Arc::new(Source::default());
    let stop = Arc::new(AtomicBool::new(false));
    let seed = rng.random();
    let publishing =
        tokio::spawn(publish(target.clone(), source.clone(), stop.clone(), StdRng::seed_from_u64(seed)));
    source.has(500).await;

    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let transport = if worker % 2 == 0 { Transport::Sse } else { Transport::Ws };
        let (target, source, mut rng) = (target.clone(), source.clone(), StdRng::seed_from_u64(rng.random()));
        workers.push(tokio::spawn(async move {
            let mut sum = Sum::default();
            for _ in 0..ROUNDS {
                let mut client = Joiner::new(transport, &target, &source);
                let round = timeout(ROUND, play(&mut client, &source, &mut rng)).await;
                sum.add(round.unwrap_or_else(|_| panic!("a round does not end: {client:?}")));
            }
            sum
        }));
    }
    let mut sum = Sum::default();
    for worker in workers {
        sum.add(worker.await.expect("no client finds a fault"));
    }
    stop.store(true, Ordering::SeqCst);
    publishing.await.unwrap();
    report(format!("joins: {sum:?} of {} events published", source.len()));
    assert_eq!(sum.rounds, WORKERS * ROUNDS);
    assert!(
        sum.cuts_between >= 200 && sum.twice_cut >= 50,
        "the cuts must strike while channels are being added"
    );
    assert!(sum.dropped > 0 && sum.backfilled > 0);
}

/// One client's life: opened, told to add channels, cut, told to add more, cut again, left alone until all is there.
async fn play(client: &mut Joiner<'_>, source: &Source, rng: &mut StdRng) -> Sum {
    client.begin(rng);
    for cut in 0..3 {
        client.open(rng).await;
        if cut == 0 {
            client.read(rng.random_range(0..20)).await;
        }
        if cut == 0 || rng.random_bool(0.3) {
            client.add_some(rng).await;
        }
        let strike = if rng.random_bool(0.7) {
            Cut::AfterSubscribed(rng.random_range(0..12))
        } else {
            Cut::After(rng.random_range(0..60))
        };
        // The last time it may be cut at a moment when everything has long been joined.
        if cut < 2 || rng.random_bool(0.5) {
            client.read_and_cut(strike).await;
        }
    }
    client.open(rng).await;
    client.read_until_joined().await;
    let goal = source.head();
    client.read_past(goal).await;
    client.check(goal);
    let tally = client.tally;
    Sum {
        rounds: 1,
        cuts: tally.cuts,
        cuts_between: tally.cuts_between,
        twice_cut: usize::from(tally.cuts_between >= 2),
        backfilled: tally.backfilled,
        dropped: tally.dropped,
        applied: tally.applied,
    }
}
