//! What a resume costs does not depend on how much is stored: the log looks at what it gives, and at little else.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::within;
use tidings_acceptance::{
    Ask, Figures, Server, ServerOptions, Subscription, Target, Transport, http, report,
};
use tidings_protocol::Cursor;
use tokio::time::Instant;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
const BATCH: u64 = 100;
const LANES: usize = 32;
/// One event of so many is on the quiet channel, at first; then none is.
const QUIET_SHARE: u64 = 100;

/// Fills the log with events `from` to `to`, many batches under way at once.
async fn fill(target: &Target, from: u64, to: u64, quiet: bool) {
    let next = Arc::new(AtomicU64::new(from));
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (mut lane, next) = (Lane::new(target), next.clone());
            tokio::spawn(async move {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::SeqCst);
                    if first >= to {
                        return;
                    }
                    let channel =
                        |n: u64| if quiet && n.is_multiple_of(QUIET_SHARE) { "quiet" } else { "busy" };
                    let event = |n: u64| json!({"channel": channel(n), "type": "t", "data": 0});
                    let events: Vec<Value> = (first..first + BATCH).map(event).collect();
                    lane.expect(&json!({ "events": events })).await;
                }
            })
        })
        .collect();
    for lane in lanes {
        within(Duration::from_secs(180), "the log to be filled", lane).await.unwrap();
    }
}

/// What one way of reading costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    rows: u64,
    pages: u64,
    bytes: usize,
    events: usize,
}

async fn read_figures(target: &Target) -> (u64, u64) {
    let figures = Figures::read(target.address).await;
    (figures.sum("tidings_log_rows_examined", ""), figures.sum("tidings_log_pages_read", ""))
}

async fn history(target: &Target, query: &str) -> Cost {
    let (rows, pages) = read_figures(target).await;
    let answer = http::ask(target, "GET", &format!("/v1/history?{query}"), None).await.unwrap();
    let after = read_figures(target).await;
    let events = answer.json()["events"].as_array().unwrap().len();
    Cost { rows: after.0 - rows, pages: after.1 - pages, bytes: answer.body.len(), events }
}

async fn stream(target: &Target, since: Cursor, events: usize) -> Cost {
    use tidings_acceptance::subscription::Item;
    let (rows, pages) = read_figures(target).await;
    let mut stream =
        Subscription::open(Transport::Sse, target, &Ask::of(&["quiet"]).since(since)).await.unwrap();
    let mut cost = Cost { rows: 0, pages: 0, bytes: 0, events: 0 };
    let reading = async {
        while cost.events < events {
            match stream.next().await.unwrap() {
                Item::Event { data, .. } => {
                    cost.events += 1;
                    cost.bytes += data.len();
                }
                Item::Control { name, .. } => assert_eq!(name, "$ready"),
                Item::Position(_) | Item::Life => {}
            }
        }
    };
    within(Duration::from_secs(20), "the missed events", reading).await;
    let after = read_figures(target).await;
    Cost { rows: after.0 - rows, pages: after.1 - pages, ..cost }
}

/// The costs of some resumes, each from far behind.
async fn measure(target: &Target, first: Cursor) -> [Cost; 4] {
    let first_ask = format!("after={first}");
    [
        history(target, &format!("channel=quiet&{first_ask}")).await,
        history(target, &format!("channel=busy&{first_ask}&limit=100")).await,
        history(target, &format!("channel=empty&{first_ask}")).await,
        stream(target, first, usize::try_from(FEW / QUIET_SHARE).unwrap()).await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_costs_the_same_at_ten_thousand_and_a_million_events() {
    let server = Server::start(ServerOptions::new().set("log.retention.events_per_channel", "0")).await;
    let target = server.master().await;
    let first = Lane::new(&target).expect(&json!({"channel": "first", "type": "t", "data": 0})).await[0];
    fill(&target, 0, FEW, true).await;
    let few = measure(&target, first).await;
    let began = Instant::now();
    fill(&target, FEW, MANY, false).await;
    let filled = began.elapsed();
    let began = Instant::now();
    let many = measure(&target, first).await;
    let measured = began.elapsed();
    report(format!("resume_cost: filled in {filled:.1?}; at {FEW} stored {few:?}"));
    report(format!("resume_cost: at {MANY} stored {many:?}, all four in {measured:.1?}"));
    assert_eq!(few, many);
    let hits = FEW / QUIET_SHARE;
    assert_eq!(few.map(|cost| cost.events as u64), [hits, 100, 0, hits]);
    assert!(few[0].rows > 0 && few[0].rows <= 2 * hits + 20, "what is looked at is what is given: {few:?}");
    assert!(few[2].rows <= 20, "{few:?}");
}
