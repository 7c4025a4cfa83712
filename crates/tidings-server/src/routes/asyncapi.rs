//! `GET /asyncapi.json`: AsyncAPI 3.0, what goes over the streams: events and controls, on SSE and WebSocket.

use std::sync::OnceLock;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tidings_protocol::EndReason;

use super::json as answer;

/// The description of the streams.
pub async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    answer(DOCUMENT.get_or_init(|| build().to_string().into()).clone())
}

/// The names of the controls with the shape of their data.
fn controls() -> Vec<(&'static str, &'static str, Value)> {
    let text = || json!({"type": "string"});
    let list = || json!({"type": "array", "items": {"type": "string"}});
    let reasons: Vec<&str> =
        EndReason::ALL.iter().filter(|reason| reason.is_on_wire()).map(|reason| reason.name()).collect();
    vec![
        (
            "$ready",
            "Opens every stream.",
            json!({"session": text(), "resumed": {"type": "boolean"}, "channels": list(), "head": text()}),
        ),
        (
            "$reset",
            "Events of these channels up to `through` cannot be given.",
            json!({
                "reason": {"enum": ["expired", "unknown", "unauthorized"]},
                "channels": list(),
                "through": {"type": ["string", "null"]},
            }),
        ),
        ("$subscribed", "Channels are being added.", json!({"channels": list(), "from": text()})),
        ("$joined", "The added channels have caught up.", json!({"channels": list()})),
        (
            "$lagged",
            "Superseded events were skipped.",
            json!({"key": text(), "skipped": {"type": "integer", "minimum": 1}}),
        ),
        ("$expiring", "The credential ends soon.", json!({"at": {"type": "string", "format": "date-time"}})),
        ("$ping", "A heartbeat.", json!({})),
        (
            "$end",
            "The stream ends here.",
            json!({
                "reason": {"enum": reasons},
                "retry": {"enum": ["now", "later", "auth", "never"]},
                "after": {"type": "integer", "description": "Milliseconds."},
            }),
        ),
    ]
}

fn build() -> Value {
    let mut messages = json!({
        "event": {
            "name": "event",
            "title": "An event; its name on the wire is its type.",
            "payload": {"$ref": "#/components/schemas/Event"},
        },
    });
    for (name, title, properties) in controls() {
        messages[name.trim_start_matches('$')] = json!({
            "name": name,
            "title": title,
            "payload": {"type": "object", "properties": properties},
        });
    }
    let references: serde_json::Map<String, Value> =
        messages.as_object().map_or_else(Default::default, |all| {
            all.keys()
                .map(|key| (key.clone(), json!({"$ref": format!("#/components/messages/{key}")})))
                .collect()
        });
    let channel = |address: &str| json!({"address": address, "messages": references});
    let operation =
        |channel: &str| json!({"action": "send", "channel": {"$ref": format!("#/channels/{channel}")}});
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Tidings", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0 OR MIT"}},
        "defaultContentType": "application/json",
        "channels": {"events": channel("/v1/events"), "socket": channel("/v1/ws")},
        "operations": {"streamEvents": operation("events"), "streamSocket": operation("socket")},
        "components": {"messages": messages, "schemas": {"Event": super::openapi::event_schema()}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_protocol::control::Control;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = build();
        for reference in document.to_string().split("\"#/").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(document.pointer(&format!("/{reference}")).is_some(), "{reference}");
        }
    }

    #[test]
    fn controls_are_named_as_on_the_wire() {
        let described: Vec<&str> = controls().into_iter().map(|(name, ..)| name).collect();
        assert!(described.contains(&Control::Ping.name()));
        assert!(described.contains(&Control::End { reason: EndReason::Lifetime, after: None }.name()));
        assert_eq!(described.len(), 8);
    }
}
