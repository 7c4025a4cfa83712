//! The disk fails once or for good: nothing that failed is acknowledged or shown, nothing is written any more, and the
//! next start has everything that was acknowledged, even if the power goes later.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tidings_acceptance::follower::{finish_all, goal};
use tidings_acceptance::http::ask;
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::{Attempt, Load};
use tidings_acceptance::wait::within;
use tidings_acceptance::{
    Ask, Follower, Lane, Outcome, Records, Server, ServerOptions, Target, Transport, report,
};

use crate::disk::{Uncovered, after_cut};
use crate::recording::{self, Entry};
use crate::shim::Shim;
use crate::{ALONE, check_integrity, make};

/// Which call fails, counted from when the disk begins to be bad; `+`: and every one after it.
const FAULTS: [&str; 8] =
    ["sync:1", "sync:2", "sync:5", "sync:1+", "write:1", "write:4", "write:9", "write:3+"];
/// The fault may strike work that nobody waits for, the copying of the log: then it is tried again.
const TRIES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_is_not_written_on_and_nothing_is_said_of_what_failed() {
    let _alone = ALONE.lock().await;
    let mut struck = 0;
    for fault in FAULTS {
        let mut failed = 0;
        for _ in 0..TRIES {
            failed = one_fault(fault).await;
            if failed > 0 {
                break;
            }
        }
        assert!(failed > 0, "{fault} struck no publish in {TRIES} tries");
        struck += failed;
    }
    report(format!("faults: {} kinds struck while {struck} publishes were under way", FAULTS.len()));
}

/// The publishes that were under way when the fault struck.
async fn one_fault(fault: &str) -> usize {
    let (shim, mut server) = Shim::under(ServerOptions::new().set("stream.heartbeat", "500ms"), Some(fault));
    let target = server.master().await;
    server.run().await;
    let (set_goal, goal) = goal();
    let mut followers = Vec::from(
        Transport::ALL.map(|transport| Follower::start(&target, transport, &Ask::of(&["power:*"]), &goal)),
    );
    for follower in &mut followers {
        within(Duration::from_secs(10), "a subscriber to join", follower.opened(1)).await;
    }
    let load = Load::start(&target, 8, 1_000, 1, 600, &make());
    load.has_acked(100, Duration::from_secs(30)).await;
    shim.arm();
    let mut attempts = within(Duration::from_secs(60), "the publishers", load.done()).await;
    let failed = judge_answers(fault, &attempts);
    if failed == 0 {
        return 0;
    }
    check_refusals(&target).await;
    let before = expect_only_acknowledged(&target, &attempts, &followers).await;

    // The process ends, in order or not, and the disk is good again.
    if fault.ends_with('+') {
        server.kill().await
    } else {
        server.stop().await
    }
    server.options = server.options.clone().variable("RECORD_FAIL", "sync:0");
    server.run().await;
    let again = Load::start(&target, 4, 1_000, 10_001, 50, &make());
    attempts.extend(within(Duration::from_secs(60), "publishers after the restart", again.done()).await);
    assert!(
        attempts.iter().rev().take(50).all(|attempt| attempt.outcome.id().is_some()),
        "{fault}: it works again"
    );
    let records = Records::new(attempts, &history(&target, &["*"], None).await);
    set_goal.send_replace(records.head());
    let journals = finish_all(followers, Duration::from_secs(30)).await;
    let verdict = records.judge(&journals, true);
    verdict.expect_clean(&format!("{fault}: {failed} publishes under way, {before} events before"));
    server.kill().await;
    check_integrity(&server.data_dir());
    cut_the_power(fault, &shim, &server, &target, &records).await;
    failed
}

/// From the first failure on every publish is refused; those that failed were under way, or came later.
fn judge_answers(fault: &str, attempts: &[Attempt]) -> usize {
    let failures = || attempts.iter().filter(|attempt| attempt.outcome.is_refused("storage_failed"));
    let Some(first) = failures().map(|attempt| attempt.answered).min() else { return 0 };
    for attempt in attempts {
        let is_fine = match &attempt.outcome {
            Outcome::Acked(_) => attempt.sent <= first,
            Outcome::Refused { status, code } => *status == 503 && code == "storage_failed",
            _ => false,
        };
        assert!(is_fine, "{fault}: {attempt:?}, the first failure having been told at {first:?}");
    }
    failures().filter(|attempt| attempt.sent <= first).count()
}

/// Every way of asking says that nothing can be written, and reading goes on.
async fn check_refusals(target: &Target) {
    let refused = Lane::new(target).publish(&make()(5_000)).await;
    assert_eq!(refused, Outcome::Refused { status: 503, code: "storage_failed".to_owned() });
    let ready = ask(target, "GET", "/readyz", None).await.unwrap();
    assert_eq!((ready.status(), ready.code().as_str()), (503, "storage_failed"));
    assert_eq!(ask(target, "GET", "/healthz", None).await.unwrap().status(), 200);
    let mut socket = tidings_acceptance::ws::Ws::open(target, &Ask::of(&["power:*"])).await.unwrap();
    socket.send(&json!({"op": "publish", "ref": 1, "events": [make()(5_001)]})).await.unwrap();
    let answer =
        within(Duration::from_secs(10), "an answer on the WebSocket", socket.answer()).await.unwrap();
    assert_eq!(answer["error"]["code"], "storage_failed", "{answer}");
}

/// Neither history nor any subscriber has more than what was acknowledged. How many events that is.
async fn expect_only_acknowledged(target: &Target, attempts: &[Attempt], followers: &[Follower]) -> usize {
    let mut acknowledged: Vec<String> =
        attempts.iter().filter_map(|attempt| attempt.outcome.id()).map(|id| id.to_string()).collect();
    acknowledged.sort();
    let shown: Vec<String> = history(target, &["*"], None)
        .await
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shown, acknowledged, "history shows what was acknowledged and nothing else");
    // A session that is opened now comes behind everything that was told to those that are open.
    let last = attempts.iter().filter_map(|attempt| attempt.outcome.id()).max().unwrap();
    for transport in [Transport::Sse, Transport::Ws] {
        let mut late =
            tidings_acceptance::Subscription::open(transport, target, &Ask::of(&["*"]).since(last))
                .await
                .unwrap();
        let ready = within(Duration::from_secs(10), "a late stream", late.next()).await.unwrap();
        let data = format!("{ready:?}");
        assert!(data.contains(&last.to_string()), "the head is the last acknowledged event: {data}");
    }
    for follower in followers {
        let count = follower.seen().numbers().count();
        assert!(
            count <= acknowledged.len(),
            "{count} events were shown, {} acknowledged",
            acknowledged.len()
        );
    }
    acknowledged.len()
}

/// What the failed call was to write was never written, though the process could read it: a disk that has lost it has
/// everything acknowledged all the same.
async fn cut_the_power(fault: &str, shim: &Shim, server: &Server, target: &Target, records: &Records) {
    let entries = recording::read(&shim.log());
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Fault)), "{fault} struck");
    let root = server.scratch().canonicalize().unwrap();
    let disk = after_cut(&entries, entries.len(), &root, Uncovered::Dropped, &mut StdRng::seed_from_u64(0));
    let mut other = Server::prepare(ServerOptions::new());
    disk.restore(&root.join("data"), &other.data_dir());
    other.run().await;
    let left = history(&target.at(other.address()), &["*"], None).await;
    records.with_history(&left).judge(&[], true).expect_clean(&format!("{fault}, and the power goes later"));
    other.kill().await;
    check_integrity(&other.data_dir());
}
