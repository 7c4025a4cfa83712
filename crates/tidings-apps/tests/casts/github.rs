//! What GitHub's own payloads, and others derived from them, mean for casts.

use serde_json::{Value, json};
use tidings_apps::author::{Author, Standing};
use tidings_apps::casts::cast::run_tag;
use tidings_apps::casts::fields::{Repository, RunId};
use tidings_apps::casts::github::{Conclusion, Phase, RunUpdate};
use tidings_apps::casts::run::{RunDecided, decide_run};
use tidings_apps::casts::{Cast, CastId, Status};
use tidings_core::port::store::{Record, RecordWrite};
use tidings_protocol::time::Timestamp;

use crate::kit::{NOW, author, cast, cursor, data, record};

const DISPATCHED: &str = include_str!("../github/completed-workflow-dispatch.json");
const SUCCESS: &str = include_str!("../github/completed-success.json");
const REQUESTED: &str = include_str!("../github/requested.json");

fn webhook() -> Author {
    author(Standing::Webhook)
}

fn payload() -> Value {
    serde_json::from_str(SUCCESS).unwrap()
}

fn parse(payload: &Value) -> RunUpdate {
    RunUpdate::parse("workflow_run", payload.to_string().as_bytes()).unwrap().unwrap()
}

/// GitHub's payload with another action, conclusion and title.
fn update(action: &str, conclusion: Value, title: &str) -> RunUpdate {
    let mut payload = payload();
    payload["action"] = action.into();
    payload["workflow_run"]["conclusion"] = conclusion;
    payload["workflow_run"]["display_title"] = title.into();
    payload["workflow_run"]["updated_at"] = "2020-10-05T16:36:49Z".into();
    parse(&payload)
}

fn bound(status: Status) -> Cast {
    Cast { workflow_run_id: RunId::new("289782451"), ..cast(status) }
}

fn decide(casts: &[Cast], update: &RunUpdate) -> RunDecided {
    let records: Vec<Option<Record>> = casts.iter().map(|cast| Some(record(cast))).collect();
    decide_run(&records, update, &webhook(), NOW).unwrap()
}

fn after(decided: &RunDecided) -> Cast {
    let [RecordWrite::Put { key, body, .. }] = &decided.changes.records[..] else { panic!("one put") };
    let record = Record { key: key.clone(), version: 4, body: body.clone(), at: cursor(1), place: 1 };
    Cast::from_record(&record).unwrap()
}

#[test]
fn githubs_own_payloads_are_read() {
    let read = |text: &str| RunUpdate::parse("workflow_run", text.as_bytes()).unwrap().unwrap();
    let success = read(SUCCESS);
    assert_eq!(success.phase, Phase::Completed(Conclusion::Success));
    assert_eq!((success.run.as_str(), success.attempt), ("289782451", 1));
    assert_eq!(run_tag(&success.run), "run:289782451");
    assert_eq!(success.repository, Repository::new("octo-org/octo-repo"));
    assert_eq!(success.page.as_deref(), Some("https://github.com/octo-org/octo-repo/actions/runs/289782451"));
    assert_eq!(success.started_at, Some(Timestamp(1_601_915_629_000)));
    assert_eq!(success.started_at, success.updated_at);
    assert!(success.may_match_by_title());
    assert!(success.candidates.contains(&CastId::new("8c91899").unwrap()));
    let requested = read(REQUESTED);
    assert_eq!((requested.phase, requested.run), (Phase::Requested, success.run));
    let dispatched = read(DISPATCHED);
    assert_eq!(dispatched.phase, Phase::Completed(Conclusion::Other(None)));
    assert!(dispatched.may_match_by_title() && dispatched.candidates.is_empty());
}

#[test]
fn a_run_starts_and_ends_its_cast() {
    let started = decide(&[bound(Status::Queued)], &update("in_progress", Value::Null, ""));
    let running = after(&started);
    assert_eq!((running.status, running.started_at), (Status::Running, Some(Timestamp(1_601_915_629_000))));
    assert_eq!(started.changes.events[0].kind.as_str(), "STARTED");
    let ended = decide(&[running], &update("completed", "success".into(), ""));
    let ended = after(&ended);
    assert_eq!((ended.status, ended.duration), (Status::Succeeded, Some(180_000)));
    assert_eq!(ended.finished_at.unwrap().to_string(), "2020-10-05T16:36:49.000Z");
}

#[test]
fn a_run_whose_start_was_missed_ends_a_queued_cast_with_its_times() {
    let ended = after(&decide(&[bound(Status::Queued)], &update("completed", "success".into(), "")));
    assert_eq!((ended.started_at, ended.duration), (Some(Timestamp(1_601_915_629_000)), Some(180_000)));
}

#[test]
fn conclusions_become_ends() {
    let others =
        ["failure", "timed_out", "startup_failure", "skipped", "neutral", "stale", "action_required"];
    for word in others {
        let decided = decide(&[bound(Status::Running)], &update("completed", word.into(), ""));
        let ended = after(&decided);
        let message = ended.error_message.unwrap();
        assert_eq!(ended.status, Status::Failed);
        assert!(message.contains(&format!("`{word}`")) && message.contains("/runs/289782451"), "{message}");
        assert_eq!(data(&decided.changes.events[0])["errorMessage"], message.as_str());
    }
    let cancelled = decide(&[bound(Status::Running)], &update("completed", "cancelled".into(), ""));
    assert_eq!(after(&cancelled).status, Status::Cancelled);
    assert_eq!(cancelled.changes.events.len(), 1);
    assert!(cancelled.changes.events[0].terminal);
    let none = after(&decide(&[bound(Status::Running)], &update("completed", Value::Null, "")));
    assert!(none.error_message.unwrap().contains("without a conclusion"));
}

