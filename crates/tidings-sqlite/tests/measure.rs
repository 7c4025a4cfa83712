//! How fast the writer and the readers are here. Prints, and asserts no time: machines differ.
//!
//! `cargo test --release -p tidings-sqlite --test measure -- --nocapture`

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![allow(clippy::unwrap_used, reason = "a test may end by it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_contract::TestClock;
use tidings_contract::suite::kit::{draft, json, keyed, query};
use tidings_core::port::log::Query;
use tidings_core::port::store::{Action, Batch, Command};
use tidings_core::port::{Commits, Log, Store};
use tidings_protocol::{Draft, Seq, TenantId};
use tidings_sqlite::{Durability, Options, SqliteStore};

const EACH: Duration = Duration::from_millis(250);

/// Nobody listens.
struct Nobody;

impl Commits for Nobody {
    fn committed(&self, _: Batch) {}
}

fn options(durability: Durability) -> Options {
    Options { durability, ..Options::new(Arc::new(TestClock::default()), Arc::new(Nobody)) }
}

fn small(publisher: usize, n: usize, with_key: bool) -> Draft {
    let channel = format!("bench:{publisher}");
    let event = if with_key { keyed(&channel, &format!("{publisher}-{n}")) } else { draft(&channel) };
    Draft { data: json(&format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(64))), ..event }
}

async fn publish(store: &Arc<SqliteStore>, in_flight: usize, with_key: bool) -> (usize, Duration, Duration) {
    let tenant: TenantId = "default".parse().unwrap();
    let begin = Instant::now();
    let publishers: Vec<_> = (0..in_flight)
        .map(|publisher| {
            let (store, tenant) = (Arc::clone(store), tenant.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < EACH {
                    let event = small(publisher, times.len(), with_key);
                    let start = Instant::now();
                    let action = Action::Publish(vec![event]);
                    store.submit(Command { tenant: tenant.clone(), action }).await.unwrap();
                    times.push(start.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for publisher in publishers {
        times.extend(publisher.await.unwrap());
    }
    let elapsed = begin.elapsed();
    times.sort_unstable();
    (times.len(), elapsed, times[times.len() * 99 / 100])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durable_publishes() {
    for (durability, with_key) in
        [(Durability::Fsync, false), (Durability::Fsync, true), (Durability::Os, false)]
    {
        for in_flight in [1, 4, 16, 64, 256] {
            let directory = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(&directory.path().join("m.db"), options(durability)).unwrap();
            let (events, elapsed, p99) = publish(&store, in_flight, with_key).await;
            let rate = events as f64 / elapsed.as_secs_f64();
            println!(
                "{durability:?} key={with_key} in flight {in_flight:>3}: {rate:>8.0} events/s, p99 {:>6} µs",
                p99.as_micros()
            );
            store.close();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let store = SqliteStore::open(&path, options(Durability::Os)).unwrap();
    let tenant: TenantId = "default".parse().unwrap();
    for n in 0..1_000 {
        let drafts = (0..100).map(|publisher| small(publisher, n, false)).collect();
        store.submit(Command { tenant: tenant.clone(), action: Action::Publish(drafts) }).await.unwrap();
    }
    for (name, patterns, after) in [
        ("one channel, 500 events", &["bench:7"][..], 10_000),
        ("one channel, the last", &["bench:7"], 99_900),
        ("all, 500 events", &["*"], 10_000),
    ] {
        let query = Query { after: Seq(after), max_events: 500, ..query(patterns) };
        let (begin, rounds) = (Instant::now(), 200);
        for _ in 0..rounds {
            store.read(&tenant, &query).await.unwrap();
        }
        println!("page of {name}: {} µs", begin.elapsed().as_micros() / rounds);
    }
    store.close();
    let begin = Instant::now();
    let store = SqliteStore::open(&path, options(Durability::Fsync)).unwrap();
    println!("open with 100,000 events: {} µs", begin.elapsed().as_micros());
    store.close();
}
