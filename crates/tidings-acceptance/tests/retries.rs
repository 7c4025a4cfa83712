//! Answers are lost, the server is killed, publishers try again: every idempotency key is one event.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tidings_acceptance::numbered::{key, keyed_draft};
use tidings_acceptance::poll::history;
use tidings_acceptance::proxy::LosingProxy;
use tidings_acceptance::publish::Attempt;
use tidings_acceptance::report::random;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Lane, Outcome, Records, Server, ServerOptions, Target, report};
use tidings_protocol::Cursor;
use tokio::time::{Instant, sleep};

const REQUESTS: usize = 20_000;
const LANES: usize = 32;
const KILLS: usize = 2;
/// Of a hundred answers, so many are lost to a client that has left, and so many to the proxy.
const LEAVES: u32 = 15;
const LOST: u32 = 15;

/// One request as it is sent, every time the same.
#[derive(Clone)]
struct Request {
    numbers: Vec<u64>,
    body: Value,
}

/// Single events; every tenth a batch; every fiftieth ends a channel of its own.
fn requests() -> Vec<Request> {
    let mut next = 1;
    let mut numbers = |count: u64| {
        next += count;
        (next - count..next).collect::<Vec<_>>()
    };
    let request = |index: usize| {
        let channel = format!("retry:{}", index % 50);
        if index.is_multiple_of(50) {
            let numbers = numbers(2);
            let channel = end_channel(numbers[1]);
            let mut last = keyed_draft(&channel, numbers[1], 40);
            last["terminal"] = true.into();
            let body = json!({"events": [keyed_draft(&channel, numbers[0], 40), last]});
            Request { numbers, body }
        } else if index.is_multiple_of(10) {
            let numbers = numbers(4);
            let events: Vec<Value> = numbers.iter().map(|n| keyed_draft(&channel, *n, 40)).collect();
            Request { numbers, body: json!({"events": events}) }
        } else {
            let numbers = numbers(1);
            let body = keyed_draft(&channel, numbers[0], 40);
            Request { numbers, body }
        }
    };
    (0..REQUESTS).map(request).collect()
}

/// The channel that this number ends.
fn end_channel(n: u64) -> String {
    format!("retry:end:{n}")
}

#[derive(Default)]
struct Counts {
    done: AtomicUsize,
    in_flight: AtomicUsize,
    left: AtomicUsize,
    lost: AtomicUsize,
    cut: AtomicUsize,
    duplicates: AtomicUsize,
}

