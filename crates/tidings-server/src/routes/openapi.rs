//! `GET /openapi.json`: OpenAPI 3.1, put together from the tables that the server itself uses.
//!
//! Owns: which routes are described, and the description of each. A test holds it against the router.

mod schemas;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tidings_protocol::ErrorCode;

use super::json as answer;
use crate::app::App;
use crate::auth::credential::COOKIE;
use crate::module::{Description, Module};

/// The description of this API, the apps' routes with it.
pub async fn document(State(app): State<Arc<App>>) -> Response {
    answer(app.openapi.get_or_init(|| build(&app.modules).to_string().into()).clone())
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
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Its method, in lower case.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What it does, in a sentence or two.
    pub summary: &'static str,
    /// Names among the parameters: those of its path, its query and its headers.
    pub parameters: &'static [&'static str],
    /// The schema of its body.
    pub body: Option<&'static str>,
    /// What it answers.
    pub success: Success,
    /// With what it may refuse, besides what every route may.
    pub refusals: &'static [ErrorCode],
    /// Whether it needs a credential.
    pub is_open: bool,
}

/// What a route answers where it does not refuse.
#[derive(Debug, Clone, Copy)]
pub enum Success {
    /// 200 and this schema.
    Json(&'static str),
    /// 201 and this schema.
    Created(&'static str),
    /// 202 and this schema.
    Accepted(&'static str),
    /// A stream of server-sent events.
    Stream,
    /// The protocol is switched.
    Upgrade,
    /// 204.
    Empty,
    /// 200 and text.
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
    ErrorCode::SignedOut,
    ErrorCode::Revoked,
    ErrorCode::ForbiddenChannel,
    ErrorCode::WrongOrigin,
    ErrorCode::UriTooLong,
    ErrorCode::RateLimited,
    ErrorCode::TooManyStreams,
    ErrorCode::StorageFailed,
    ErrorCode::Capacity,
    ErrorCode::ServerShutdown,
];

const STREAM: &[&str] = &["channel", "type", "category", "since", "ticket", "heartbeat", "Last-Event-ID"];
const EVENTS: &[&str] =
    &["channel", "type", "category", "since", "ticket", "heartbeat", "batch", "Last-Event-ID"];

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
            ErrorCode::ReservedChannel,
            ErrorCode::WrongOrigin,
            ErrorCode::RequestTimeout,
            ErrorCode::ChannelEnded,
            ErrorCode::IdempotencyConflict,
            ErrorCode::BodyTooLarge,
            ErrorCode::IdempotencyQuota,
            ErrorCode::StorageFailed,
            ErrorCode::Capacity,
        ],
        is_open: false,
    },
    Route {
        method: "get",
        path: "/v1/events",
        summary: "A stream of server-sent events; see PROTOCOL.md for its blocks and controls.",
        parameters: EVENTS,
        body: None,
        success: Success::Stream,
        refusals: READING,
        is_open: false,
    },
    Route {
        method: "get",
        path: "/v1/ws",
        summary: "A WebSocket (RFC 6455) with JSON text frames; refusals are told by `$end` and a close code.",
        parameters: STREAM,
        body: None,
        success: Success::Upgrade,
        refusals: &[ErrorCode::InvalidParameter, ErrorCode::UpgradeRequired],
        is_open: false,
    },
    Route {
        method: "get",
        path: "/v1/poll",
        summary: "Wait until there is something after a cursor.",
        parameters: &["channel", "type", "category", "after", "wait", "limit", "ticket"],
        body: None,
        success: Success::Json("Page"),
        refusals: READING,
        is_open: false,
    },
    Route {
        method: "post",
        path: "/v1/poll",
        summary: "The same, for more channels than a URL holds.",
        parameters: &[],
        body: Some("Poll"),
        success: Success::Json("Page"),
        refusals: READING,
        is_open: false,
    },
    Route {
        method: "get",
        path: "/v1/history",
        summary: "What the log holds after a cursor, or from the oldest retained event, at once.",
        parameters: &["channel", "type", "category", "after", "limit", "ticket"],
        body: None,
        success: Success::Json("Page"),
        refusals: READING,
        is_open: false,
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
            ErrorCode::Forbidden,
            ErrorCode::WrongOrigin,
            ErrorCode::SessionUnknown,
            ErrorCode::Capacity,
        ],
        is_open: false,
    },
    Route {
        method: "post",
        path: "/v1/sessions/{session}/credential",
        summary: "Give a live stream a fresh credential of the same principal.",
        parameters: &["session"],
        body: None,
        success: Success::Empty,
        refusals: &[
            ErrorCode::Unauthenticated,
            ErrorCode::Forbidden,
            ErrorCode::WrongOrigin,
            ErrorCode::SessionUnknown,
        ],
        is_open: false,
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
            ErrorCode::WrongOrigin,
            ErrorCode::RateLimited,
            ErrorCode::Capacity,
        ],
        is_open: false,
    },
    Route {
        method: "get",
        path: "/healthz",
        summary: "The process answers.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
        is_open: true,
    },
    Route {
        method: "get",
        path: "/readyz",
        summary: "Requests are taken and events can be written.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[ErrorCode::StorageFailed, ErrorCode::ServerShutdown],
        is_open: true,
    },
    Route {
        method: "get",
        path: "/metrics",
        summary: "Counts in OpenMetrics' text format.",
        parameters: &[],
        body: None,
        success: Success::Text,
        refusals: &[],
        is_open: true,
    },
    Route {
        method: "get",
        path: "/openapi.json",
        summary: "This description.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
        is_open: true,
    },
    Route {
        method: "get",
        path: "/asyncapi.json",
        summary: "What goes over the streams, as AsyncAPI 3.0.",
        parameters: &[],
        body: None,
        success: Success::Json("Status"),
        refusals: &[],
        is_open: true,
    },
    Route {
        method: "post",
        path: "/auth/login",
        summary: "Sign in with a password; the answer sets the session's cookie.",
        parameters: &[],
        body: Some("Login"),
        success: Success::Json("Me"),
        refusals: &[
            ErrorCode::InvalidBody,
            ErrorCode::InvalidLogin,
            ErrorCode::WrongOrigin,
            ErrorCode::RateLimited,
            ErrorCode::Capacity,
        ],
        is_open: true,
    },
    Route {
        method: "post",
        path: "/auth/logout",
        summary: "Sign out: the session of the cookie ends, and its streams with it.",
        parameters: &[],
        body: None,
        success: Success::Empty,
        refusals: &[ErrorCode::WrongOrigin],
        is_open: true,
    },
    Route {
        method: "get",
        path: "/auth/me",
        summary: "Who is signed in.",
        parameters: &[],
        body: None,
        success: Success::Json("Me"),
        refusals: &[ErrorCode::Unauthenticated],
        is_open: false,
    },
    Route {
        method: "get",
        path: "/auth/sessions",
        summary: "Where the user is signed in, newest first.",
        parameters: &[],
        body: None,
        success: Success::Json("CookieSessions"),
        refusals: &[ErrorCode::Unauthenticated],
        is_open: false,
    },
    Route {
        method: "delete",
        path: "/auth/sessions",
        summary: "Sign the user out everywhere.",
        parameters: &[],
        body: None,
        success: Success::Empty,
        refusals: &[ErrorCode::Unauthenticated, ErrorCode::WrongOrigin],
        is_open: false,
    },
    Route {
        method: "delete",
        path: "/auth/sessions/{id}",
        summary: "End one of the user's sessions.",
        parameters: &["id"],
        body: None,
        success: Success::Empty,
        refusals: &[ErrorCode::Unauthenticated, ErrorCode::WrongOrigin, ErrorCode::NotFound],
        is_open: false,
    },
];