#[test]
fn repeats_late_and_later_ones_change_nothing() {
    let nothing = |cast: Cast, update: &RunUpdate| {
        let decided = decide(&[cast], update);
        assert_eq!((decided.matched.len(), decided.changed.len()), (1, 0));
        let changes = decided.changes;
        assert!(changes.records.is_empty() && changes.events.is_empty() && changes.audit.is_empty());
        assert_eq!(changes.answer.as_deref(), Some(r#"{"matched":["cast_1"],"changed":[]}"#));
    };
    let again = json!({"conclusion": "failure", "run_attempt": 2});
    for status in [Status::Succeeded, Status::Failed, Status::Cancelled] {
        for action in ["requested", "in_progress", "completed"] {
            for conclusion in [Value::Null, "success".into(), "failure".into(), "cancelled".into()] {
                nothing(bound(status), &update(action, conclusion, ""));
            }
        }
        let mut later = payload();
        later["workflow_run"]["run_attempt"] = again["run_attempt"].clone();
        later["workflow_run"]["conclusion"] = again["conclusion"].clone();
        let later = parse(&later);
        assert_eq!(later.attempt, 2);
        nothing(bound(status), &later);
    }
    nothing(bound(Status::Running), &update("in_progress", Value::Null, ""));
    nothing(bound(Status::Running), &update("requested", Value::Null, ""));
    nothing(bound(Status::Queued), &update("requested", Value::Null, ""));
}

#[test]
fn every_order_of_deliveries_with_repeats_comes_to_one_end() {
    let steps = [
        update("requested", Value::Null, ""),
        update("in_progress", Value::Null, ""),
        update("completed", "success".into(), ""),
    ];
    let mut orders = 0;
    for order in 0..27 {
        let mut stored = bound(Status::Queued);
        let mut ends = 0;
        for step in [order % 3, order / 3 % 3, order / 9, 2, 1, 0] {
            let decided = decide(&[stored.clone()], &steps[step]);
            ends += decided.changes.events.iter().filter(|event| event.terminal).count();
            if !decided.changed.is_empty() {
                stored = Cast { version: stored.version + 1, ..after(&decided) };
            }
        }
        assert_eq!((stored.status, ends, stored.duration), (Status::Succeeded, 1, Some(180_000)));
        orders += 1;
    }
    assert_eq!(orders, 27);
}

#[test]
fn a_title_names_a_cast_only_where_the_run_was_dispatched() {
    let titled = |trigger: &str| {
        let mut payload = payload();
        payload["workflow_run"]["event"] = trigger.into();
        payload["workflow_run"]["display_title"] = "Run cast_1.".into();
        decide(&[cast(Status::Running)], &parse(&payload)).changed.len()
    };
    for (trigger, changed) in [
        ("workflow_dispatch", 1),
        ("repository_dispatch", 1),
        ("push", 0),
        ("pull_request", 0),
        ("pull_request_target", 0),
        ("issue_comment", 0),
        ("", 0),
    ] {
        assert_eq!(titled(trigger), changed, "{trigger}");
    }
}

#[test]
fn a_title_names_a_cast_of_that_repository_without_a_run() {
    let update = update("in_progress", Value::Null, "deploy cast_1");
    let changed = |cast: Cast| decide(&[cast], &update).changed.len();
    let of = |name: &str| Cast { repository: Repository::new(name), ..cast(Status::Queued) };
    assert_eq!(changed(cast(Status::Queued)), 1);
    assert_eq!(changed(of("Octo-Org/octo-repo")), 1);
    assert_eq!(changed(of("octo-org/other")), 0);
    assert_eq!(changed(Cast { workflow_run_id: RunId::new("5"), ..cast(Status::Queued) }), 0);
    assert_eq!(changed(Cast { id: CastId::new("cast_2").unwrap(), ..cast(Status::Queued) }), 0);
}

#[test]
fn a_cast_named_by_a_title_gets_the_runs_id() {
    let requested = decide(&[cast(Status::Queued)], &update("requested", Value::Null, "cast_1"));
    let got = after(&requested);
    assert_eq!((got.status, got.workflow_run_id.clone()), (Status::Queued, RunId::new("289782451")));
    let ended = decide(&[got], &update("completed", "success".into(), "no id any more"));
    assert_eq!(after(&ended).status, Status::Succeeded);
    let running = decide(&[cast(Status::Running)], &update("in_progress", Value::Null, "cast_1"));
    assert_eq!(after(&running).workflow_run_id, RunId::new("289782451"));
}

#[test]
fn a_run_is_of_all_that_have_its_id_and_of_all_that_its_title_names() {
    let other = |name: &str| Cast { id: CastId::new(name).unwrap(), ..bound(Status::Queued) };
    let update = update("in_progress", Value::Null, "cast_1");
    let decided = decide(&[cast(Status::Queued), other("a"), other("b"), other("a")], &update);
    let names: Vec<&str> = decided.changed.iter().map(CastId::as_str).collect();
    assert_eq!(names, ["cast_1", "a", "b"], "nobody takes a run from another by naming it first");
    assert_eq!((decided.changes.records.len(), decided.changes.events.len()), (3, 3));
    let unknown = decide_run(&[None], &update, &webhook(), NOW).unwrap();
    assert!(unknown.matched.is_empty() && unknown.changes.events.is_empty());
}
