//! What is published is in the log once, in order, whatever happens to answers and to the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tidings_acceptance::poll::history;
use tidings_acceptance::{Server, ServerOptions, casts, report, within};
use tidings_client::publisher::OnError;
use tidings_client::{CastStatus, Publisher, Receipt};

use crate::cutting::CuttingProxy;
use crate::{PATIENCE, draft, publishing};

const TASKS: u64 = 8;
const SINGLE: u64 = 60;
const BATCH: u64 = 250;

/// The number of each event of the log, in its order.
fn numbers(log: &[Value]) -> Vec<u64> {
    log.iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect()
}

/// Single events, then a batch that takes three requests; the receipt of each.
async fn publish(publisher: Publisher, task: u64) -> Vec<(u64, Receipt)> {
    let channel = format!("lost:{task}");
    let first = task * 10_000;
    let mut receipts = Vec::new();
    for n in first..first + SINGLE {
        receipts.push((n, publisher.publish(draft(&channel, n)).await.unwrap()));
    }
    let batch = first + SINGLE..first + SINGLE + BATCH;
    let published = publisher.publish_all(batch.clone().map(|n| draft(&channel, n))).await.unwrap();
    receipts.extend(batch.zip(published));
    receipts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_do_not_double_events() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let proxy = CuttingProxy::start(server.address(), 25).await;
    let publisher = Publisher::new(publishing(&target.at(proxy.address))).unwrap();
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(publish(publisher.clone(), task))).collect();
    let mut receipts = HashMap::new();
    for task in tasks {
        receipts.extend(within(PATIENCE, "every publish", task).await.unwrap());
    }
    let log = history(&target, &["lost:*"], None).await;
    let duplicates = receipts.values().filter(|receipt| receipt.duplicate).count();
    report(format!(
        "client: {} events by {TASKS} tasks; {} answers cut off, {duplicates} events answered as duplicates; {} in the log",
        receipts.len(),
        proxy.cuts(),
        log.len()
    ));
    assert!(proxy.cuts() > 0 && duplicates > 0, "nothing was cut off after its commit");
    assert_eq!((log.len(), receipts.len() as u64), (receipts.len(), TASKS * (SINGLE + BATCH)));
    for event in &log {
        let receipt = receipts[&event["data"]["n"].as_u64().unwrap()];
        assert_eq!(event["id"], receipt.id.to_string());
    }
    for task in 0..TASKS {
        let channel = format!("lost:{task}");
        let mine: Vec<Value> =
            log.iter().filter(|event| event["channel"] == channel.as_str()).cloned().collect();
        assert!(numbers(&mine).is_sorted());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn casts_are_told_once_though_answers_are_lost() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let proxy = CuttingProxy::start(server.address(), 40).await;
    let publisher = Publisher::new(publishing(&target.at(proxy.address))).unwrap();
    let p = &publisher;
    let mut told = 0;
    while told == 0 || proxy.cuts() < 20 {
        let id = format!("client{told}");
        p.publish_cast_status_change(&id, "shop|42", CastStatus::Queued).await.unwrap();
        p.publish_cast_started(&id, "shop|42", SystemTime::UNIX_EPOCH).await.unwrap();
        p.publish_cast_progress(&id, "shop|42", 12.5, Some("an eighth")).await.unwrap();
        p.publish_cast_artifact_ready(&id, "shop|42", "https://files.example/a").await.unwrap();
        p.publish_cast_event(&id, "note", &json!({"by": "hand"}), None).await.unwrap();
        p.publish_cast_update(&id, None).await.unwrap();
        let cast = match told % 2 {
            0 => {
                let took = Duration::from_millis(1_500);
                let at = "2026-11-21T10:00:01.500Z";
                p.publish_cast_completed(&id, "shop|42", at, took, 250, None).await.unwrap()
            }
            _ => p.publish_cast_failed(&id, "shop|42", "out of memory").await.unwrap(),
        };
        assert!(cast.status.is_end() && cast.started_at.as_deref() == Some("1970-01-01T00:00:00.000Z"));
        let log = history(&target, &[&format!("cast:{id}")], None).await;
        let types: Vec<&str> = log.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let end = if told % 2 == 0 { "COMPLETED" } else { "FAILED" };
        let expected =
            ["STATUS_CHANGED", "STARTED", "PROGRESS_UPDATE", "ARTIFACT_READY", "note", "STARTED", end];
        let expected: Vec<&str> =
            expected.iter().enumerate().map(|(at, kind)| if at == 5 { types[5] } else { *kind }).collect();
        assert_eq!(types, expected, "each call is one event");
        assert!(
            ["STATUS_CHANGED", "STARTED"].contains(&types[5]),
            "what is stored is told again: {}",
            types[5]
        );
        let record = casts::read(&target, &id).await;
        assert_eq!(
            (record["version"].as_u64(), record["userId"].as_str()),
            (Some(cast.version), Some("shop|42"))
        );
        told += 1;
    }
    report(format!("client: {told} casts told of, {} answers cut off", proxy.cuts()));
    let late = p.publish_cast_started("client0", "shop|42", SystemTime::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(late.code(), Some("illegal_transition"));
    let current: Value =
        serde_json::from_str(late.refusal().unwrap().current.as_ref().unwrap().get()).unwrap();
    assert_eq!(current["status"], "succeeded");
}

const QUEUED: u64 = 10_000;
const CHANNELS: u64 = 10;
const OUTAGES: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_keeps_its_order_over_outages() {
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let failed = Arc::new(AtomicUsize::new(0));
    let counted = failed.clone();
    let mut options = publishing(&target);
    options.queue.events = 3_000;
    options.on_error = Some(OnError::new(move |draft, error| {
        report(format!("{draft:?}: {error}"));
        counted.fetch_add(1, Ordering::SeqCst);
    }));
    let publisher = Publisher::new(options).unwrap();
    let (mut full, mut waiting) = (0, 0);
    for n in 0..QUEUED {
        while publisher.enqueue(draft(&format!("queue:{}", n % CHANNELS), n)).is_err() {
            full += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if n % (QUEUED / OUTAGES) == QUEUED / OUTAGES / 2 {
            server.kill().await;
            // Dead: what is put now has to wait.
            waiting += publisher.flush(Duration::ZERO).await.map_or_else(|unflushed| unflushed.left, |()| 0);
            server.run().await;
        }
    }
    within(PATIENCE, "the queue to be empty", publisher.flush(PATIENCE)).await.unwrap();
    let log = history(&target, &["queue:*"], None).await;
    report(format!(
        "client: {QUEUED} events through the queue, {OUTAGES} kills with {waiting} events waiting or under way; \
         the queue was full {full} times; {} in the log",
        log.len()
    ));
    assert!(waiting > 0, "no kill struck while something waited");
    assert_eq!(failed.load(Ordering::SeqCst), 0);
    assert_eq!(numbers(&log), (0..QUEUED).collect::<Vec<_>>(), "each once, in the order of the calls");
}

#[tokio::test]
async fn refusals_say_why_and_their_twins_succeed() {
    let server = Server::start(ServerOptions::new()).await;
    let narrow = server.key("narrow", &["publish:mine:*"]).await;
    let publisher = Publisher::new(publishing(&narrow)).unwrap();
    let refused = publisher.publish(draft("yours:1", 1)).await.unwrap_err();
    assert_eq!((refused.code(), refused.refusal().unwrap().status), (Some("forbidden_channel"), 403));
    publisher.publish(draft("mine:1", 1)).await.unwrap();
    let mut options = publishing(&narrow);
    options.api_key = Some("tdk_nobody".to_owned());
    let refused = Publisher::new(options).unwrap().publish(draft("mine:1", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Some("unauthenticated"));
    let ended = publisher.publish(draft("mine:1", 2).terminal()).await.unwrap();
    assert!(!ended.duplicate);
    let late = publisher.publish(draft("mine:1", 3)).await.unwrap_err();
    assert_eq!(late.code(), Some("channel_ended"));
    let keyed = || draft("mine:2", 4).idempotency_key("k");
    let (first, second) =
        (publisher.publish(keyed()).await.unwrap(), publisher.publish(keyed()).await.unwrap());
    assert!(first.id == second.id && second.duplicate);
}
