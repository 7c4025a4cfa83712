//! What other backends tell: first mentions, bodies that are wrong, and repeats.

use serde_json::{Value, json};
use tidings_apps::casts::wire::parse_telling;
use tidings_apps::casts::{CastId, Status};
use tidings_protocol::ErrorCode;

use crate::kit::{cast, data, decide, id, member, service, telling, types};

fn refusal(body: &Value) -> (ErrorCode, Option<String>) {
    let problem = parse_telling(id(), body.to_string().as_bytes()).unwrap_err();
    (problem.code, problem.at)
}

#[test]
fn a_first_mention_creates_the_cast_and_applies_the_event() {
    let cases = [
        (
            json!({"type": "STATUS_CHANGED", "data": {"status": "queued"}}),
            Status::Queued,
            vec!["STATUS_CHANGED"],
        ),
        (json!({"type": "STATUS_CHANGED"}), Status::Queued, vec!["STATUS_CHANGED"]),
        (
            json!({"type": "STATUS_CHANGED", "data": {"status": "cancelled"}}),
            Status::Cancelled,
            vec!["STATUS_CHANGED", "STATUS_CHANGED"],
        ),
        (json!({"type": "STARTED"}), Status::Running, vec!["STATUS_CHANGED", "STARTED"]),
        (json!({"type": "COMPLETED"}), Status::Succeeded, vec!["STATUS_CHANGED", "COMPLETED"]),
        (
            json!({"type": "PROGRESS_UPDATE", "data": {"progress": 1}}),
            Status::Queued,
            vec!["STATUS_CHANGED", "PROGRESS_UPDATE"],
        ),
        (json!({"type": "my.type", "data": 1}), Status::Queued, vec!["STATUS_CHANGED", "my.type"]),
    ];
    for (mut body, status, events) in cases {
        body["userId"] = "usr_9".into();
        let decided = decide(None, &telling(&body), &service()).unwrap();
        assert_eq!((decided.cast.status, decided.cast.version), (status, 1), "{body}");
        assert_eq!(types(&decided), events, "{body}");
        assert_eq!(data(&decided.changes.events[0])["status"], "queued", "{body}");
        assert_eq!(decided.changes.records, [decided.cast.to_write()], "{body}");
        assert_eq!(decided.changes.audit.len(), 1 + usize::from(status != Status::Queued), "{body}");
        let event = &decided.changes.events[0];
        assert_eq!((event.channel.as_str(), event.also[0].as_str()), ("cast:cast_1", "user:usr_9:casts"));
    }
}

#[test]
fn the_owner_is_needed_at_first_and_stays() {
    let body = json!({"type": "STARTED"});
    let problem = decide(None, &telling(&body), &service()).unwrap_err();
    assert_eq!((problem.code, problem.at.as_deref()), (ErrorCode::InvalidBody, Some("/userId")));
    assert!(decide(Some(&cast(Status::Queued)), &telling(&body), &service()).is_ok());
    for (owner, expected) in [("usr_1", None), ("usr_2", Some(ErrorCode::InvalidBody))] {
        let body = json!({"type": "STARTED", "userId": owner});
        let outcome = decide(Some(&cast(Status::Queued)), &telling(&body), &service());
        assert_eq!(outcome.err().map(|problem| problem.code), expected, "{owner}");
    }
}

#[test]
fn members_tell_nothing() {
    let body = telling(&json!({"type": "STARTED", "userId": "usr_1"}));
    let problem = decide(Some(&cast(Status::Queued)), &body, &member("usr_1")).unwrap_err();
    assert_eq!(problem.code, ErrorCode::Forbidden);
    assert!(decide(Some(&cast(Status::Queued)), &body, &service()).is_ok());
}

#[test]
fn faults_carry_a_code_and_a_place() {
    use ErrorCode::{InvalidBody, InvalidData, InvalidType, ReservedType};
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        (json!({}), InvalidBody, "/type"),
        (json!({"type": "STATUS_CHANGED", "data": {"status": "done"}}), InvalidBody, "/data/status"),
        (json!({"type": "STATUS_CHANGED", "data": [1]}), InvalidBody, "/data"),
        (json!({"type": "PROGRESS_UPDATE"}), InvalidBody, "/data/progress"),
        (json!({"type": "PROGRESS_UPDATE", "data": {"progress": 101}}), InvalidBody, "/data/progress"),
        (json!({"type": "ARTIFACT_READY", "data": {}}), InvalidBody, "/data/artifactUrl"),
        (
            json!({"type": "ARTIFACT_READY", "data": {"artifactUrl": "ftp://x"}}),
            InvalidBody,
            "/data/artifactUrl",
        ),
        (json!({"type": "COMPLETED", "data": {"duration": -1}}), InvalidBody, "/data/duration"),
        (json!({"type": "STARTED", "userId": ""}), InvalidBody, "/userId"),
        (json!({"type": "STARTED", "idempotencyKey": "x".repeat(256)}), InvalidBody, "/idempotencyKey"),
        (json!({"type": "a b"}), InvalidType, "/type"),
        (json!({"type": "$end"}), InvalidType, "/type"),
        (json!({"type": "error"}), ReservedType, "/type"),
        (json!({"type": "status"}), InvalidType, "/type"),
        (json!({"type": "batch"}), InvalidType, "/type"),
        (json!({"type": "my.type", "data": deep}), InvalidData, "/data"),
    ];
    for (body, code, at) in cases {
        assert_eq!(refusal(&body), (code, Some(at.to_owned())), "{body}");
    }
    assert_eq!(refusal(&json!([])), (InvalidBody, None));
    let large = json!({"type": "my.type", "data": "x".repeat(70_000)});
    assert_eq!(refusal(&large), (ErrorCode::BodyTooLarge, Some("/data".into())));
}

#[test]
fn relayed_data_is_passed_on_as_it_was_written() {
    let body = br#"{ "type": "my.type", "data": { "b" : 1.10, "a": [ "x y" ] } }"#;
    let command = parse_telling(id(), body).unwrap().command;
    let decided = decide(Some(&cast(Status::Running)), &command, &service()).unwrap();
    assert_eq!(decided.changes.events[0].data.get(), r#"{"b":1.10,"a":["x y"]}"#);
    assert!(decided.changes.records.is_empty());
}

#[test]
fn a_key_tells_bodies_apart() {
    let print = |id: &str, body: &Value| {
        let telling = parse_telling(CastId::new(id).unwrap(), body.to_string().as_bytes()).unwrap();
        telling.idempotency.unwrap()
    };
    let body = json!({"type": "FAILED", "data": {"errorMessage": "a"}, "userId": "u", "idempotencyKey": "k"});
    let base = print("c", &body);
    assert_eq!(base, print("c", &body));
    assert_eq!(&*base.0, "k");
    assert_ne!(base.1, print("d", &body).1);
    for (member, other) in [("type", json!("STARTED")), ("data", json!({})), ("userId", json!("v"))] {
        let mut body = body.clone();
        body[member] = other;
        assert_ne!(base.1, print("c", &body).1, "{member}");
    }
    assert!(parse_telling(id(), br#"{"type":"STARTED"}"#).unwrap().idempotency.is_none());
}

#[test]
fn a_mutation_id_goes_with_the_events() {
    let command = telling(&json!({"type": "STARTED", "mutationId": "m1"}));
    let decided = decide(Some(&cast(Status::Queued)), &command, &service()).unwrap();
    assert_eq!(decided.changes.events[0].mutation_id.as_deref(), Some("m1"));
}
