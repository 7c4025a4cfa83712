//! `GET /openapi.json`: OpenAPI 3.1, put together from the tables that the server itself uses.
//!
//! Owns: which routes are described, and the description of each. A test holds it against the router.

mod schemas;

use std::sync::OnceLock;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tidings_protocol::ErrorCode;

use super::json as answer;

/// The description of this API.
pub async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    answer(DOCUMENT.get_or_init(|| build().to_string().into()).clone())
}

/// The shape of an event, without references, for the description of the streams.
pub(super) fn event_schema() -> Value {
    let mut schema = schemas::schemas()["Event"].take();
    if let Some(properties) = schema["properties"].as_object_mut() {
        for property in properties.values_mut().filter(|property| property.to_string().contains("$ref")) {
            *property = if property.get("items").is_some() {
                json!({"type": "array", "items": {"type": "string"}})
            } else {
                json!({"type": "string"})
            };
        }
    }
    schema
}

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    body: Option<&'static str>,
    success: Success,
    refusals: &'static [ErrorCode],
}

enum Success {
    Json(&'static str),
    Stream,
    Upgrade,
    Empty,
    Text,
}

const READING: &[ErrorCode] = &[
    ErrorCode::InvalidParameter,
    ErrorCode::InvalidChannel,
    ErrorCode::InvalidType,
    ErrorCode::InvalidCursor,
    ErrorCode::TooManyChannels,
    ErrorCode::Unauthenticated,
    ErrorCode::TicketSpent,
    ErrorCode::Expired,
    ErrorCode::Revoked,
    ErrorCode::ForbiddenChannel,
    ErrorCode::UriTooLong,
    ErrorCode::TooManyStreams,
    ErrorCode::Capacity,
    ErrorCode::ServerShutdown,
];

const STREAM: &[&str] = &["channel", "type", "category", "since", "ticket", "heartbeat", "Last-Event-ID"];

/// Every route of the core.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "post",
        path: "/v1/publish",
        summary: "Publish one event, or several, all or none. Answered once the commit is on disk.",
        parameters: &[],
        body: Some("Publish"),
        success: Success::Json("Receipts"),
        refusals: &[
            ErrorCode::InvalidBody,
            ErrorCode::InvalidChannel,
            ErrorCode::InvalidType,
            ErrorCode::ReservedType,
            ErrorCode::InvalidData,
            ErrorCode::TooManyEvents,
            ErrorCode::IdempotencyKeyRepeated,
            ErrorCode::Unauthenticated,
            ErrorCode::ForbiddenChannel,
            ErrorCode::Forbidden,
            ErrorCode::RequestTimeout,
            ErrorCode::ChannelEnded,
            ErrorCode::IdempotencyConflict,
            ErrorCode::BodyTooLarge,
            ErrorCode::IdempotencyQuota,
            ErrorCode::StorageFailed,
            ErrorCode::Capacity,
        ],
    },
    Route {
        method: "get",
        path: "/v1/events",
        summary: "A stream of server-sent events; see PROTOCOL.md for its blocks and controls.",
        parameters: STREAM,
        body: None,
        success: Success::Stream,
        refusals: READING,
    },
    Route {
        method: "get",
        path: "/v1/ws",
        summary: "A WebSocket (RFC 6455) with JSON text frames; refusals are told by `$end` and a close code.",
        parameters: STREAM,
        body: None,
        success: Success::Upgrade,
        refusals: &[ErrorCode::InvalidParameter, ErrorCode::UpgradeRequired],
    },
    Route {
        method: "get",
        path: "/v1/poll",
        summary: "Wait until there is something after a cursor.",
        parameters: &["channel", "type", "category", "after", "wait", "limit", "ticket"],
        body: None,
        success: Success::Json("Page"),
        refusals: READING,
    },
    Route {
        method: "post",
        path: "/v1/poll",
        summary: "The same, for more channels than a URL holds.",
        parameters: &[],
        body: Some("Poll"),
        success: Success::Json("Page"),
        refusals: READING,
    },
    Route {
        method: "get",
        path: "/v1/history",
        summary: "What the log holds after a cursor, or from the oldest retained event, at once.",
        parameters: &["channel", "type", "category", "after", "limit", "ticket"],
        body: None,
        success: Success::Json("Page"),
        refusals: READING,
    },
    Route {
        method: "post",
        path: "/v1/sessions/{session}/subscriptions",
        summary: "Change the channels of a live stream.",
        parameters: &["session"],
        body: Some("Change"),
        success: Success::Json("Changed"),
        refusals: &[
            ErrorCode::InvalidBody,
            ErrorCode::InvalidChannel,
            ErrorCode::TooManyChannels,
            ErrorCode::Unauthenticated,
            ErrorCode::SessionUnknown,
            ErrorCode::Capacity,
        ],
    },
    Route {
        method: "post",
        path: "/v1/sessions/{session}/credential",
        summary: "Give a live stream a fresh credential of the same principal.",
        parameters: &["session"],
        body: None,
        success: Success::Empty,
        refusals: &[ErrorCode::Unauthenticated, ErrorCode::Forbidden, ErrorCode::SessionUnknown],
    },
    Route {
        method: "post",
        path: "/v1/tickets",
        summary: "A ticket: good once, for 30 seconds, where headers cannot be sent.",
        parameters: &[],
        body: Some("TicketRequest"),
        success: Success::Json("Ticket"),
        refusals: &[
            ErrorCode::InvalidBody,
            ErrorCode::InvalidChannel,
            ErrorCode::Unauthenticated,
            ErrorCode::ForbiddenChannel,
            ErrorCode::RateLimited,
            ErrorCode::Capacity,
        ],
    },
    Route {
        method: "get",
        path: "/healthz",
        summary: "The process answers.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/readyz",
        summary: "Requests are taken and events can be written.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[ErrorCode::StorageFailed, ErrorCode::ServerShutdown],
    },
    Route {
        method: "get",
        path: "/metrics",
        summary: "Counts in OpenMetrics' text format.",
        parameters: &[],
        body: None,
        success: Success::Text,
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/openapi.json",
        summary: "This description.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/asyncapi.json",
        summary: "What goes over the streams, as AsyncAPI 3.0.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
    },
];

