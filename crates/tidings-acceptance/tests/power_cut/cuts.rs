//! The power goes at a hundred moments.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tidings_acceptance::follower::{finish_all, goal};
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::{Attempt, Load};
use tidings_acceptance::report::random;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Ask, Follower, Lane, Records, Server, ServerOptions, Target, Transport, report};

use crate::disk::{Disk, Uncovered, after_cut};
use crate::recording::{self, Entry};
use crate::shim::Shim;
use crate::{ALONE, check_integrity, make, order, receipts};

const CUTS: usize = 100;
const EVENTS: u64 = 1_500;

/// A recorded run: two lives of a server under publishers and subscribers, the first ended in order, the second killed.
struct Run {
    server: Server,
    target: Target,
    entries: Vec<Entry>,
    /// The number behind each id.
    numbers: HashMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_a_power_cut() {
    let _alone = ALONE.lock().await;
    let run = record().await;
    compare_with_the_files(&run);

    let found = order::check(&run.entries, &run.numbers);
    report(format!(
        "power_cut: {} entries; {} acknowledgements and {} showings, each after a finished sync that covers it",
        run.entries.len(),
        found.acknowledged,
        found.shown
    ));
    assert!(found.acknowledged as u64 >= EVENTS && found.shown as u64 >= EVENTS);

    let acknowledged = acknowledged(&run.entries);
    let serving = run.entries.iter().rposition(|entry| matches!(entry, Entry::Start)).unwrap();
    let first_life = acknowledged.first().unwrap().0;
    assert!(first_life < serving, "both lives have publishes");
    let mut random = random("power_cut");
    let (mut open, mut uncovered) = (0, 0);
    for _ in 0..CUTS {
        let cut = random.random_range(first_life..run.entries.len());
        for fate in Uncovered::ALL {
            let root = run.server.scratch().canonicalize().unwrap();
            let disk = after_cut(&run.entries, cut, &root, fate, &mut random);
            open += usize::from(disk.uncovered > 0);
            uncovered += disk.uncovered;
            let known = acknowledged.iter().take_while(|(place, _)| *place < cut).map(|(_, id)| id.as_str());
            let known: Vec<&str> = known.collect();
            let after = known[random.random_range(0..known.len())];
            start_on(&run, &disk, &known, after, &format!("cut at {cut}, uncovered {fate:?}")).await;
        }
    }
    report(format!(
        "power_cut: {CUTS} cuts x {} fates, {open} with something not yet synced ({uncovered} changes); \
         0 acknowledged missing, 0 holes, integrity ok",
        Uncovered::ALL.len()
    ));
    assert!(open > 0, "no cut struck anything");
}

async fn record() -> Run {
    let (shim, mut server) = Shim::under(ServerOptions::new().set("stream.heartbeat", "500ms"), None);
    let target = server.master().await;
    server.run().await;
    let (set_goal, goal) = goal();
    let followers =
        Transport::ALL.map(|transport| Follower::start(&target, transport, &Ask::of(&["power:*"]), &goal));
    let mut followers = Vec::from(followers);
    for follower in &mut followers {
        within(Duration::from_secs(10), "a subscriber to join", follower.opened(1)).await;
    }
    let mut attempts = publish(&target, 1).await;
    server.stop().await;
    server.run().await;
    attempts.extend(publish(&target, 1 + EVENTS / 2).await);
    let numbers = attempts
        .iter()
        .map(|attempt| {
            (attempt.outcome.id().expect("an acknowledged publish").to_string(), attempt.numbers[0])
        })
        .collect();
    let records = Records::new(attempts, &history(&target, &["*"], None).await);
    set_goal.send_replace(records.head());
    let journals = finish_all(followers, Duration::from_secs(30)).await;
    records.judge(&journals, true).expect_clean("power_cut, before the cuts");
    server.kill().await;
    let entries = recording::read(&shim.log());
    Run { server, target, entries, numbers }
}

async fn publish(target: &Target, first: u64) -> Vec<Attempt> {
    let load = Load::start(target, 8, 600, first, EVENTS / 2, &make());
    within(Duration::from_secs(60), "the publishers", load.done()).await
}

/// The recorder has seen everything: what it saw makes the very files that are there.
fn compare_with_the_files(run: &Run) {
    let root = run.server.scratch().canonicalize().unwrap();
    let disk =
        after_cut(&run.entries, run.entries.len(), &root, Uncovered::Kept, &mut StdRng::seed_from_u64(0));
    for name in ["tidings.db", "tidings.db-wal"] {
        let path = root.join("data").join(name);
        let found = std::fs::read(&path).unwrap();
        assert!(
            disk.files.get(&path).is_some_and(|played| *played == found),
            "{name} differs from what was recorded"
        );
    }
}

/// Where in the record each id was acknowledged.
fn acknowledged(entries: &[Entry]) -> Vec<(usize, String)> {
    let sends = entries.iter().enumerate().filter_map(|(place, entry)| match entry {
        Entry::Send { bytes } => Some((place, receipts(bytes))),
        _ => None,
    });
    sends.flat_map(|(place, ids)| ids.into_iter().map(move |id| (place, id))).collect()
}

/// A server on what the disk holds has everything that was acknowledged, no hole, and goes on.
async fn start_on(run: &Run, disk: &Disk, known: &[&str], after: &str, what: &str) {
    let mut server = Server::prepare(ServerOptions::new());
    let root = run.server.scratch().canonicalize().unwrap();
    disk.restore(&root.join("data"), &server.data_dir());
    server.run().await;
    let target = run.target.at(server.address());
    let answer =
        tidings_acceptance::http::ask(&target, "GET", "/v1/history?channel=*&limit=1", None).await.unwrap();
    assert_eq!(answer.status(), 200, "{what}: the key is gone: {}", answer.json());
    let events = history(&target, &["*"], None).await;
    check_events(run, &events, known, what);
    // Who had been told of one goes on behind it.
    let rest = history(&target, &["*"], Some(after)).await;
    let place = events.iter().position(|event| event["id"] == after).unwrap();
    assert_eq!(rest, events[place + 1..], "{what}: what follows {after}");
    let next = Lane::new(&target).expect(&make()(1 << 40)).await;
    assert_eq!(next[0].seq.0, events.len() as u64 + 1, "{what}: the next number");
    server.kill().await;
    check_integrity(&server.data_dir());
}

fn check_events(run: &Run, events: &[Value], known: &[&str], what: &str) {
    let mut found = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let id: tidings_protocol::Cursor = event["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.seq.0, index as u64 + 1, "{what}: a hole before {id}");
        let n = event["data"]["n"].as_u64().unwrap();
        // Every id of the run was acknowledged in the end, so each number has to stand under its own.
        assert_eq!(run.numbers.get(&id.to_string()), Some(&n), "{what}: {n} stands as {id}");
        found.insert(id.to_string(), n);
    }
    let missing: Vec<_> = known.iter().filter(|id| !found.contains_key(**id)).collect();
    assert!(missing.is_empty(), "{what}: {} acknowledged events are gone: {missing:?}", missing.len());
}
