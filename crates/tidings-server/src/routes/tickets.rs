//! `POST /v1/tickets`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json as value;
use tidings_core::Principal;
use tidings_protocol::json::from_object;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ErrorCode, Pattern};

use super::{Caller, Purpose, json, principal, read_body};
use crate::access::authorize;
use crate::app::App;
use crate::clock::wall_time;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};
use crate::stream::open::Ask;
use crate::tickets::{TICKET_LIFE, Ticket};

/// Largest body: a thousand of the longest channels.
const TICKET_BYTES: usize = 512 * 1024;

#[derive(Deserialize)]
struct Wanted {
    channels: Vec<String>,
    origin: Option<String>,
}

/// The principal as a ticket stands for it: it may subscribe to the ticket's channels, also on the open stream, and do
/// nothing else.
fn narrowed(principal: &Principal, channels: &[Pattern]) -> Arc<Principal> {
    Arc::new(Principal { only: Some(channels.into()), ..principal.clone() })
}

/// Issues a ticket for channels that the credential may subscribe to.
pub async fn issue(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let now = wall_time();
    let caller = Caller { headers: &headers, peer, purpose: Purpose::Change };
    let principal = principal(&app, caller, None).await?;
    let body = read_body(&app, body, TICKET_BYTES).await?;
    let wanted: Wanted = from_object(&body)?;
    let mut ask = Ask::default();
    ask.set_channels(&wanted.channels, app.config.limits.channels_per_session)?;
    authorize(&app, &principal, &ask.patterns).await?;
    let life = i64::try_from(TICKET_LIFE.as_millis()).unwrap_or(i64::MAX);
    let expires_at = Timestamp(now.0 + life);
    let ticket = Ticket { principal: narrowed(&principal, &ask.patterns), origin: wanted.origin, expires_at };
    let text = app.tickets.issue(ticket, now, app.config.limits.tickets)?;
    if app.auth.has_ended(&principal) {
        return Err(Refusal::of(ErrorCode::Unauthenticated));
    }
    Ok(json(value!({"ticket": text, "expiresAt": expires_at}).to_string()))
}