fn build(modules: &[Arc<dyn Module>]) -> Value {
    let apps: Vec<Description> = modules.iter().map(|module| module.describe()).collect();
    let mut paths = Map::new();
    for route in ROUTES.iter().chain(apps.iter().flat_map(|app| app.routes)) {
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
        "security": [{"bearer": []}, {"apiKey": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
            "parameters": with(schemas::parameters(), apps.iter().map(|app| &app.parameters)),
            "schemas": with(schemas::schemas(), apps.iter().map(|app| &app.schemas)),
        },
    })
}

/// The core's members, and the apps'.
pub(super) fn with<'a>(mut own: Value, more: impl Iterator<Item = &'a Map<String, Value>>) -> Value {
    if let Value::Object(all) = &mut own {
        all.extend(more.flatten().map(|(name, value)| (name.clone(), value.clone())));
    }
    own
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
    if route.is_open {
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
        Success::Created(name) => {
            ("201", json!({"content": {"application/json": {"schema": reference(name)}}}))
        }
        Success::Accepted(name) => {
            ("202", json!({"content": {"application/json": {"schema": reference(name)}}}))
        }
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
        let document = build(&[]);
        let text = document.to_string();
        for reference in text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(&format!("/{reference}")).is_some(), "{reference}");
        }
    }

    #[test]
    fn path_parameters_are_declared() {
        for route in ROUTES {
            for name in ["session", "id"] {
                let in_path = route.path.contains(&format!("{{{name}}}"));
                assert_eq!(in_path, route.parameters.contains(&name), "{}", route.path);
            }
        }
    }
}
