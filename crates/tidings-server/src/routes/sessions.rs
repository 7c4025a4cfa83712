//! `POST /v1/sessions/{sid}/…`: changing a stream while it runs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tidings_core::Principal;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::socket::parse_change;

use super::{Caller, Purpose, json, principal, read_body};
use crate::app::App;
use crate::auth::narrowed;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};
use crate::requests;
use crate::stream::registry::OpenStream;

/// Largest body of a change: a thousand entries of the longest channels and cursors.
const CHANGE_BYTES: usize = 1024 * 1024;

/// The caller's own stream with this id, and the caller; anybody else's is as unknown as none.
async fn own_stream(
    app: &App,
    headers: &HeaderMap,
    peer: Peer,
    session: &str,
) -> Answer<(OpenStream, Arc<Principal>)> {
    let caller = Caller { headers, peer, purpose: Purpose::Change };
    let principal = principal(app, caller, None).await?;
    let stream = app.registry.find(session).filter(|stream| {
        let held = stream.holder.get();
        held.id == principal.id && held.tenant == principal.tenant
    });
    stream.map(|stream| (stream, principal)).ok_or_else(|| Refusal::of(ErrorCode::SessionUnknown))
}

/// Adds and removes channels of a live stream.
pub async fn change(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (stream, principal) = own_stream(&app, &headers, peer, &session).await?;
    if stream.fixed {
        let why = "the channels of this stream are what they are; open another one";
        return Err(Refusal(Problem::new(ErrorCode::Forbidden, why)));
    }
    let body = read_body(&app, body, CHANGE_BYTES).await?;
    let wanted = parse_change(&body)?;
    // A stream that a ticket opened keeps to the ticket's channels, whoever changes it.
    let within = narrowed(&principal, &stream.holder.get());
    requests::change(&app, &within, stream.mailbox, wanted).await.map(json)
}

/// Gives a live stream a fresh credential of the same principal.
pub async fn renew(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Answer<Response> {
    let (stream, fresh) = own_stream(&app, &headers, peer, &session).await?;
    requests::renew_with(&app, &stream.holder, &stream.mailbox, &fresh)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
