//! Deliveries that come again, late, out of order, or of a later attempt.

use serde_json::{Value, json};
use tidings_acceptance::{Call, report};

use crate::hub::{Hub, Run, completed, in_progress, payload, signed};

/// From a run to the body of a delivery.
type Body = fn(&Run) -> String;

fn requested(run: &Run) -> String {
    payload(run, "requested", &json!({"status": "queued"})).to_string()
}

fn attempt(run: &Run, attempt: u64) -> String {
    payload(run, "in_progress", &json!({"run_attempt": attempt})).to_string()
}

/// The delivery is answered 202 and changes nothing.
async fn is_harmless(hub: &Hub, name: &str, run: &Run, call: &Call) {
    let before = hub.state(&hub.north, &run.cast).await;
    hub.deliver(call).await;
    assert_eq!(hub.state(&hub.north, &run.cast).await, before, "{name}");
}

async fn status(hub: &Hub, run: &Run) -> Value {
    hub.state(&hub.north, &run.cast).await.cast["status"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_are_answered_and_change_nothing() {
    let hub = Hub::make().await;
    let run = hub.bound().await;
    let mut repeats = 0;
    for (body, expected) in
        [(in_progress(&run), "running"), (completed(&run, &json!("success"), 1), "succeeded")]
    {
        let (id, secret) = (hub.id(), &hub.north.secret);
        let first = signed(secret, &id, &body);
        hub.deliver(&first).await;
        assert_eq!(status(&hub, &run).await, expected);
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&body).unwrap()).unwrap();
        for (name, call) in [
            ("the same", first.clone()),
            ("the same under a new id", hub.delivery(&body)),
            ("the same, written anew, under a new id", hub.delivery(&pretty)),
            ("the same, written anew, under its id", signed(secret, &id, &pretty)),
            ("with white space, under a new id", hub.delivery(format!("  {body}\n"))),
            ("another body under its id", signed(secret, &id, completed(&run, &json!("failure"), 1))),
            ("its id in capitals", signed(secret, &id.to_uppercase(), &body)),
        ] {
            is_harmless(&hub, name, &run, &call).await;
            is_harmless(&hub, name, &run, &call).await;
            repeats += 2;
        }
    }
    // What was told by a delivery that was left out comes under an id of its own.
    let run = hub.bound().await;
    let id = hub.id();
    hub.deliver(&signed(&hub.north.secret, &id, in_progress(&run))).await;
    let ended = completed(&run, &json!("failure"), 1);
    is_harmless(&hub, "another body under its id", &run, &signed(&hub.north.secret, &id, &ended)).await;
    hub.deliver(&hub.delivery(&ended)).await;
    assert_eq!(status(&hub, &run).await, "failed", "the twin");
    report(format!("webhook: {repeats} repeats answered 202 without effect"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_late_out_of_order_or_of_a_later_attempt_changes_nothing() {
    let hub = Hub::make().await;
    let late: [(&str, Body); 9] = [
        ("requested, late", requested),
        ("in progress, late", in_progress),
        ("attempt 2 is requested", |run| payload(run, "requested", &json!({"run_attempt": 2})).to_string()),
        ("attempt 2 has begun", |run| attempt(run, 2)),
        ("attempt 2 has failed", |run| completed(run, &json!("failure"), 2)),
        ("attempt 2 was cancelled", |run| completed(run, &json!("cancelled"), 2)),
        ("attempt 2 has ended well", |run| completed(run, &json!("success"), 2)),
        ("attempt 1 has failed, late", |run| completed(run, &json!("failure"), 1)),
        ("attempt 0", |run| completed(run, &json!("failure"), 0)),
    ];
    let mut count = 0;
    for (conclusion, expected) in
        [("success", "succeeded"), ("failure", "failed"), ("cancelled", "cancelled")]
    {
        // Also where the first to come is of attempt 2.
        for first in [1, 2] {
            let run = hub.bound().await;
            hub.deliver(&hub.delivery(attempt(&run, first))).await;
            is_harmless(&hub, "requested after in progress", &run, &hub.delivery(requested(&run))).await;
            is_harmless(&hub, "attempt 2 while it runs", &run, &hub.delivery(attempt(&run, 3 - first))).await;
            hub.deliver(&hub.delivery(completed(&run, &json!(conclusion), first))).await;
            assert_eq!(status(&hub, &run).await, expected, "the twin");
            for (name, body) in late {
                is_harmless(&hub, name, &run, &hub.delivery(body(&run))).await;
            }
            count += late.len() + 2;
        }
    }
    // A cast that has ended by other means is not touched by its run.
    for (status, body) in
        [("succeeded", in_progress as Body), ("cancelled", in_progress), ("failed", requested)]
    {
        let run = hub.bound().await;
        let end = Call::new("PATCH", format!("/api/casts/{}", run.cast)).json(&json!({"status": status}));
        assert!(end.by(&hub.north.key).make(hub.server.address()).await.is_good());
        is_harmless(&hub, "ended by other means", &run, &hub.delivery(body(&run))).await;
        for conclusion in ["success", "failure", "cancelled"] {
            let body = completed(&run, &json!(conclusion), 1);
            is_harmless(&hub, "ended by other means", &run, &hub.delivery(body)).await;
        }
        count += 4;
    }
    report(format!(
        "webhook: {count} deliveries that were late or of other attempts, answered 202 without effect"
    ));
}
