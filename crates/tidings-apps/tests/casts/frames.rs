//! How casts look on their streams.

use serde_json::json;
use tidings_apps::casts::fields::Fields;
use tidings_apps::casts::snapshot::state_events;
use tidings_apps::casts::view::frames;
use tidings_apps::casts::{Cast, CastView, Choice, Command, Kind, Status};
use tidings_apps::members::Members;
use tidings_core::view::{View, ViewFrame};
use tidings_protocol::Event;

use crate::kit::{cast, committed, cursor, decide, id, service, told};

fn text(frames: &[ViewFrame]) -> String {
    frames.iter().map(|frame| format!("{}: {}\n", frame.name, frame.data)).collect()
}

fn event(status: Status, command: &Command) -> Event {
    committed(decide(Some(&cast(status)), command, &service()).unwrap().changes.events.last().unwrap())
}

/// Every event that there can be, by what leads to it.
fn events() -> Vec<(&'static str, Event)> {
    let completed = json!({
        "finishedAt": "2026-11-21T08:59:59Z", "duration": 180_000, "costCents": 250,
        "artifactUrl": "https://x.example/a?b=1",
    });
    let running = Status::Running;
    vec![
        ("queued", event(Status::Queued, &told("STATUS_CHANGED", &json!({})))),
        ("running", event(Status::Queued, &told("STATUS_CHANGED", &json!({"status": "running"})))),
        ("started", event(Status::Queued, &told("STARTED", &json!({"startedAt": "2026-11-21T08:00:00Z"})))),
        ("progress", event(running, &told("PROGRESS_UPDATE", &json!({"progress": 50})))),
        (
            "progress with a message",
            event(running, &told("PROGRESS_UPDATE", &json!({"progress": 33.3, "message": "a\n\u{2028}b"}))),
        ),
        ("artifact", event(running, &told("ARTIFACT_READY", &json!({"artifactUrl": "https://x.example/a"})))),
        ("completed", event(running, &told("COMPLETED", &completed))),
        ("completed with nothing known", event(Status::Queued, &told("COMPLETED", &json!({})))),
        ("failed", event(running, &told("FAILED", &json!({"errorMessage": "no \"luck\""})))),
        ("failed without a message", event(running, &told("FAILED", &json!({})))),
        ("cancelled", event(running, &Command::cancel(id()))),
        ("relayed", event(running, &told("my.type", &json!({"any": ["thing"]})))),
    ]
}

#[test]
fn every_event_has_its_frames() {
    let all: String = events()
        .iter()
        .map(|(name, event)| format!("# {name}\nnative {}\n{}", event.to_json(), text(&frames(event))))
        .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn frames_are_one_line_of_json() {
    for (name, event) in events() {
        for frame in frames(&event) {
            assert!(!frame.data.contains(['\n', '\r']), "{name}");
            assert!(serde_json::from_str::<serde_json::Value>(&frame.data).is_ok(), "{name}");
        }
    }
}

#[test]
fn only_chosen_frames_are_sent() {
    let shown = |words: &[&str]| {
        let choice = Choice::parse(words.iter().copied()).unwrap();
        let view = CastView::new(choice.clone());
        let mut names = Vec::new();
        for (_, event) in events() {
            let asked = choice.types().is_empty() || choice.types().contains(&event.kind);
            let frames = view.frames(&event);
            assert!(asked || frames.is_empty(), "what is not asked for is not shown either");
            names.extend(frames.into_iter().map(|frame| frame.name));
        }
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(shown(&["complete"]), ["complete"]);
    assert_eq!(shown(&["progress", "failed"]), ["failed", "progress"]);
    assert_eq!(shown(&["status"]), ["status"]);
    assert_eq!(shown(&["my.type"]), ["my.type"]);
    assert_eq!(shown(&["other.type"]), [""; 0]);
    assert_eq!(shown(&[]), ["artifact", "complete", "failed", "my.type", "progress", "status"]);
}

fn with_everything(status: Status) -> Cast {
    let body = br#"{"progress":60,"message":"m","artifactUrl":"https://x.example/a","errorMessage":"e"}"#;
    cast(status).with(&Fields::parse(&Members::parse(body, "").unwrap()).unwrap())
}

#[test]
fn a_state_is_told_by_frames_with_the_heads_id() {
    let mut all = String::new();
    for status in Status::ALL {
        for cast in [cast(status), with_everything(status)] {
            let events = state_events(&cast, cursor(33)).unwrap();
            assert!(events.iter().all(|event| event.id == cursor(33) && event.version == Some(3)));
            let ends = events.iter().filter(|event| event.terminal).count();
            assert_eq!(ends, usize::from(status.is_terminal()), "{status}");
            all += &format!("# {status}\n");
            all += &events.iter().map(|event| text(&frames(event))).collect::<String>();
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn views_that_show_the_same_have_one_key() {
    let key = |words: &[&str]| CastView::new(Choice::parse(words.iter().copied()).unwrap()).key();
    assert_eq!(key(&["status", "complete"]), key(&["complete", "status", "status"]));
    assert_ne!(key(&["status"]), key(&[]));
    assert!(key(&[]).is_some());
    assert_eq!(key(&["my.type"]), None);
}

#[test]
fn frames_name_events_that_there_are() {
    for kind in Kind::ALL {
        assert_eq!(kind.event_type().unwrap().as_str(), kind.name());
        assert_eq!(Kind::parse(kind.name()), Some(kind));
    }
}