#[derive(Clone)]
struct Shared {
    target: Target,
    losing: Target,
    queue: Arc<Mutex<Vec<Request>>>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    counts: Arc<Counts>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_one_event_however_often_it_is_sent() {
    let mut random = random("retries");
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let proxy = LosingProxy::start(server.address()).await;
    let requests = requests();
    let keys: usize = requests.iter().map(|request| request.numbers.len()).sum();
    let shared = Shared {
        losing: target.at(proxy.address()),
        target: target.clone(),
        queue: Arc::new(Mutex::new(requests.iter().rev().cloned().collect())),
        attempts: Arc::default(),
        counts: Arc::default(),
    };
    let lanes: Vec<_> = (0..LANES)
        .map(|_| tokio::spawn(work(shared.clone(), StdRng::seed_from_u64(random.random()))))
        .collect();
    let mut struck = 0;
    for kill in 1..=KILLS {
        let counts = &shared.counts;
        let part = REQUESTS * kill / (KILLS + 1);
        let far = async || (counts.done.load(Ordering::SeqCst) >= part).then_some(());
        until(Duration::from_secs(120), "publishes before a kill", far).await;
        let flying = async || (counts.in_flight.load(Ordering::SeqCst) > LANES / 2).then_some(());
        until(Duration::from_secs(10), "publishes in flight", flying).await;
        struck += 1;
        server.kill().await;
        server.run().await;
    }
    for lane in lanes {
        within(Duration::from_secs(180), "every publish to be answered", lane).await.unwrap();
    }
    let attempts = std::mem::take(&mut *shared.attempts.lock().unwrap());
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    let counts = &shared.counts;
    report(format!(
        "retries: {REQUESTS} requests with {keys} keys in {} attempts; answers lost: {} clients left, {} by the proxy \
         ({} answered behind it), {} cut by {KILLS} kills ({struck} with something in flight); {} events answered as duplicates",
        attempts.len(),
        count(&counts.left),
        count(&counts.lost),
        proxy.lost(),
        count(&counts.cut),
        count(&counts.duplicates),
    ));
    assert!(count(&counts.left) > REQUESTS / 10 && proxy.lost() > REQUESTS / 10 && struck == KILLS);
    assert!(count(&counts.cut) > 0 && count(&counts.duplicates) > 0);

    let log = history(&target, &["*"], None).await;
    assert_eq!(log.len(), keys, "one event a key");
    let ids: HashMap<u64, Cursor> = log
        .iter()
        .map(|event| (event["data"]["n"].as_u64().unwrap(), event["id"].as_str().unwrap().parse().unwrap()))
        .collect();
    Records::new(attempts, &log).judge(&[], true).expect_clean("retries");
    check_conflicts(&target, &requests, &ids, &mut random).await;
    check_ended(&target, &requests, &ids).await;
    assert_eq!(history(&target, &["*"], None).await.len(), keys + 1, "only the mixed batch has added one");
}

/// Takes requests and sends each until it is answered, and one in twenty once more.
async fn work(shared: Shared, mut random: StdRng) {
    let mut lane = Lane::new(&shared.target);
    loop {
        let Some(request) = shared.queue.lock().unwrap().pop() else { return };
        shared.counts.in_flight.fetch_add(1, Ordering::SeqCst);
        let before = send(&shared, &mut lane, &request, &mut random).await;
        shared.counts.in_flight.fetch_sub(1, Ordering::SeqCst);
        shared.counts.done.fetch_add(1, Ordering::SeqCst);
        if random.random_ratio(1, 20) {
            let again = attempt(&shared, &request, lane.publish(&request.body).await);
            if let Outcome::Acked(receipts) = again {
                let expected: Vec<_> = before.iter().map(|(id, _)| (*id, true)).collect();
                assert_eq!(receipts, expected, "a repetition has the first answer");
            }
        }
    }
}

/// The answer that came in the end.
async fn send(
    shared: &Shared,
    lane: &mut Lane,
    request: &Request,
    random: &mut StdRng,
) -> Vec<(Cursor, bool)> {
    let mut is_sent = false;
    loop {
        let fate = random.random_range(0..100);
        if fate < LEAVES {
            let left = Lane::new(&shared.target).send_and_leave(&request.body).await.is_ok();
            shared.counts.left.fetch_add(usize::from(left), Ordering::SeqCst);
            attempt(shared, request, Outcome::Unknown("the client left".to_owned()));
            is_sent = true;
            continue;
        }
        let lost = fate < LEAVES + LOST;
        let outcome = match lost {
            true => Lane::new(&shared.losing).publish(&request.body).await,
            false => lane.publish(&request.body).await,
        };
        match attempt(shared, request, outcome) {
            Outcome::Acked(receipts) => {
                let duplicates = receipts.iter().filter(|(_, duplicate)| *duplicate).count();
                // All or none: a request is known whole, or not at all.
                assert!(duplicates == 0 || duplicates == receipts.len(), "{receipts:?}");
                assert!(duplicates == 0 || is_sent, "a duplicate of nothing: {:?}", request.numbers);
                shared.counts.duplicates.fetch_add(duplicates, Ordering::SeqCst);
                return receipts;
            }
            Outcome::Unknown(_) => {
                is_sent = true;
                shared.counts.lost.fetch_add(usize::from(lost), Ordering::SeqCst);
                shared.counts.cut.fetch_add(usize::from(!lost), Ordering::SeqCst);
            }
            Outcome::NotSent(_) => sleep(Duration::from_millis(5)).await,
            refused @ Outcome::Refused { .. } => panic!("{:?}: {refused:?}", request.numbers),
        }
    }
}

fn attempt(shared: &Shared, request: &Request, outcome: Outcome) -> Outcome {
    let now = Instant::now();
    let attempt =
        Attempt { numbers: request.numbers.clone(), sent: now, answered: now, outcome: outcome.clone() };
    shared.attempts.lock().unwrap().push(attempt);
    outcome
}

/// The same key with another body is refused, with the same body it is known.
async fn check_conflicts(
    target: &Target,
    requests: &[Request],
    ids: &HashMap<u64, Cursor>,
    random: &mut StdRng,
) {
    let mut lane = Lane::new(target);
    for _ in 0..200 {
        let request = &requests[random.random_range(0..requests.len())];
        let known = lane.publish(&request.body).await;
        let expected = request.numbers.iter().map(|n| (ids[n], true)).collect();
        assert_eq!(known, Outcome::Acked(expected));
        let n = request.numbers[0];
        let mut event = request.body["events"].get(0).unwrap_or(&request.body).clone();
        event["data"] = json!({"n": n, "pad": "something else"});
        let refused = lane.publish(&event).await;
        assert_eq!(
            refused,
            Outcome::Refused { status: 409, code: "idempotency_conflict".to_owned() },
            "{}",
            key(n)
        );
    }
    // What is known and what is new in one batch.
    let known = requests[1].body.clone();
    let new = keyed_draft("retry:mixed", 9_000_000, 40);
    let mixed = lane.publish(&json!({"events": [known, new]})).await;
    let Outcome::Acked(receipts) = mixed else { panic!("a mixed batch: {mixed:?}") };
    assert_eq!(receipts[0], (ids[&requests[1].numbers[0]], true));
    assert!(!receipts[1].1 && receipts[1].0 > *ids.values().max().unwrap());
}

/// Channels that have ended take nothing new, and answer for what they have taken.
async fn check_ended(target: &Target, requests: &[Request], ids: &HashMap<u64, Cursor>) {
    let mut lane = Lane::new(target);
    let ended = requests.iter().filter(|request| request.body.to_string().contains("\"terminal\":true"));
    let mut count = 0;
    for request in ended {
        count += 1;
        let last = request.numbers[1];
        let late = lane.publish(&keyed_draft(&end_channel(last), 8_000_000 + last, 40)).await;
        assert_eq!(late, Outcome::Refused { status: 409, code: "channel_ended".to_owned() });
        let again = lane.publish(&request.body).await;
        assert_eq!(again, Outcome::Acked(request.numbers.iter().map(|n| (ids[n], true)).collect()));
    }
    report(format!("retries: {count} ended channels take nothing new and know what they have"));
    assert_eq!(count, REQUESTS.div_ceil(50));
}
