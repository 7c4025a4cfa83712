//! `POST /v1/publish`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use tidings_protocol::limits::BATCH_BYTES;
use tidings_protocol::publish::parse_publish;

use super::{Caller, Purpose, json, principal, read_body};
use crate::app::App;
use crate::peer::Peer;
use crate::problem::Answer;
use crate::requests;

/// Publishes one event, or several, all or none. Answered once the commit is on disk.
pub async fn publish(State(app): State<Arc<App>>, peer: Peer, headers: HeaderMap, body: Body) -> Answer {
    let caller = Caller { headers: &headers, peer, purpose: Purpose::Change };
    let principal = principal(&app, caller, None).await?;
    let body = read_body(&app, body, BATCH_BYTES).await?;
    let drafts = parse_publish(&body)?;
    let outcome = requests::publish(&app, &principal, drafts).await?;
    Ok(json(requests::receipts_json(&outcome)))
}
