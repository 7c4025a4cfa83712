//! `GET /asyncapi.json`: AsyncAPI 3.0, what goes over the streams: events and controls, on SSE and WebSocket.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tidings_protocol::EndReason;

use super::json as answer;
use crate::app::App;
use crate::module::Module;

/// The description of the streams.
pub async fn document(State(app): State<Arc<App>>) -> Response {
    answer(app.asyncapi.get_or_init(|| build(&app.modules).to_string().into()).clone())
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

/// The messages of the native streams.
fn native() -> Map<String, Value> {
    let mut messages = Map::new();
    let event = json!({
        "name": "event",
        "title": "An event; its name on the wire is its type.",
        "payload": {"$ref": "#/components/schemas/Event"},
    });
    messages.insert("event".to_owned(), event);
    for (name, title, properties) in controls() {
        let message = json!({
            "name": name,
            "title": title,
            "payload": {"type": "object", "properties": properties},
        });
        messages.insert(name.trim_start_matches('$').to_owned(), message);
    }
    messages
}

fn build(modules: &[Arc<dyn Module>]) -> Value {
    let native = native();
    let controls = native.iter().filter(|(name, _)| *name != "event");
    let controls: Map<String, Value> =
        controls.map(|(name, message)| (name.clone(), message.clone())).collect();
    let mut streams = vec![
        ("events".to_owned(), "/v1/events".to_owned(), native.clone()),
        ("socket".to_owned(), "/v1/ws".to_owned(), native.clone()),
    ];
    for (name, address, messages) in modules.iter().flat_map(|module| module.describe().streams) {
        // Every stream carries the controls.
        streams.push((name, address, controls.clone().into_iter().chain(messages).collect()));
    }
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for (name, address, told) in streams {
        let refer = |key: &String| (key.clone(), json!({"$ref": format!("#/components/messages/{key}")}));
        let references: Map<String, Value> = told.keys().map(refer).collect();
        channels.insert(name.clone(), json!({"address": address, "messages": references}));
        let channel = json!({"$ref": format!("#/channels/{name}")});
        operations.insert(format!("stream_{name}"), json!({"action": "send", "channel": channel}));
        messages.extend(told);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Tidings", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0 OR MIT"}},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"Event": super::openapi::event_schema()}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_protocol::control::Control;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = build(&[]);
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
