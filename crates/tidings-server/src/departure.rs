//! Whether a client is still there while its request waits for an answer, over HTTP/1.
//!
//! The library does not read while a request is being answered: a client that has said all it had to say may close its
//! side and still read (`half_close`). One that went away says no more than that, so for most requests nothing is made
//! of it. A poll waits for long; it is answered at once instead, which tells a client that reads how far it is, and
//! costs one that is gone nothing.
//!
//! Invariants: the socket is read ahead only while somebody waits, and at most 1 KiB; what is read is the next
//! request's, and is given to the library as if it came then.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::request::Parts;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Most bytes that are read past a request. With as many there, a client's going is noticed by writing alone.
const AHEAD_BYTES: usize = 1_024;

/// Comes with each request on an HTTP/1 connection. Over HTTP/2 there is nothing to be told: a request whose stream or
/// connection has ended is dropped.
#[derive(Debug, Clone, Default)]
pub struct Departure(Arc<State>);

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    closed: CancellationToken,
}

impl Departure {
    /// Waits until the client has closed its side of the connection.
    pub async fn wait(&self) {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.0.waiting);
        self.0.closed.cancelled().await;
    }

    /// Looks, where somebody waits, whether the client has closed its side; answers what it has sent instead.
    pub(crate) fn look<Io: AsyncRead + Unpin>(&self, io: &mut Io, cx: &mut Context<'_>) -> Bytes {
        if self.0.waiting.load(Ordering::Relaxed) == 0 || self.0.closed.is_cancelled() {
            return Bytes::new();
        }
        let mut space = [0u8; AHEAD_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(io).poll_read(cx, &mut buffer) {
            Poll::Pending => return Bytes::new(),
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
            // The library reads the same, or the end, when it reads again.
            Poll::Ready(_) => self.0.closed.cancel(),
        }
        Bytes::copy_from_slice(buffer.filled())
    }
}

/// Counts who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S: Sync> FromRequestParts<S> for Departure {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_client_that_closes_its_side_is_noticed_by_whoever_waits() {
        let (mut near, mut far) = tokio::io::duplex(4_096);
        let departure = Departure::default();
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut wait = Box::pin(departure.wait());
        assert!(wait.as_mut().now_or_never().is_none());
        assert!(departure.look(&mut near, &mut cx).is_empty());
        assert!(wait.as_mut().now_or_never().is_none(), "it is still there");
        far.shutdown().await.unwrap();
        assert!(departure.look(&mut near, &mut cx).is_empty());
        wait.await;
        departure.wait().await;
    }

    #[tokio::test]
    async fn nothing_is_read_for_nobody_and_no_more_than_a_little_for_somebody() {
        let (mut near, mut far) = tokio::io::duplex(4_096);
        far.write_all(&[b'x'; 2_000]).await.unwrap();
        let departure = Departure::default();
        let mut cx = Context::from_waker(noop_waker_ref());
        assert!(departure.look(&mut near, &mut cx).is_empty());
        let mut wait = Box::pin(departure.wait());
        assert!(wait.as_mut().now_or_never().is_none());
        assert_eq!(departure.look(&mut near, &mut cx).len(), AHEAD_BYTES);
        drop(wait);
        assert!(departure.look(&mut near, &mut cx).is_empty(), "nobody waits any more");
    }
}
