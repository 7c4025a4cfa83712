//! What the tests have in common: authors, casts in every status, and a store of one record.

use serde_json::{Value, json};
use tidings_apps::author::{Author, Standing};
use tidings_apps::casts::decide::decide_record;
use tidings_apps::casts::wire::{parse_patch, parse_telling};
use tidings_apps::casts::{Cast, CastId, Command, Decided, Status};
use tidings_core::port::store::{Record, RecordWrite};
use tidings_core::port::users::UserId;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Draft, Event, Lineage, Seq};

/// 2026-11-21T09:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_795_251_600_000);

pub(crate) fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub(crate) fn id() -> CastId {
    CastId::new("cast_1").unwrap()
}

pub(crate) fn author(standing: Standing) -> Author {
    Author {
        tenant: "default".parse().unwrap(),
        audit_name: standing.user().map(ToString::to_string),
        actor: standing.user().map(|user| user.as_str().into()),
        standing,
        ip_address: Some("192.0.2.1".into()),
        user_agent: None,
    }
}

pub(crate) fn service() -> Author {
    author(Standing::Service)
}

pub(crate) fn member(name: &str) -> Author {
    author(Standing::Member(user(name)))
}

/// A cast of `usr_1`, at version 3, in that status.
pub(crate) fn cast(status: Status) -> Cast {
    let cast = Cast::new(id(), user("usr_1"), Timestamp(NOW.0 - 60_000));
    let started_at = (status != Status::Queued).then_some(Timestamp(NOW.0 - 30_000));
    Cast { status, started_at, version: 3, ..cast }
}

pub(crate) fn record(cast: &Cast) -> Record {
    let RecordWrite::Put { key, body, .. } = cast.to_write() else { panic!("a put") };
    Record { key, version: cast.version, body, at: cursor(1), place: 1 }
}

pub(crate) fn cursor(seq: u64) -> Cursor {
    Cursor::new(Seq(seq), Lineage::from_bits(1))
}

/// A backend's event, as `POST /api/casts/cast_1/events` takes it.
pub(crate) fn telling(body: &Value) -> Command {
    parse_telling(id(), body.to_string().as_bytes()).unwrap().command
}

pub(crate) fn told(kind: &str, data: &Value) -> Command {
    telling(&json!({"type": kind, "data": data}))
}

pub(crate) fn patch(body: &Value) -> Command {
    parse_patch(id(), None, body.to_string().as_bytes()).unwrap()
}

/// Decides by way of the stored form, as the store does.
pub(crate) fn decide(stored: Option<&Cast>, command: &Command, author: &Author) -> Result<Decided, Problem> {
    decide_record(stored.map(record).as_ref(), command, author, NOW)
}

pub(crate) fn types(decided: &Decided) -> Vec<&str> {
    decided.changes.events.iter().map(|event| event.kind.as_str()).collect()
}

pub(crate) fn data(draft: &Draft) -> Value {
    serde_json::from_str(draft.data.get()).unwrap()
}

/// The draft as the log gives it.
pub(crate) fn committed(draft: &Draft) -> Event {
    Event {
        id: cursor(7),
        time: NOW,
        channel: draft.channel.clone(),
        also: draft.also.clone(),
        kind: draft.kind.clone(),
        category: draft.category.clone(),
        key: draft.key.clone(),
        actor: draft.actor.clone(),
        version: draft.version,
        mutation_id: draft.mutation_id.clone(),
        terminal: draft.terminal,
        data: draft.data.clone(),
    }
}
