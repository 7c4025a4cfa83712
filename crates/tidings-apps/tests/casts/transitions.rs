//! Every status against everything that can be told of a cast.

use serde_json::{Value, json};
use tidings_apps::casts::Status::{self, Cancelled, Failed, Queued, Running, Succeeded};
use tidings_protocol::ErrorCode;

use crate::kit::{cast, data, decide, patch, service, told, types};

/// What a step comes to.
enum Comes {
    /// To this status, told by these types, as version 4.
    To(Status, &'static [&'static str]),
    /// To nothing new, but told again, as version 3.
    Again(&'static [&'static str]),
    /// To a refusal.
    Illegal,
}

use Comes::{Again, Illegal, To};

/// What is told, and what it comes to while `queued` and while `running`. After the end everything is refused.
fn table() -> Vec<(&'static str, Value, Comes, Comes)> {
    let changed = "STATUS_CHANGED";
    let is = |status: &str| json!({"status": status});
    vec![
        (changed, is("queued"), Again(&["STATUS_CHANGED"]), Illegal),
        (changed, is("running"), To(Running, &["STATUS_CHANGED"]), Again(&["STATUS_CHANGED"])),
        (changed, is("succeeded"), To(Succeeded, &["COMPLETED"]), To(Succeeded, &["COMPLETED"])),
        (changed, is("failed"), To(Failed, &["FAILED"]), To(Failed, &["FAILED"])),
        (changed, is("cancelled"), To(Cancelled, &["STATUS_CHANGED"]), To(Cancelled, &["STATUS_CHANGED"])),
        (changed, json!(null), Again(&["STATUS_CHANGED"]), Again(&["STATUS_CHANGED"])),
        ("STARTED", json!({}), To(Running, &["STARTED"]), Again(&["STARTED"])),
        ("COMPLETED", json!({}), To(Succeeded, &["COMPLETED"]), To(Succeeded, &["COMPLETED"])),
        ("FAILED", json!({}), To(Failed, &["FAILED"]), To(Failed, &["FAILED"])),
        (
            "PROGRESS_UPDATE",
            json!({"progress": 5}),
            To(Queued, &["PROGRESS_UPDATE"]),
            To(Running, &["PROGRESS_UPDATE"]),
        ),
        (
            "ARTIFACT_READY",
            json!({"artifactUrl": "https://x.example/a"}),
            To(Queued, &["ARTIFACT_READY"]),
            To(Running, &["ARTIFACT_READY"]),
        ),
        ("my.type", json!([1]), Again(&["my.type"]), Again(&["my.type"])),
    ]
}

fn check(from: Status, kind: &str, body: &Value, comes: &Comes) {
    let stored = cast(from);
    let outcome = decide(Some(&stored), &told(kind, body), &service());
    let what = format!("{from}: {kind} {body}");
    let (to, version, events) = match comes {
        To(to, events) => (*to, 4, *events),
        Again(events) => (from, 3, *events),
        Illegal => {
            let problem = outcome.unwrap_err();
            assert_eq!(problem.code, ErrorCode::IllegalTransition, "{what}");
            assert_eq!(problem.detail.contains("nothing follows its end"), from.is_terminal(), "{what}");
            assert_eq!(problem.current.unwrap().get(), stored.to_raw().get(), "{what}");
            return;
        }
    };
    let decided = outcome.unwrap();
    assert_eq!((decided.cast.status, decided.cast.version), (to, version), "{what}");
    assert_eq!(types(&decided), events, "{what}");
    assert_eq!(decided.changes.records.len(), usize::from(version == 4), "{what}");
    assert_eq!(decided.changes.audit.len(), usize::from(from != to), "{what}");
    let ends: Vec<bool> = decided.changes.events.iter().map(|event| event.terminal).collect();
    assert_eq!(ends, [to.is_terminal()], "{what}");
    assert!(decided.changes.events.iter().all(|event| event.version == Some(version)), "{what}");
}

#[test]
fn every_status_meets_every_event() {
    for (kind, body, queued, running) in table() {
        check(Queued, kind, &body, &queued);
        check(Running, kind, &body, &running);
        for ended in [Succeeded, Failed, Cancelled] {
            check(ended, kind, &body, &Illegal);
        }
    }
}

