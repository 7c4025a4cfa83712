//! One accepted connection, from its first byte to its end or to its takeover by a stream.
//!
//! HTTP/2 is recognised by its preface (RFC 9113, 3.4) and stays in the library. HTTP/1.1 and 1.0 are served by the
//! library until a handler claims the connection. A request head must be complete within the header timeout of its
//! first byte; between requests a connection may idle longer.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::ServiceExt;

use crate::app::App;
use crate::departure::Departure;
use crate::guard::ConnectionGuard;
use crate::routes::socket;
use crate::stream::body::ConnectionCut;
use crate::stream::io::StreamIo;
use crate::stream::pump::Pump;
use crate::stream::sse::SseTask;
use crate::stream::websocket::{SocketStart, SocketTask, refuse};
use crate::takeover::{Claim, FlushTracker, SocketState, Takeover};

/// What an HTTP/2 connection begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a kept-alive connection may be without a request.
const IDLE: Duration = Duration::from_secs(75);

/// How long, and for how many bytes, a closed connection is listened to.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// How long a connection without a request stays when the server leaves: a request may be on its way, and would be lost
/// with it.
const LAST_CALL: Duration = Duration::from_millis(250);

/// How long an HTTP/2 connection has to take what is left when the server leaves.
const HTTP2_LEAVE: Duration = Duration::from_secs(12);

/// Most streams at once on an HTTP/2 connection.
const HTTP2_STREAMS: u32 = 256;

/// Serves a connection to its end; the future is small where the connection becomes a stream.
pub async fn serve<Io: StreamIo>(
    mut io: Io,
    peer: SocketAddr,
    app: Arc<App>,
    router: axum::Router,
    guard: ConnectionGuard,
) {
    let sniffed = tokio::select! {
        sniffed = sniff(&mut io, app.config.limits.header_timeout) => sniffed,
        () = last_call(&app) => None,
    };
    let Some((ahead, is_http2)) = sniffed else {
        farewell(&mut io).await;
        return;
    };
    if is_http2 {
        serve_http2(io, ahead, peer, &app, router).await;
        return;
    }
    let tracker = match Http1::new(io, ahead, peer, &app, router).await {
        (tracker, read, Some(claimed)) => {
            let (io, ahead) = tracker.into_inner();
            let read = if ahead.is_empty() { read } else { [read, ahead].concat().into() };
            run_stream(io, app, claimed, &read, guard);
            return;
        }
        (tracker, _, None) => tracker,
    };
    linger(tracker.into_inner().0).await;
}

/// Says that nothing more comes, if the socket takes it at once.
async fn farewell<Io: StreamIo>(io: &mut Io) {
    poll_fn(|cx| {
        let _ = io.poll_farewell(cx);
        Poll::Ready(())
    })
    .await;
}

/// Resolves when the server leaves and nothing more is waited for.
pub(crate) async fn last_call(app: &App) {
    app.draining.cancelled().await;
    tokio::time::sleep(LAST_CALL).await;
}

