//! `GET /v1/ws`: the native WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap, HeaderValue, Method, Version, header};
use tidings_protocol::control::Control;
use tidings_protocol::problem::Problem;
use tidings_protocol::ws::{AcceptKey, CloseCode, accept_upgrade};
use tidings_protocol::{EndReason, ErrorCode};

use super::{Caller, Purpose, principal};
use crate::access::authorize;
use crate::app::App;
use crate::audit::About;
use crate::metrics::Transport;
use crate::origin;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};
use crate::stream::open::{Ask, OpenedStream, Plan, open};
use crate::stream::websocket::SocketStart;
use crate::takeover::{Claim, Takeover};

/// Where it is served.
pub const PATH: &str = "/v1/ws";

/// Opens a WebSocket. The connection is claimed and this never answers; only a request that is no upgrade is answered.
pub async fn socket(
    State(app): State<Arc<App>>,
    method: Method,
    version: Version,
    headers: HeaderMap,
    peer: Peer,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Answer {
    if method != Method::GET {
        // RFC 6455, 4.1: a HEAD, which the router takes for a GET, is no upgrade.
        return Err(Refusal::of(ErrorCode::MethodNotAllowed));
    }
    let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let accept = match accept_upgrade(lines) {
        Ok(accept) => accept,
        Err(refusal) => return Ok(not_an_upgrade(&refusal)),
    };
    // RFC 6455, 4.1: over HTTP/1.1; HTTP/1.0 knows no upgrade.
    let Some(claim) = extensions.get::<Claim>().filter(|_| version == Version::HTTP_11) else {
        let problem = Problem::new(ErrorCode::UpgradeRequired, "WebSocket is served over HTTP/1.1 here");
        return Err(Refusal(problem));
    };
    let query = query.unwrap_or_default();
    let resource = Ask::from_query(&query).ok().and_then(|ask| ask.resource());
    let about = About::new("stream.ws", resource, &headers, peer);
    let opened = open_socket(&app, &headers, peer, &query, &about).await;
    let opened = app.audit.watch(&about, opened);
    let start = opened.unwrap_or_else(|refusal| refused(&app, &refusal));
    claim.take_over(Takeover::Socket(response_head(&accept).into(), start));
    std::future::pending().await
}

async fn open_socket(
    app: &Arc<App>,
    headers: &HeaderMap,
    peer: Peer,
    query: &str,
    about: &About,
) -> Answer<SocketStart> {
    let mut ask = Ask::from_query(query)?;
    ask.read_headers(headers);
    // Whatever the credential: a page of another origin has no business here.
    origin::check(&app.config, headers)?;
    let heartbeat = ask.heartbeat;
    let caller = Caller { headers, peer, purpose: Purpose::Open };
    let principal = principal(app, caller, ask.ticket.as_deref()).await?;
    about.is_by(&principal);
    authorize(app, &principal, &ask.patterns).await?;
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    let plan = Plan { transport: Transport::WebSocket, ..Plan::stream(app, about.clone()) };
    let opened: OpenedStream = open(app, principal, ask, plan).await?;
    Ok(SocketStart::Open(Box::new(opened), heartbeat))
}

fn not_an_upgrade(refusal: &tidings_protocol::ws::Refusal) -> Response {
    let code = if refusal.status() == 426 { ErrorCode::UpgradeRequired } else { ErrorCode::InvalidParameter };
    let mut response = Refusal(Problem::new(code, refusal.to_string())).into_response();
    if let Some(version) = refusal.version_header() {
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version));
    }
    response
}

/// Browsers hide the status of a refused upgrade: it is completed, says why in its `$end`, and closes.
fn refused(app: &App, refusal: &Refusal) -> SocketStart {
    let least = refusal.0.retry_after.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let later = Some(least.unwrap_or(Duration::from_secs(1)) + app.spread(app.registry.len()));
    let (reason, after, close) = match refusal.0.code.status() {
        401 => (EndReason::Expired, None, CloseCode::UNAUTHORIZED),
        429 => (EndReason::RateLimited, later, CloseCode::TOO_MANY),
        503 if refusal.0.code == ErrorCode::ServerShutdown => {
            (EndReason::ServerShutdown, later, CloseCode::LATER)
        }
        500.. => (EndReason::Capacity, later, CloseCode::LATER),
        _ => (EndReason::EndedByAdmin, None, CloseCode::FORBIDDEN),
    };
    let code = refusal.0.code;
    SocketStart::Refused(Control::Refused { code, reason, after }, close, code)
}

fn response_head(accept: &AcceptKey) -> Vec<u8> {
    let accept = accept.as_str();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}