fn build() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidings",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tells everyone who may know, the moment something changes.",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "parameters": schemas::parameters(),
            "schemas": schemas::schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect();
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Some(body) = route.body {
        let schema = json!({"$ref": format!("#/components/schemas/{body}")});
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    if !route.path.starts_with("/v1/") {
        operation["security"] = json!([]);
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let words: Vec<&str> = route.path.split(['/', '.', '{', '}']).filter(|word| !word.is_empty()).collect();
    format!("{}_{}", route.method, words.join("_"))
}

fn responses(route: &Route) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let (status, mut success) = match route.success {
        Success::Json(name) => ("200", json!({"content": {"application/json": {"schema": reference(name)}}})),
        Success::Stream => ("200", json!({"content": {"text/event-stream": {"schema": {"type": "string"}}}})),
        Success::Text => {
            ("200", json!({"content": {"application/openmetrics-text": {"schema": {"type": "string"}}}}))
        }
        Success::Upgrade => ("101", json!({})),
        Success::Empty => ("204", json!({})),
    };
    success["description"] = "Done.".into();
    let mut responses = Map::new();
    responses.insert(status.to_owned(), success);
    for code in route.refusals {
        let entry = responses.entry(code.status().to_string()).or_insert_with(|| {
            json!({
                "description": "",
                "content": {"application/problem+json": {"schema": reference("Problem")}},
            })
        });
        let known = entry["description"].as_str().unwrap_or_default();
        let line = format!("`{}`: {}", code.name(), code.meaning());
        entry["description"] =
            if known.is_empty() { line.into() } else { format!("{known}\n\n{line}").into() };
    }
    Value::Object(responses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = build();
        let text = document.to_string();
        for reference in text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(&format!("/{reference}")).is_some(), "{reference}");
        }
    }

    #[test]
    fn path_parameters_are_declared() {
        for route in ROUTES {
            assert_eq!(
                route.path.contains("{session}"),
                route.parameters.contains(&"session"),
                "{}",
                route.path
            );
        }
    }
}