#[test]
fn patches_go_by_the_same_table() {
    for (from, allowed) in [(Queued, &Status::ALL[..]), (Running, &Status::ALL[1..])] {
        for to in Status::ALL {
            let outcome = decide(Some(&cast(from)), &patch(&json!({"status": to.name()})), &service());
            assert_eq!(outcome.is_ok(), allowed.contains(&to), "{from} to {to}");
        }
    }
}

#[test]
fn running_has_a_beginning_and_an_end_has_a_duration() {
    let queued = cast(Queued);
    let running = decide(Some(&queued), &told("STARTED", &json!({})), &service()).unwrap().cast;
    assert_eq!(running.started_at, Some(crate::kit::NOW));
    let given = json!({"startedAt": "2026-11-21T08:59:00Z"});
    let running = decide(Some(&queued), &told("STARTED", &given), &service()).unwrap().cast;
    let ended = decide(Some(&running), &told("COMPLETED", &json!({})), &service()).unwrap();
    assert_eq!((ended.cast.duration, ended.cast.finished_at), (Some(60_000), Some(crate::kit::NOW)));
    let told_so = told("COMPLETED", &json!({"duration": 180_000, "costCents": 250}));
    let ended = decide(Some(&running), &told_so, &service()).unwrap();
    assert_eq!((ended.cast.duration, ended.cast.cost_cents), (Some(180_000), Some(250)));
    let ended = decide(Some(&queued), &told("FAILED", &json!({"errorMessage": "no"})), &service()).unwrap();
    assert_eq!((ended.cast.duration, ended.cast.started_at), (None, None));
    assert_eq!(data(&ended.changes.events[0])["terminal"], true);
}

#[test]
fn one_patch_is_one_version_and_its_end_is_told_last() {
    let all = json!({
        "status": "failed", "progress": 80, "message": "m", "artifactUrl": "https://x.example/a",
        "errorMessage": "no", "costCents": 3,
    });
    let decided = decide(Some(&cast(Running)), &patch(&all), &service()).unwrap();
    assert_eq!(types(&decided), ["PROGRESS_UPDATE", "ARTIFACT_READY", "FAILED"]);
    assert_eq!((decided.cast.version, decided.changes.records.len()), (4, 1));
    let decided =
        decide(Some(&cast(Queued)), &patch(&json!({"status": "running", "progress": 0})), &service());
    assert_eq!(types(&decided.unwrap()), ["STATUS_CHANGED", "PROGRESS_UPDATE"]);
    let decided = decide(Some(&cast(Queued)), &patch(&json!({"repository": "a/b"})), &service()).unwrap();
    assert_eq!((types(&decided), decided.cast.version), (vec!["STATUS_CHANGED"], 4));
    let success = json!({"status": "succeeded", "artifactUrl": "https://x.example/a"});
    let decided = decide(Some(&cast(Running)), &patch(&success), &service()).unwrap();
    assert_eq!(types(&decided), ["COMPLETED"], "which has the artifact itself");
}

#[test]
fn a_message_stays_until_the_next_and_is_told_with_every_progress() {
    let first = told("PROGRESS_UPDATE", &json!({"progress": 5, "message": "Processing..."}));
    let first = decide(Some(&cast(Running)), &first, &service()).unwrap().cast;
    let second = decide(Some(&first), &told("PROGRESS_UPDATE", &json!({"progress": 6})), &service()).unwrap();
    assert_eq!(data(&second.changes.events[0])["message"], "Processing...");
    assert_eq!(second.changes.events[0].key.as_deref(), Some("progress"));
}

#[test]
fn a_change_of_status_is_audited_with_both_ends() {
    let decided = decide(Some(&cast(Queued)), &told("STARTED", &json!({})), &service()).unwrap();
    let row = &decided.changes.audit[0];
    assert_eq!((row.action.as_str(), row.resource_id.as_deref()), ("cast.status_changed", Some("cast_1")));
    let metadata: Value = serde_json::from_str(&row.metadata).unwrap();
    assert_eq!(metadata, json!({"from": "queued", "to": "running", "version": 4, "by": "service_key"}));
}
