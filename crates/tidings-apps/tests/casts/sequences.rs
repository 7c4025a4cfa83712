//! Whatever is asked in whatever order: versions, ends and tags keep to their rules.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidings_apps::author::Author;
use tidings_apps::casts::cast::{owner_and_status_tag, owner_tag, status_tag};
use tidings_apps::casts::decide::decide_record;
use tidings_apps::casts::wire::parse_create;
use tidings_apps::casts::{Cast, Command, Decided, Status};
use tidings_core::port::store::{Record, RecordWrite};
use tidings_protocol::ErrorCode;
use tidings_protocol::time::Timestamp;

use crate::kit::{cursor, member, patch, service, telling, user};

fn any_data() -> impl Strategy<Value = Value> {
    let status = prop::sample::select(vec!["queued", "running", "succeeded", "failed", "cancelled"]);
    (
        prop::option::of(status),
        prop::option::of(0..=3u8),
        prop::option::of(prop::sample::select(vec!["a", "b"])),
        prop::option::of(Just("https://x.example/a")),
        prop::option::of(0..3u64),
        prop::option::of(Just("a/b")),
    )
        .prop_map(|(status, progress, message, url, cost, repository)| {
            json!({
                "status": status, "progress": progress.unwrap_or(0), "message": message,
                "artifactUrl": url.unwrap_or("https://x.example/0"), "costCents": cost, "repository": repository,
            })
        })
}

fn any_step() -> impl Strategy<Value = (Command, Author)> {
    let kinds = vec![
        "STATUS_CHANGED",
        "STARTED",
        "COMPLETED",
        "FAILED",
        "PROGRESS_UPDATE",
        "ARTIFACT_READY",
        "my.type",
    ];
    let told =
        (prop::sample::select(kinds), any_data(), any::<bool>()).prop_map(|(kind, data, with_data)| {
            let needs_data = matches!(kind, "PROGRESS_UPDATE" | "ARTIFACT_READY");
            let data = if with_data || needs_data { data } else { Value::Null };
            (telling(&json!({"type": kind, "data": data, "userId": "usr_1"})), service())
        });
    let patched = any_data().prop_map(|data| (patch(&data), service()));
    let cancelled = Just((patch(&json!({"status": "cancelled"})), member("usr_1")));
    let created = Just((parse_create(br#"{"id":"cast_1"}"#, &member("usr_1"), "").unwrap(), member("usr_1")));
    prop_oneof![8 => told, 3 => patched, 1 => cancelled, 1 => created]
}

/// What the store makes of a decision.
fn commit(stored: Option<&Record>, decided: &Decided) -> Option<Record> {
    let [RecordWrite::Put { key, body, .. }] = &decided.changes.records[..] else { return stored.cloned() };
    let version = stored.map_or(1, |record| record.version + 1);
    Some(Record { key: key.clone(), version, body: body.clone(), at: cursor(1), place: 1 })
}

fn check_tags(decided: &Decided) {
    let Some(RecordWrite::Put { tags, .. }) = decided.changes.records.first() else { return };
    let owner = user("usr_1");
    assert!(tags.contains(&owner_tag(&owner)));
    for status in Status::ALL {
        let is = status == decided.cast.status;
        assert_eq!(tags.contains(&status_tag(status)), is);
        assert_eq!(tags.contains(&owner_and_status_tag(&owner, status)), is);
    }
    assert!(tags.len() <= 16 && tags.iter().all(|tag| tag.len() <= 400));
}

fn check_step(stored: Option<&Record>, decided: &Decided, after: &Record) {
    assert_eq!(Cast::from_record(after).unwrap(), decided.cast, "the answer is what is stored");
    assert!(!decided.changes.events.is_empty());
    assert!(decided.changes.events.iter().all(|event| event.version == Some(after.version)));
    let ends = decided.changes.events.iter().filter(|event| event.terminal).count();
    assert_eq!(ends, usize::from(decided.cast.status.is_terminal()));
    if ends == 1 {
        assert!(decided.changes.events.last().unwrap().terminal && !decided.changes.records.is_empty());
    }
    if decided.changes.records.is_empty() {
        assert_eq!(stored, Some(after));
        assert!(decided.changes.audit.is_empty());
    }
    check_tags(decided);
}

proptest! {
    #[test]
    fn any_sequence_keeps_the_rules(steps in prop::collection::vec(any_step(), 1..20)) {
        let mut stored: Option<Record> = None;
        let mut ended = false;
        for (at, (command, author)) in steps.iter().enumerate() {
            let now = Timestamp(1_000 * i64::try_from(at).unwrap());
            match decide_record(stored.as_ref(), command, author, now) {
                Ok(decided) => {
                    prop_assert!(!ended, "nothing follows the end");
                    let after = commit(stored.as_ref(), &decided).unwrap();
                    check_step(stored.as_ref(), &decided, &after);
                    ended = decided.cast.status.is_terminal();
                    stored = Some(after);
                }
                Err(problem) => {
                    let expected = [ErrorCode::IllegalTransition, ErrorCode::AlreadyExists, ErrorCode::NotFound];
                    prop_assert!(expected.contains(&problem.code), "{problem:?}");
                    prop_assert_eq!(problem.current.is_some(), stored.is_some());
                }
            }
        }
    }
}
