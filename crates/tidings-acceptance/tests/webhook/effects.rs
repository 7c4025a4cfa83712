//! What deliveries that say something change: exactly that.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::report;
use tokio::time::Instant;

use crate::hub::{DISPATCHED, Hub, REQUESTED, Run, SUCCESS, completed, in_progress, signed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn githubs_own_payloads_move_their_casts() {
    let hub = Hub::make().await;
    hub.create("of_289782451", &json!({"workflowRunId": 289_782_451_u64})).await;
    hub.create("of_1589141559", &json!({"workflowRunId": "1589141559"})).await;
    hub.create("untouched", &json!({"workflowRunId": 1})).await;
    let before = hub.state(&hub.north, "untouched").await;
    hub.deliver(&hub.delivery(REQUESTED)).await;
    assert_eq!(hub.state(&hub.north, "of_289782451").await.cast["status"], "queued");
    let reply = hub.deliver(&hub.delivery(SUCCESS)).await;
    let cast = hub.state(&hub.north, "of_289782451").await.cast;
    assert_eq!(
        (&cast["status"], &cast["errorMessage"]),
        (&json!("succeeded"), &Value::Null),
        "{}",
        reply.told()
    );
    hub.deliver(&hub.delivery(DISPATCHED)).await;
    let cast = hub.state(&hub.north, "of_1589141559").await.cast;
    assert_eq!(cast["status"], "failed", "a run that ended without a conclusion: {cast}");
    assert!(cast["errorMessage"].as_str().is_some_and(|message| !message.is_empty()), "{cast}");
    assert_eq!(hub.state(&hub.north, "untouched").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_conclusion_ends_the_cast_as_it_says() {
    let hub = Hub::make().await;
    let mut conclusions = vec![(json!("success"), "succeeded"), (json!("cancelled"), "cancelled")];
    for other in [
        json!("failure"),
        json!("timed_out"),
        json!("action_required"),
        json!("neutral"),
        json!("skipped"),
        json!("stale"),
        json!("startup_failure"),
        json!("something_new"),
        json!("SUCCESS"),
        json!("success "),
        json!(""),
        json!("<b>success</b>"),
        json!("x".repeat(10_000)),
        Value::Null,
    ] {
        conclusions.push((other, "failed"));
    }
    for (conclusion, expected) in &conclusions {
        let run = hub.bound().await;
        hub.deliver(&hub.delivery(in_progress(&run))).await;
        let before = hub.state(&hub.north, &run.cast).await;
        hub.deliver(&hub.delivery(completed(&run, conclusion, 1))).await;
        let after = hub.state(&hub.north, &run.cast).await;
        assert_eq!(after.cast["status"], *expected, "{conclusion}");
        let message = after.cast["errorMessage"].as_str();
        assert_eq!(message.is_some(), *expected == "failed", "{conclusion}: {}", after.cast);
        let word = conclusion
            .as_str()
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        if let (Some(message), Some(word)) = (message, word.filter(|word| (1..=40).contains(&word.len()))) {
            assert!(message.contains(word), "{conclusion}: {message}");
        }
        assert!(message.is_none_or(|message| message.len() < 1_000 && !message.contains('<')), "{message:?}");
        let kind = match *expected {
            "succeeded" => "COMPLETED",
            "failed" => "FAILED",
            _ => "STATUS_CHANGED",
        };
        let told = &after.events[before.events.len()..];
        assert_eq!(told.len(), 1, "{conclusion}: {told:?}");
        assert_eq!((&told[0]["type"], &told[0]["terminal"]), (&json!(kind), &json!(true)), "{conclusion}");
    }
    report(format!("webhook: {} conclusions, each with its end", conclusions.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_audited_and_fast() {
    const TIMES: usize = 200;
    let hub = Hub::make().await;
    let mut took = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..TIMES {
        let (run, id) = (hub.bound().await, hub.id());
        let call = signed(&hub.north.secret, &id, in_progress(&run));
        let began = Instant::now();
        let reply = hub.deliver(&call).await;
        took.push(began.elapsed());
        assert_eq!(reply.json()["changed"], json!([run.cast]), "{}", reply.told());
        ids.push(id);
    }
    // Unknown ones are audited, too.
    let unknown = hub.id();
    hub.deliver(&signed(&hub.north.secret, &unknown, in_progress(&Run { cast: String::new(), id: 1 }))).await;
    ids.push(unknown);
    let audited = async || {
        let command =
            ["audit", "--tenant", "north", "--action", "webhook.github_delivered", "--limit", "1000"];
        hub.server.json(&command).await["rows"].as_array().unwrap().clone()
    };
    tidings_acceptance::wait::until(Duration::from_secs(5), "the rows", async || {
        let rows = audited().await;
        ids.iter().all(|id| rows.iter().any(|row| row["resourceId"] == id.as_str())).then_some(())
    })
    .await;
    took.sort();
    report(format!(
        "webhook: {TIMES} deliveries answered in {:.1?} (median), {:.1?} (p99), {:.1?} (longest); all audited",
        took[TIMES / 2],
        took[TIMES * 99 / 100],
        took[TIMES - 1]
    ));
}
