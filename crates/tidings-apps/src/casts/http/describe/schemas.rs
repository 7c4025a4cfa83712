//! The shapes of casts, of what is asked of them, and of what a webhook is answered.

use serde_json::{Map, Value, json};
use tidings_core::port::users::UserId;
use tidings_protocol::limits::{IDEMPOTENCY_KEY_BYTES, WORD_BYTES};

use super::frames;
use crate::casts::fields::{MESSAGE_CHARS, REPOSITORY_CHARS, URL_CHARS};
use crate::casts::kind::Kind;
use crate::casts::status::Status;
use crate::members::WHOLE_MAX;

/// A reference to a schema.
pub(super) fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The words of a cast's status.
pub(super) fn statuses() -> Value {
    json!(Status::ALL.map(Status::name))
}

pub(super) fn user_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": UserId::MAX_BYTES})
}

pub(super) fn repository() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", "maxLength": REPOSITORY_CHARS})
}

pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

pub(super) fn progress() -> Value {
    json!({"type": "number", "minimum": 0, "maximum": 100, "description": "In steps of a hundredth."})
}

pub(super) fn whole() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": WHOLE_MAX})
}

pub(super) fn message() -> Value {
    json!({"type": "string", "maxLength": MESSAGE_CHARS})
}

pub(super) fn url() -> Value {
    json!({"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": URL_CHARS})
}

/// The same, or `null`.
pub(super) fn or_null(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

/// An object; members without a `?` are always there.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut required = Vec::new();
    let mut properties = Map::new();
    for (name, schema) in members {
        let bare = name.trim_end_matches('?');
        if bare == name {
            required.push(name);
        }
        properties.insert(bare.to_owned(), schema);
    }
    json!({"type": "object", "required": required, "properties": properties})
}

/// By name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut all: Map<String, Value> = frames::shapes();
    let own = [
        (
            "CastId",
            json!({"type": "string", "pattern": "^[A-Za-z0-9._~@-]{1,120}$", "not": {"const": "events"}}),
        ),
        ("CastStatus", json!({"enum": statuses()})),
        ("Cast", cast()),
        ("CastList", list()),
        ("CastRefusal", object([("id", refer("CastId")), ("code", json!({"type": "string"}))])),
        ("CastCreate", create()),
        ("CastPatch", patch()),
        ("CastEvent", event()),
        ("GitHubDelivery", json!({"type": "object", "description": "As GitHub sends it, at most 5 MiB."})),
        ("WebhookAnswer", webhook_answer()),
    ];
    all.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    all
}

fn list() -> Value {
    object([
        ("items", json!({"type": "array", "items": refer("Cast")})),
        ("nextCursor", json!({"type": ["string", "null"]})),
        ("refused?", json!({"type": "array", "items": refer("CastRefusal")})),
    ])
}

fn cast() -> Value {
    object([
        ("id", refer("CastId")),
        ("userId", user_id()),
        ("status", refer("CastStatus")),
        ("progress", or_null(progress())),
        ("message", or_null(message())),
        ("startedAt", or_null(time())),
        ("finishedAt", or_null(time())),
        ("duration", or_null(whole())),
        ("costCents", or_null(whole())),
        ("artifactUrl", or_null(url())),
        ("errorMessage", or_null(message())),
        ("repository?", repository()),
        ("workflowRunId?", json!({"type": "string", "pattern": "^[1-9][0-9]{0,19}$"})),
        ("createdAt", time()),
        ("updatedAt", time()),
        ("version", json!({"type": "integer", "minimum": 1})),
    ])
}

/// A run's id as it may be sent.
fn run_id() -> Value {
    json!({"type": ["string", "integer"], "description": "1 to 20 digits, as text or as a number."})
}

fn mutation_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": WORD_BYTES})
}

fn create() -> Value {
    let mut schema = object([
        ("id?", refer("CastId")),
        ("userId?", user_id()),
        ("message?", message()),
        ("repository?", repository()),
        ("workflowRunId?", run_id()),
        ("mutationId?", mutation_id()),
    ]);
    schema["description"] =
        "A service key has to name the owner; an admin may; a member may name itself alone.".into();
    schema
}

fn patch() -> Value {
    object([
        ("status?", refer("CastStatus")),
        ("progress?", progress()),
        ("message?", message()),
        ("startedAt?", time()),
        ("finishedAt?", time()),
        ("duration?", whole()),
        ("costCents?", whole()),
        ("artifactUrl?", url()),
        ("errorMessage?", message()),
        ("repository?", repository()),
        ("workflowRunId?", run_id()),
        ("version?", whole()),
        ("mutationId?", mutation_id()),
    ])
}

fn event() -> Value {
    let kinds = Kind::ALL.map(Kind::name).join(", ");
    let mut data = patch();
    if let Some(members) = data["properties"].as_object_mut() {
        members.retain(|name, _| !["version", "mutationId"].contains(&name.as_str()));
    }
    object([
        (
            "type",
            json!({"allOf": [refer("Type")], "description": format!("{kinds}, or a type of your own, which is relayed.")}),
        ),
        ("data?", json!({"anyOf": [data, {"description": "What is relayed: any JSON, at most 64 KiB."}]})),
        ("userId?", json!({"allOf": [user_id()], "description": "The owner; needed at the first mention."})),
        ("idempotencyKey?", json!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES})),
        ("mutationId?", mutation_id()),
    ])
}

fn webhook_answer() -> Value {
    let casts = json!({"type": "array", "items": refer("CastId")});
    object([
        ("delivery", json!({"type": "string"})),
        ("event", json!({"type": "string"})),
        ("matched", casts.clone()),
        ("changed", casts),
        ("repeated", json!({"type": "boolean"})),
        ("unread?", json!({"type": "string", "description": "Why the body could not be read."})),
    ])
}