/// Closes a connection without a reset overtaking what was just answered: says that nothing more comes, then drops
/// what the client still sends for a moment (RFC 9112, 9.6).
pub(crate) async fn linger<Io: StreamIo>(mut io: Io) {
    let dropping = async {
        if io.shutdown().await.is_err() {
            return;
        }
        let mut space = [0u8; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(read) = io.read(&mut space).await {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, dropping).await;
}

/// Reads until the first bytes tell HTTP/2 from HTTP/1. `None` where the client said nothing in time, or left.
async fn sniff<Io: StreamIo>(io: &mut Io, within: Duration) -> Option<(Bytes, bool)> {
    let mut ahead = BytesMut::with_capacity(512);
    let read = async {
        loop {
            if io.read_buf(&mut ahead).await.ok()? == 0 {
                return (!ahead.is_empty()).then_some(false);
            }
            let shared = ahead.len().min(HTTP2_PREFACE.len());
            if ahead[..shared] != HTTP2_PREFACE[..shared] {
                return Some(false);
            }
            if shared == HTTP2_PREFACE.len() {
                return Some(true);
            }
        }
    };
    let is_http2 = tokio::time::timeout(within, read).await.ok()??;
    Some((ahead.freeze(), is_http2))
}

async fn serve_http2<Io: StreamIo>(
    io: Io,
    ahead: Bytes,
    peer: SocketAddr,
    app: &Arc<App>,
    router: axum::Router,
) {
    let cut = ConnectionCut::default();
    let to_requests = cut.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(to_requests.clone());
        answer(router.clone(), request, peer)
    });
    let some = |duration: Duration| (!duration.is_zero()).then_some(duration);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(u32::try_from(app.config.limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(app.config.limits.stream_buffer / 4)
        .keep_alive_interval(some(app.config.stream.heartbeat))
        .keep_alive_timeout(app.config.stream.write_timeout);
    let connection = builder.serve_connection(TokioIo::new(FlushTracker::new(io, ahead)), service);
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            result = connection.as_mut() => return result,
            () = app.draining.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        // A client that takes no more does not keep the server from leaving.
        tokio::time::timeout(HTTP2_LEAVE, connection).await.unwrap_or(Ok(()))
    };
    let result = tokio::select! {
        result = served => result,
        () = cut.0.cancelled() => Ok(()),
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "an HTTP/2 connection ended");
    }
}

/// Answers a request through the router.
async fn answer(
    router: axum::Router,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}

