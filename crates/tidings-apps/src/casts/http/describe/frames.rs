//! What goes over the casts' streams, besides the controls.

use serde_json::{Map, Value, json};

use super::schemas::{message, object, or_null, progress, statuses, time, url, whole};
use crate::casts::view::FrameName;

/// What a frame tells, and the name of its schema.
const fn about(frame: FrameName) -> (&'static str, &'static str) {
    match frame {
        FrameName::Status => ("CastStatusFrame", "The cast has this status; at its end too."),
        FrameName::Progress => ("CastProgressFrame", "It got further."),
        FrameName::Complete => ("CastCompleteFrame", "It succeeded."),
        FrameName::Failed => ("CastFailedFrame", "It failed."),
        FrameName::Artifact => ("CastArtifactFrame", "There is something that it made."),
    }
}

/// The shape of a frame's data. Without references, as it stands in the description of the streams too.
fn shape(frame: FrameName) -> Value {
    let (id, status) = (json!({"type": "string"}), json!({"enum": statuses()}));
    match frame {
        FrameName::Status => {
            object([("castId", id), ("status", status), ("startedAt?", time()), ("timestamp", time())])
        }
        FrameName::Progress => {
            object([("castId", id), ("progress", progress()), ("message?", message()), ("timestamp", time())])
        }
        FrameName::Complete => object([
            ("castId", id),
            ("status", json!({"const": "succeeded"})),
            ("duration", or_null(whole())),
            ("costCents", or_null(whole())),
            ("finishedAt", time()),
            ("artifactUrl?", url()),
            ("timestamp", time()),
        ]),
        FrameName::Failed => object([
            ("castId", id),
            ("status", json!({"const": "failed"})),
            ("errorMessage", or_null(message())),
            ("timestamp", time()),
        ]),
        FrameName::Artifact => object([("castId", id), ("artifactUrl", url()), ("timestamp", time())]),
    }
}

/// What `?batch=` makes of frames.
fn batch() -> Value {
    let item = object([
        ("id?", json!({"type": "string", "description": "On the last frame of each event."})),
        ("event", json!({"type": "string"})),
        ("data", json!({})),
    ]);
    json!({"type": "array", "items": item, "minItems": 1})
}

/// The schemas of the frames, by name.
pub(super) fn shapes() -> Map<String, Value> {
    let frames = FrameName::ALL.into_iter().map(|frame| (about(frame).0.to_owned(), shape(frame)));
    frames.chain([("CastBatch".to_owned(), batch())]).collect()
}

/// The messages of every stream of casts, by the event's name on the wire.
fn messages() -> Map<String, Value> {
    let message = |name: &str, title: &str, payload: Value| {
        (name.to_owned(), json!({"name": name, "title": title, "payload": payload}))
    };
    let frames = FrameName::ALL.into_iter().map(|frame| message(frame.name(), about(frame).1, shape(frame)));
    frames.chain([message("batch", "Frames that were gathered, in their order.", batch())]).collect()
}

/// The streams: name, address, messages.
pub(super) fn streams() -> Vec<(String, String, Map<String, Value>)> {
    let stream = |name: &str, address: &str| (name.to_owned(), address.to_owned(), messages());
    vec![stream("casts", "/api/casts/events"), stream("oneCast", "/api/casts/{id}/events")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casts::fields::{Fields, Progress};
    use crate::casts::snapshot::state_events;
    use crate::casts::status::Status;
    use crate::casts::view::frames;
    use crate::casts::{Cast, CastId};
    use tidings_core::port::users::UserId;
    use tidings_protocol::time::Timestamp;
    use tidings_protocol::{Cursor, Lineage, Seq};

    /// The frames that tell of casts in every status, with everything set and with nothing.
    fn told() -> Vec<(String, Map<String, Value>)> {
        let bare = Cast::new(CastId::new("c").unwrap(), UserId::new("u").unwrap(), Timestamp(0));
        let fields = Fields {
            progress: Progress::new(5.0),
            message: Some("m".into()),
            started_at: Some(Timestamp(1)),
            duration: Some(1),
            cost_cents: Some(2),
            artifact_url: Some("https://x.example/a".into()),
            error_message: Some("e".into()),
            ..Fields::default()
        };
        let casts = [bare.clone(), bare.with(&fields)].into_iter().flat_map(|cast| {
            Status::ALL.map(|status| Cast { status, finished_at: Some(Timestamp(2)), ..cast.clone() })
        });
        let at = Cursor::new(Seq(1), Lineage::from_bits(1));
        let events = casts.flat_map(|cast| state_events(&cast, at).unwrap());
        let frames = events.flat_map(|event| frames(&event));
        frames.map(|frame| (frame.name, serde_json::from_str(&frame.data).unwrap())).collect()
    }

    fn fits(value: &Value, kind: &Value) -> bool {
        let name = match value {
            Value::Null => "null",
            Value::String(_) => "string",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Number(_) => "number",
            _ => "other",
        };
        let is = |kind: &Value| kind == name || kind == "number" && name == "integer";
        kind.as_array().map_or_else(|| kind.is_null() || is(kind), |kinds| kinds.iter().any(is))
    }

    #[test]
    fn frames_have_the_members_that_are_described() {
        let told = told();
        for frame in FrameName::ALL {
            let shape = shape(frame);
            let mut seen: Vec<&String> = Vec::new();
            for (_, data) in told.iter().filter(|(name, _)| name == frame.name()) {
                for (name, value) in data {
                    assert!(fits(value, &shape["properties"][name]["type"]), "{frame:?}.{name}: {value}");
                    assert!(shape["properties"].get(name).is_some(), "{frame:?}.{name} is not described");
                    seen.push(name);
                }
                for name in shape["required"].as_array().unwrap() {
                    assert!(data.contains_key(name.as_str().unwrap()), "{frame:?} without {name}");
                }
            }
            for name in shape["properties"].as_object().unwrap().keys() {
                assert!(seen.contains(&name), "{frame:?}.{name} never comes");
            }
        }
    }
}
