//! `POST /v1/publish`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use tidings_protocol::limits::BATCH_BYTES;
use tidings_protocol::publish::parse_publish;

use super::{json, read_body};
use crate::app::App;
use crate::clock::wall_time;
use crate::problem::Answer;
use crate::requests;

/// Publishes one event, or several, all or none. Answered once the commit is on disk.
pub async fn publish(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let principal = app.auth.from_headers(&headers, wall_time()).await?;
    let body = read_body(&app, body, BATCH_BYTES).await?;
    let drafts = parse_publish(&body)?;
    let outcome = requests::publish(&app, &principal, drafts).await?;
    Ok(json(requests::receipts_json(&outcome)))
}
