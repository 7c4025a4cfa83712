//! `GET /v1/events`: server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use tidings_protocol::control::Control;
use tidings_protocol::sse::{Block, FieldValue};
use tidings_protocol::{EndReason, ErrorCode};

use super::{Caller, principal};
use crate::app::App;
use crate::cors;
use crate::metrics::Transport;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};
use crate::stream::body::{ConnectionCut, EventBody};
use crate::stream::open::{Ask, OpenedStream, authorize, open};
use crate::stream::sse::{Framing, SseWire};
use crate::takeover::{Claim, Takeover};

/// How long a client is to wait before it comes back after a connection was lost.
const RETRY: Duration = Duration::from_secs(1);

/// Opens a stream. On HTTP/1 the connection is claimed and this never answers.
pub async fn events(
    State(app): State<Arc<App>>,
    method: Method,
    version: Version,
    headers: HeaderMap,
    peer: Peer,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut ask = Ask::from_query(&query.unwrap_or_default())?;
    ask.read_headers(&headers);
    let heartbeat = ask.heartbeat;
    let opened = match open_stream(&app, &headers, peer, ask, &method).await {
        Ok(opened) => opened,
        Err(refusal) => return refuse(&app, &headers, refusal),
    };
    let mut response = stream_headers();
    let Some(opened) = opened else {
        // A body of unknown length, so that the headers are those of the stream.
        let nothing = futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>();
        *response.body_mut() = Body::from_stream(nothing);
        return Ok(response);
    };
    let Some(claim) = extensions.get::<Claim>() else {
        let cut = extensions.get::<ConnectionCut>().cloned().unwrap_or_default();
        *response.body_mut() = Body::new(EventBody::new(&app, opened, heartbeat, RETRY, cut));
        return Ok(response);
    };
    // What is answered passes through the router's layer; what is taken over does not.
    cors::add_headers(&headers, response.headers_mut(), &app.config.cors_origins);
    let framing = if version == Version::HTTP_10 { Framing::Bare } else { Framing::Chunked };
    let wire = SseWire { heartbeat, framing };
    let mut head = response_head(&response, framing);
    head.extend_from_slice(&wire.opening(RETRY));
    claim.take_over(Takeover::Sse(head.into(), Box::new(opened), wire));
    std::future::pending().await
}

/// Opens the session; none for HEAD, which asks for the headers alone.
async fn open_stream(
    app: &Arc<App>,
    headers: &HeaderMap,
    peer: Peer,
    ask: Ask,
    method: &Method,
) -> Answer<Option<OpenedStream>> {
    let principal = principal(app, Caller { headers, peer, counts: true }, &ask).await?;
    authorize(app, &principal, &ask.patterns)?;
    if app.draining.is_cancelled() {
        return Err(Refusal::of(ErrorCode::ServerShutdown));
    }
    if method == Method::HEAD {
        return Ok(None);
    }
    open(app, principal, ask, Transport::Sse, app.stream_session.clone()).await.map(Some)
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
    app.metrics.refused(refusal.0.code);
    let least = Duration::from_secs(u64::from(refusal.0.retry_after.unwrap_or(1)));
    let after = least + app.spread(app.registry.len());
    let control = Control::End { reason, after: Some(after) };
    let data = control.to_json();
    let block = Block {
        id: None,
        event: Some(FieldValue::valid_prefix(control.name())),
        retry: Some(after),
        data: Some(&data),
    };
    let mut response = stream_headers();
    *response.body_mut() = Body::from(block.to_bytes());
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
