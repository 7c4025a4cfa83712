//! From a request to a stream of server-sent events: what it may ask of any stream, the response's head, and the claim
//! of the connection. Routes decide what is streamed, and to whom.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use tidings_core::view::View;
use tidings_protocol::control::Control;
use tidings_protocol::sse::{Block, FieldValue};
use tidings_protocol::{EndReason, ErrorCode};

use super::batch::Batch;
use super::body::{ConnectionCut, EventBody};
use super::open::OpenedStream;
use super::sse::{Framing, HeartbeatForm, SseWire};
use crate::app::App;
use crate::cors;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal, Refused};
use crate::takeover::{Claim, Takeover};

/// How long a client is to wait before it comes back after a connection was lost.
const RETRY: Duration = Duration::from_secs(1);

/// A request that asks for a stream.
#[derive(Debug)]
pub struct SseRequest {
    /// GET, or HEAD, which asks for the headers alone.
    pub method: Method,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Where it comes from.
    pub peer: Peer,
    /// Its query.
    pub query: String,
    version: Version,
    extensions: Extensions,
}

impl FromRequestParts<Arc<App>> for SseRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let peer = Peer::from_request_parts(parts, app).await?;
        Ok(Self {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            peer,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            version: parts.version,
            extensions: parts.extensions.clone(),
        })
    }
}

/// How a stream looks on the wire.
#[derive(Debug, Default)]
pub struct Look {
    /// The heartbeat's form.
    pub heartbeat: HeartbeatForm,
    /// How events look; none for the native view.
    pub view: Option<Arc<dyn View>>,
    /// For how long events are gathered.
    pub batch: Option<Duration>,
}

/// Answers with the stream that was opened; with the headers alone where there is none. On HTTP/1 the connection is
/// claimed and this never answers.
///
/// # Errors
/// The refusal, where the client is to be told by a status.
pub async fn respond(
    app: &Arc<App>,
    request: &SseRequest,
    look: Look,
    opened: Answer<Option<OpenedStream>>,
) -> Answer {
    let opened = match opened {
        Ok(opened) => opened,
        Err(refusal) => return refuse(app, &request.headers, refusal),
    };
    let mut response = stream_headers();
    let Some(opened) = opened else {
        // A body of unknown length, so that the headers are those of the stream.
        let nothing = futures_util::stream::empty::<Result<bytes::Bytes, Infallible>>();
        *response.body_mut() = Body::from_stream(nothing);
        return Ok(response);
    };
    let batch = look.batch.filter(|window| !window.is_zero()).map(|window| Box::new(Batch::new(window)));
    let wire = |framing| SseWire { heartbeat: look.heartbeat, framing, view: look.view, batch };
    let Some(claim) = request.extensions.get::<Claim>() else {
        let cut = request.extensions.get::<ConnectionCut>().cloned().unwrap_or_default();
        *response.body_mut() = Body::new(EventBody::new(app, opened, wire(Framing::Bare), RETRY, cut));
        return Ok(response);
    };
    // What is answered passes through the router's layer; what is taken over does not.
    cors::add_headers(&request.headers, response.headers_mut(), &app.config.cors_origins);
    let framing = if request.version == Version::HTTP_10 { Framing::Bare } else { Framing::Chunked };
    let wire = wire(framing);
    let mut head = response_head(&response, framing);
    head.extend_from_slice(&wire.opening(RETRY));
    claim.take_over(Takeover::Sse(head.into(), Box::new(opened), wire));
    std::future::pending().await
}

/// A native `EventSource` dies for good at any status but 200. One that comes back (it sends `Last-Event-ID`) and is
/// refused for the moment is told so in a stream that ends.
fn refuse(app: &App, headers: &HeaderMap, refusal: Refusal) -> Answer {
    let reason = match refusal.0.code {
        ErrorCode::RateLimited | ErrorCode::TooManyStreams => EndReason::RateLimited,
        ErrorCode::Capacity | ErrorCode::StorageFailed => EndReason::Capacity,
        ErrorCode::ServerShutdown => EndReason::ServerShutdown,
        _ => return Err(refusal),
    };
    if !headers.contains_key("last-event-id") {
        return Err(refusal);
    }
    let least = Duration::from_secs(u64::from(refusal.0.retry_after.unwrap_or(1)));
    let after = least + app.spread(app.registry.len());
    let control = Control::Refused { code: refusal.0.code, reason, after: Some(after) };
    let data = control.to_json();
    let block = Block {
        id: None,
        event: Some(FieldValue::valid_prefix(control.name())),
        retry: Some(after),
        data: Some(&data),
    };
    let mut response = stream_headers();
    *response.body_mut() = Body::from(block.to_bytes());
    response.extensions_mut().insert(Refused(refusal.0.code));
    Ok(response)
}

fn stream_headers() -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The response head as it stands on the wire of HTTP/1.
fn response_head(response: &Response, framing: Framing) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (name, value) in response.headers() {
        if name == header::CONTENT_LENGTH {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(now_millis()));
    head.extend_from_slice(format!("date: {date}\r\n").as_bytes());
    head.extend_from_slice(match framing {
        Framing::Chunked => b"connection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(),
        Framing::Bare => b"connection: close\r\n\r\n".as_slice(),
    });
    head
}

fn now_millis() -> u64 {
    u64::try_from(crate::clock::wall_time().0).unwrap_or_default()
}
