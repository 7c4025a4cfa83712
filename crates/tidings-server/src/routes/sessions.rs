//! `POST /v1/sessions/{sid}/…`: changing a stream while it runs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tidings_protocol::ErrorCode;
use tidings_protocol::socket::parse_change;

use super::{json, read_body};
use crate::app::App;
use crate::clock::wall_time;
use crate::problem::{Answer, Refusal};
use crate::requests;
use crate::stream::registry::OpenStream;

/// Largest body of a change: a thousand entries of the longest channels and cursors.
const CHANGE_BYTES: usize = 1024 * 1024;

/// The caller's own stream with this id; anybody else's is as unknown as none.
async fn own_stream(
    app: &App,
    headers: &HeaderMap,
    session: &str,
) -> Answer<(OpenStream, Arc<tidings_core::Principal>)> {
    let principal = app.auth.from_headers(headers, wall_time()).await?;
    let stream = app.registry.find(session);
    let own = stream
        .filter(|stream| stream.principal.id == principal.id && stream.principal.tenant == principal.tenant);
    own.map(|stream| (stream, principal)).ok_or_else(|| Refusal::of(ErrorCode::SessionUnknown))
}

/// Adds and removes channels of a live stream.
pub async fn change(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (stream, principal) = own_stream(&app, &headers, &session).await?;
    let body = read_body(&app, body, CHANGE_BYTES).await?;
    let wanted = parse_change(&body)?;
    requests::change(&app, &principal, stream.mailbox, wanted).await.map(json)
}

/// Gives a live stream a fresh credential of the same principal.
pub async fn renew(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (stream, fresh) = own_stream(&app, &headers, &session).await?;
    requests::renew_with(&app, &stream.principal, &stream.mailbox, &fresh)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
