//! The routes under `/v1`, and those beside it.

pub mod account;
pub mod asyncapi;
pub mod events;
pub mod health;
pub mod history;
pub mod openapi;
pub mod publish;
pub mod sessions;
pub mod socket;
pub mod tickets;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tidings_core::Principal;
use tidings_protocol::ErrorCode;
use tidings_protocol::limits::URL_BYTES;
use tidings_protocol::problem::Problem;

use crate::app::App;
use crate::audit::About;
use crate::auth::credential::{self, Sent};
use crate::clock::wall_time;
use crate::metrics::NO_ROUTE;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal, Refused};
use crate::tickets::Unusable;
use crate::{cors, origin};

/// All routes: the core's and the apps'.
pub fn router(app: Arc<App>) -> axum::Router {
    let mut router = axum::Router::new()
        .route("/v1/publish", post(publish::publish))
        .route("/v1/events", get(events::events))
        .route(socket::PATH, get(socket::socket))
        .route("/v1/poll", get(history::poll).post(history::poll_by_body))
        .route("/v1/history", get(history::history))
        .route("/v1/sessions/{session}/subscriptions", post(sessions::change))
        .route("/v1/sessions/{session}/credential", post(sessions::renew))
        .route("/v1/tickets", post(tickets::issue))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/asyncapi.json", get(asyncapi::document))
        .route("/auth/login", post(account::login))
        .route("/auth/logout", post(account::logout))
        .route("/auth/me", get(account::me))
        .route("/auth/sessions", get(account::sessions).delete(account::end_sessions))
        .route("/auth/sessions/{id}", delete(account::end_session))
        .with_state(app.clone());
    for module in &app.modules {
        router = router.merge(module.routes(&app));
    }
    router
        .fallback(|| async { Refusal::of(ErrorCode::NotFound) })
        .method_not_allowed_fallback(|| async { Refusal::of(ErrorCode::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(app, around))
}

/// What holds for every request: preflights, CORS headers, the longest URL, and the count of refusals. What leaves the
/// library by a takeover does not come back here.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let origins = &app.config.cors_origins;
    if request.method() == Method::OPTIONS {
        let mut response = StatusCode::NO_CONTENT.into_response();
        cors::add_preflight_headers(&asked, response.headers_mut(), origins);
        return response;
    }
    let route = request.extensions().get::<MatchedPath>().cloned();
    let too_long = request.uri().path_and_query().is_some_and(|target| target.as_str().len() > URL_BYTES);
    let mut response = if too_long {
        Refusal::of(ErrorCode::UriTooLong).into_response()
    } else if !is_text(request.uri().path()) {
        let problem = Problem::new(ErrorCode::InvalidParameter, "the path's percent-encoding is no UTF-8");
        Refusal(problem.at("path")).into_response()
    } else {
        next.run(request).await
    };
    if let Some(Refused(code)) = response.extensions().get() {
        app.metrics.refused(*code, route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str));
    }
    cors::add_headers(&asked, response.headers_mut(), origins);
    response
}

/// Whether a path's percent-encoding (RFC 3986, 2.1) stands for UTF-8.
fn is_text(path: &str) -> bool {
    let name = format!("x={}", path.replace(['&', '+', '='], "_"));
    let bytes = name.as_bytes();
    let decoded = (0..bytes.len()).scan(0, |skip, at| {
        if *skip > 0 {
            *skip -= 1;
            return Some(None);
        }
        let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                *skip = 2;
                Some(u8::try_from(high * 16 + low).ok())
            }
            (byte, ..) => Some(Some(byte)),
        }
    });
    std::str::from_utf8(&decoded.flatten().collect::<Vec<u8>>()).is_ok()
}

/// What a request is about to do, as far as credentials are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Read a record or a list, which no page of another origin can see.
    Read,
    /// Ask for events without opening a stream.
    Ask,
    /// Open a stream, which counts by the minute.
    Open,
    /// Change something.
    Change,
}

/// Who asks, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Where it comes from.
    pub peer: Peer,
    /// What for.
    pub purpose: Purpose,
}

/// The principal of the request's credential, or of a ticket.
///
/// # Errors
/// `wrong_origin` where a page of another origin would use a cookie; `unauthenticated`, `ticket_spent`; `rate_limited`,
/// before these.
pub async fn principal(app: &App, caller: Caller<'_>, ticket: Option<&str>) -> Answer<Arc<Principal>> {
    let opens = caller.purpose == Purpose::Open;
    let found = match ticket {
        Some(ticket) => Ok(redeem(app, &caller, ticket)?),
        None => credential(app, &caller).await,
    };
    match found {
        Ok(principal) => {
            if opens {
                app.gates.principal(&principal)?;
            }
            Ok(principal)
        }
        Err(refusal) if refusal.0.code == ErrorCode::Unauthenticated && opens => {
            app.gates.anonymous(caller.peer.0)?;
            Err(refusal)
        }
        Err(refusal) => {
            note_refusal(app, &caller, &refusal);
            Err(refusal)
        }
    }
}

/// Attempts without the right stand in the audit log; those that would open a stream are noted where it would be.
fn note_refusal(app: &App, caller: &Caller<'_>, Refusal(problem): &Refusal) {
    let is_attempt = matches!(problem.code, ErrorCode::Unauthenticated | ErrorCode::WrongOrigin);
    if is_attempt && matches!(caller.purpose, Purpose::Read | Purpose::Change) {
        let about = About::new("access", None, caller.headers, caller.peer);
        app.audit.refused(&about, "access.refused".to_owned(), problem.code, &serde_json::Map::new());
    }
}

async fn credential(app: &App, caller: &Caller<'_>) -> Answer<Arc<Principal>> {
    let cookie = cookie_name(origin::is_https(&app.config, caller.headers));
    let sent = credential::sent(caller.headers, cookie)?;
    if matches!(sent, Sent::Cookie(_)) && caller.purpose != Purpose::Read {
        origin::check(&app.config, caller.headers)?;
    }
    app.auth.principal(sent, wall_time()).await
}

/// The name of the session's cookie.
pub(crate) const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { credential::HOST_COOKIE } else { credential::COOKIE }
}

/// The principal of a ticket. One that is spent counts against whoever had it, one that never was against the address.
fn redeem(app: &App, caller: &Caller<'_>, text: &str) -> Answer<Arc<Principal>> {
    let origin = caller.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    match app.tickets.redeem(text, origin, wall_time()) {
        Ok(ticket) => Ok(ticket.principal),
        Err(Unusable(owner)) => {
            match owner {
                Some(owner) => app.gates.owner(&owner)?,
                None => app.gates.anonymous(caller.peer.0)?,
            }
            Err(Refusal::of(ErrorCode::TicketSpent))
        }
    }
}

/// Reads a body within the limits of size and time.
///
/// # Errors
/// `body_too_large`, `request_timeout`, `invalid_body` where it breaks off.
pub async fn read_body(app: &App, body: Body, max_bytes: usize) -> Answer<Bytes> {
    let within = app.config.limits.body_timeout;
    let within = if within.is_zero() { Duration::from_secs(24 * 3600) } else { within };
    match tokio::time::timeout(within, Limited::new(body, max_bytes).collect()).await {
        Err(_) => Err(Refusal::of(ErrorCode::RequestTimeout)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body has more than {max_bytes} bytes");
            Err(Refusal(Problem::new(ErrorCode::BodyTooLarge, detail)))
        }
        Ok(Err(_)) => Err(Refusal(Problem::new(ErrorCode::InvalidBody, "the body broke off"))),
    }
}

/// A JSON answer that no cache keeps.
pub fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
