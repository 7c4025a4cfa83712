//! Killed between answers: what was answered is there, with its event, once; record and event are one (G6).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::casts::{mention, read};
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::poll::history;
use tidings_acceptance::{Target, report, within};
use tokio::time::sleep;

use crate::{PATIENCE, World};

const KILLS: usize = 20;
const LANES: usize = 6;
/// How long the server runs between two kills.
const RUN: Duration = Duration::from_millis(150);

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    in_flight: AtomicUsize,
}

/// What one lane knows of its changes.
#[derive(Default)]
struct Sent {
    answered: Vec<u64>,
    unknown: Vec<u64>,
}

/// Changes one cast, one change after the other, none repeated: half of the lanes as a helper, half by PATCH.
async fn lane(helper: Target, lane: usize, shared: Arc<Shared>) -> Sent {
    let (mut sent, mut connection) = (Sent::default(), None);
    for n in 0.. {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let fields = json!({"message": n.to_string(), "progress": n % 100});
        let (method, path, body) = if lane.is_multiple_of(2) {
            let body = json!({"type": "PROGRESS_UPDATE", "data": fields, "idempotencyKey": n.to_string()});
            ("POST", format!("/api/casts/c{lane}/events"), body)
        } else {
            ("PATCH", format!("/api/casts/c{lane}"), fields)
        };
        let mut open = match connection.take() {
            Some(open) => open,
            None => loop {
                match Connection::open(helper.address).await {
                    Ok(open) => break open,
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            },
        };
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        let answer = open.exchange(&request(&helper, method, &path, "", Some(&body.to_string()))).await;
        shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        match answer {
            Ok(answer) if answer.status() == 200 => {
                sent.answered.push(n);
                connection = Some(open);
            }
            Ok(answer) => panic!("{method} {path}: {} {}", answer.status(), answer.json()),
            Err(_) => sent.unknown.push(n),
        }
    }
    sent
}

fn number(event: &Value) -> u64 {
    event["data"]["message"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_the_kill_with_its_event() {
    let mut world = World::make().await;
    for lane in 0..LANES {
        mention(&world.helper, &format!("c{lane}"), &world.ann_user.id).await;
    }
    let shared = Arc::new(Shared::default());
    let lanes: Vec<_> =
        (0..LANES).map(|n| tokio::spawn(lane(world.helper.clone(), n, shared.clone()))).collect();
    let mut struck = 0;
    for _ in 0..KILLS {
        sleep(RUN).await;
        let in_flight = shared.in_flight.load(Ordering::SeqCst);
        world.server.kill().await;
        struck += usize::from(in_flight > 0);
        world.server.run().await;
    }
    sleep(RUN).await;
    shared.stop.store(true, Ordering::SeqCst);
    let (mut answered, mut unknown, mut kept) = (0, 0, 0);
    for (index, lane) in lanes.into_iter().enumerate() {
        let sent = within(PATIENCE, "a lane", lane).await.unwrap();
        let id = format!("c{index}");
        let events = history(&world.helper, &[&format!("cast:{id}")], None).await;
        let changes = &events[1..];
        let mut seen: HashMap<u64, usize> = HashMap::new();
        changes.iter().for_each(|event| *seen.entry(number(event)).or_default() += 1);
        let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{id}: {twice:?}");
        let lost: Vec<_> = sent.answered.iter().filter(|n| !seen.contains_key(n)).collect();
        assert!(lost.is_empty(), "{id}: answered, and not there: {lost:?}");
        kept += sent.unknown.iter().filter(|n| seen.contains_key(n)).count();
        assert!(changes.iter().map(number).is_sorted(), "{id}: in the order in which they were asked for");
        // The record is what its last event says, and has a version for each change.
        let record = read(&world.helper, &id).await;
        assert_eq!(record["message"], changes.last().unwrap()["data"]["message"]);
        let versions: Vec<u64> = events.iter().map(|event| event["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, (1..=events.len() as u64).collect::<Vec<_>>());
        assert_eq!(record["version"], events.len());
        answered += sent.answered.len();
        unknown += sent.unknown.len();
    }
    report(format!(
        "casts: {KILLS} kills, {struck} with requests in flight; {answered} answered, {unknown} not, of which {kept} had \
         been stored"
    ));
    assert!(struck > 0 && answered > KILLS * LANES);
}
