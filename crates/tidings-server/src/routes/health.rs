//! Health, readiness and metrics: for whoever runs the server, without a credential.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use tidings_protocol::ErrorCode;

use super::json;
use crate::app::App;
use crate::problem::{Answer, Refusal};

/// `GET /healthz`: the process answers.
pub async fn live() -> Response {
    json(r#"{"status":"ok"}"#)
}

/// `GET /readyz`: requests are taken and events can be written.
pub async fn ready(State(app): State<Arc<App>>) -> Answer<Response> {
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    app.store.health()?;
    Ok(json(r#"{"status":"ready"}"#))
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.metrics.hub(app.hub.counters(), app.pages.counters());
    let mut response = app.metrics.render().into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