fn run_stream<Io: StreamIo>(
    mut io: Io,
    app: Arc<App>,
    claimed: Takeover,
    read: &[u8],
    guard: ConnectionGuard,
) {
    let limits = &app.config.limits;
    if let Err(error) = io.bound(limits.stream_buffer / 2) {
        tracing::debug!(%error, "a socket cannot be bounded");
        return;
    }
    let tasks = app.tasks.clone();
    match claimed {
        Takeover::Sse(head, stream, wire) => {
            tasks.spawn(SseTask::new(io, Pump::new(app, *stream, head), wire, read.len(), guard));
        }
        Takeover::Socket(head, SocketStart::Open(stream, heartbeat)) => {
            tasks.spawn(SocketTask::new(io, Pump::new(app, *stream, head), heartbeat, read, guard));
        }
        Takeover::Socket(head, SocketStart::Refused(control, code, why)) => {
            // What is taken over does not pass through the router's layer, which counts the other refusals.
            app.metrics.refused(why, socket::PATH);
            tasks.spawn(async move {
                refuse(io, head, control, code, why).await;
                drop(guard);
            });
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
type Handler = Box<dyn Fn(Request<Incoming>) -> Answering + Send>;
type Library<Io> = http1::Connection<TokioIo<FlushTracker<Io>>, BoxedService>;

/// The library's view of the router: boxed, so that the connection can be polled in place.
struct BoxedService(Handler);

impl hyper::service::Service<Request<Incoming>> for BoxedService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        (self.0)(request)
    }
}

/// The requests of one connection. While one is being answered the next head is not waited for.
#[derive(Debug, Default)]
struct Requests {
    taken_up: AtomicU64,
    answered: AtomicU64,
}

impl Requests {
    fn taken_up(&self) -> u64 {
        self.taken_up.load(Ordering::Relaxed)
    }

    fn is_answering(&self) -> bool {
        self.taken_up() != self.answered.load(Ordering::Relaxed)
    }
}

/// An HTTP/1 connection in the library. Resolves to the socket, what was read past the last request, and the takeover
/// where a handler claimed the connection.
struct Http1<Io: StreamIo> {
    connection: Option<Library<Io>>,
    socket: Arc<SocketState>,
    claim: Claim,
    requests: Arc<Requests>,
    /// How many requests had been taken up when it was last looked at.
    taken_up: u64,
    header_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Bytes that had been read when the last request was taken up.
    heads_end: u64,
    waiting_for_head: bool,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Runs since the server began to leave.
    last_call: Option<Pin<Box<Sleep>>>,
    /// Whether the library knows that no further request is taken.
    is_last: bool,
}

impl<Io: StreamIo> Http1<Io> {
    fn new(io: Io, ahead: Bytes, peer: SocketAddr, app: &App, router: axum::Router) -> Self {
        let claim = Claim::default();
        let requests = Arc::<Requests>::default();
        let limits = &app.config.limits;
        let header_bytes = limits.header_bytes.max(8 * 1024);
        let tracker = FlushTracker::new(io, ahead);
        let socket = tracker.state();
        let own = OfConnection { peer, claim: claim.clone(), departure: tracker.departure() };
        let service = BoxedService(handler(own, router, requests.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .half_close(true)
            .max_header_size(header_bytes)
            .max_buf_size(header_bytes * 2)
            .serve_connection(TokioIo::new(tracker), service);
        Self {
            connection: Some(connection),
            socket,
            claim,
            requests,
            taken_up: 0,
            header_timeout: limits.header_timeout,
            deadline: Box::pin(tokio::time::sleep(limits.header_timeout)),
            heads_end: 0,
            waiting_for_head: true,
            draining: Box::pin(app.draining.clone().cancelled_owned()),
            last_call: None,
            is_last: false,
        }
    }

    /// Whether the request under way, or none, is the last one: the server leaves.
    fn is_last(&mut self, cx: &mut Context<'_>) -> bool {
        if self.last_call.is_none() && self.draining.as_mut().poll(cx).is_ready() {
            self.last_call = Some(Box::pin(tokio::time::sleep(LAST_CALL)));
        }
        let Some(last_call) = &mut self.last_call else { return false };
        self.requests.is_answering() || last_call.as_mut().poll(cx).is_ready()
    }

    /// Whether a request head began to arrive and was not complete in time.
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let read = self.socket.bytes_read();
        let taken_up = self.requests.taken_up();
        if self.requests.is_answering() || taken_up != self.taken_up {
            // Also where it was answered in the same go, so that only its count tells that there was a request.
            self.taken_up = taken_up;
            self.heads_end = read;
            self.waiting_for_head = false;
            return false;
        }
        if read > self.heads_end && !self.waiting_for_head {
            self.waiting_for_head = true;
            self.deadline.set(tokio::time::sleep(self.header_timeout));
        }
        self.waiting_for_head && self.deadline.as_mut().poll(cx).is_ready()
    }

    fn leave(&mut self, library: Library<Io>) -> (FlushTracker<Io>, Bytes, Option<Takeover>) {
        let parts = library.into_parts();
        (parts.io.into_inner(), parts.read_buf, self.claim.taken())
    }
}

impl<Io: StreamIo> Future for Http1<Io> {
    type Output = (FlushTracker<Io>, Bytes, Option<Takeover>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(mut library) = this.connection.take() else { return Poll::Pending };
        let mut ended = library.poll_without_shutdown(cx).is_ready();
        if !ended && !this.is_last && this.is_last(cx) {
            this.is_last = true;
            Pin::new(&mut library).graceful_shutdown();
            ended = library.poll_without_shutdown(cx).is_ready();
        }
        let claimed = this.claim.is_claimed() && this.socket.is_flushed();
        if claimed || ended || this.head_is_late(cx) {
            return Poll::Ready(this.leave(library));
        }
        this.connection = Some(library);
        Poll::Pending
    }
}

/// What every request on an HTTP/1 connection is given.
struct OfConnection {
    peer: SocketAddr,
    claim: Claim,
    departure: Departure,
}

fn handler(own: OfConnection, router: axum::Router, requests: Arc<Requests>) -> Handler {
    Box::new(move |mut request| {
        requests.taken_up.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(own.claim.clone());
        request.extensions_mut().insert(own.departure.clone());
        let (answer, requests) = (answer(router.clone(), request, own.peer), requests.clone());
        Box::pin(async move {
            let response = answer.await;
            requests.answered.fetch_add(1, Ordering::Relaxed);
            response
        })
    })
}
