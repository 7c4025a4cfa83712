//! How a stream leaves the HTTP library: the one place where it is done.
//!
//! An HTTP/1.1 connection in the library holds buffers and state of many kilobytes, and encodes every write anew. A
//! stream needs neither. So a handler that has decided to stream *claims* its connection: it leaves a [`Takeover`] in
//! the [`Claim`] that came with the request, and never answers. The connection's task sees the claim after polling the
//! library, waits until what stands before it (answers to earlier, pipelined requests) has been flushed, takes socket
//! and read buffer back, and starts the stream on them. The response head is then written by the stream itself.
//!
//! # Why it is safe
//! - No response has been begun: the handler's future is dropped with the library's connection, unanswered.
//! - Nothing is lost before it: the library calls `poll_flush` of the socket only once its own write buffer is empty,
//!   and [`FlushTracker`] notes that; the claim is acted on only then.
//! - Nothing is lost after it: bytes that were read past the request's head are in the read buffer that is handed
//!   back; a WebSocket reads them, an event stream counts them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::departure::Departure;
use crate::stream::open::OpenedStream;
use crate::stream::sse::SseWire;
use crate::stream::websocket::SocketStart;

/// What becomes of a claimed connection.
#[derive(Debug)]
pub enum Takeover {
    /// An event stream: its response head and what drives it.
    Sse(Bytes, Box<OpenedStream>, SseWire),
    /// A WebSocket.
    Socket(Bytes, SocketStart),
}

/// Comes with each request on an HTTP/1 connection; a handler may leave a takeover in it.
#[derive(Debug, Clone, Default)]
pub struct Claim(Arc<Mutex<Option<Takeover>>>);

impl Claim {
    /// Claims the connection. The caller must not answer afterwards.
    pub fn take_over(&self, takeover: Takeover) {
        *self.0.lock() = Some(takeover);
    }

    /// What was claimed.
    pub fn taken(&self) -> Option<Takeover> {
        self.0.lock().take()
    }

    /// Whether the connection was claimed.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.0.lock().is_some()
    }
}

/// What is known of a socket that the library holds.
#[derive(Debug)]
pub struct SocketState {
    flushed: AtomicBool,
    bytes_read: AtomicU64,
}

impl SocketState {
    /// Whether everything the library had to write has been written.
    pub fn is_flushed(&self) -> bool {
        self.flushed.load(Ordering::Relaxed)
    }

    /// Bytes given to the library so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

/// A socket that tells whether the library's write buffer is empty, how much was read, and whether the client has gone,
/// and that gives bytes which were read ahead.
#[derive(Debug)]
pub struct FlushTracker<Io> {
    io: Io,
    ahead: Bytes,
    departure: Departure,
    state: Arc<SocketState>,
}

impl<Io> FlushTracker<Io> {
    /// Wraps a socket nothing was written to, from which `ahead` was read.
    pub fn new(io: Io, ahead: Bytes) -> Self {
        let state = SocketState { flushed: AtomicBool::new(true), bytes_read: AtomicU64::new(0) };
        Self { io, ahead, departure: Departure::default(), state: Arc::new(state) }
    }

    /// For requests that want to know whether the client has gone.
    pub fn departure(&self) -> Departure {
        self.departure.clone()
    }

    /// What is known of it, to be kept beside the library.
    pub fn state(&self) -> Arc<SocketState> {
        self.state.clone()
    }

    /// The socket, and what was read ahead and not given yet.
    pub fn into_inner(self) -> (Io, Bytes) {
        (self.io, self.ahead)
    }

    fn note_read(&self, bytes: usize) {
        self.state.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn note_flushed(&self, flushed: bool) {
        self.state.flushed.store(flushed, Ordering::Relaxed);
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for FlushTracker<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let given = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(given));
            self.note_read(given);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        self.note_read(buf.filled().len() - before);
        result
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FlushTracker<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.note_flushed(false);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note_flushed(false);
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.io).poll_flush(cx);
        this.note_flushed(matches!(result, Poll::Ready(Ok(()))));
        // The library flushes whenever it is polled, also while it does not read because a request is being answered.
        if this.ahead.is_empty() {
            this.ahead = this.departure.look(&mut this.io, cx);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
