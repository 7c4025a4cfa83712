//! What waits to be written to one connection. Holds no memory when nothing waits.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tidings_core::Entry;
use tidings_protocol::Cursor;
use tokio::io::AsyncWrite;

/// Most buffers handed to one vectored write; Linux takes 1,024.
const VECTORED: usize = 64;

/// What an entry costs besides its bytes.
const ENTRY_BYTES: usize = std::mem::size_of::<Waiting>();

/// Bytes in order, shared with other connections where they can be.
#[derive(Debug, Default)]
pub struct Outgoing {
    buffers: VecDeque<Waiting>,
    bytes: usize,
    /// Whether what was written may still be in a layer above the socket.
    unflushed: bool,
    /// Whether the first buffer is needed to its end: some of it was written, or it is the response's head.
    first_needed: bool,
    /// The last id of which some byte was written.
    begun: Option<Cursor>,
}

/// Bytes of one whole frame or more, and the id that a client has once it has taken them.
#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    id: Option<Cursor>,
    /// The event that the bytes tell of, and nothing else.
    event: Option<Arc<Entry>>,
}

impl Outgoing {
    /// Begins with the response's head, without which nothing that follows can be read.
    #[must_use]
    pub fn with_head(head: Bytes) -> Self {
        let mut outgoing = Self { first_needed: !head.is_empty(), ..Self::default() };
        outgoing.push(head, None);
        outgoing
    }

    /// Puts bytes at the end; `id` is what a client has once it has taken them.
    pub fn push(&mut self, bytes: Bytes, id: Option<Cursor>) {
        self.put(Waiting { bytes, id, event: None });
    }

    /// Puts an event's frame at the end.
    pub fn push_event(&mut self, bytes: Bytes, id: Option<Cursor>, event: Arc<Entry>) {
        self.put(Waiting { bytes, id, event: Some(event) });
    }

    fn put(&mut self, waiting: Waiting) {
        if !waiting.bytes.is_empty() {
            self.bytes += waiting.bytes.len();
            self.buffers.push_back(waiting);
        }
    }

    /// The last id of which some byte was written.
    #[must_use]
    pub const fn begun(&self) -> Option<Cursor> {
        self.begun
    }

    /// Drops what has not been begun; whether there was any. What was begun is finished, or the framing would break; so
    /// is the head.
    pub fn drop_unbegun(&mut self) -> bool {
        let keep = usize::from(self.first_needed);
        let any = self.buffers.len() > keep;
        self.buffers.truncate(keep);
        self.bytes = self.buffers.iter().map(|waiting| waiting.bytes.len()).sum();
        any
    }

    /// Drops events that have not been begun and are not to be kept; what stands around them stays.
    pub fn drop_events(&mut self, keep: impl Fn(&Entry) -> bool) {
        let needed = usize::from(self.first_needed);
        let mut at = 0;
        self.buffers.retain(|waiting| {
            at += 1;
            at <= needed || waiting.event.as_ref().is_none_or(|event| keep(event))
        });
        self.bytes = self.buffers.iter().map(|waiting| waiting.bytes.len()).sum();
    }

    /// Takes everything that waits, for a transport that hands it on in one piece; it counts as begun.
    pub fn take(&mut self) -> Bytes {
        let mut all = Vec::with_capacity(self.bytes);
        for waiting in std::mem::take(&mut self.buffers) {
            all.extend_from_slice(&waiting.bytes);
            self.begun = waiting.id.or(self.begun);
        }
        self.bytes = 0;
        self.first_needed = false;
        all.into()
    }

    /// How many bytes wait, what keeping them costs counted in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes + self.buffers.len() * ENTRY_BYTES
    }

    /// Whether nothing waits, here or above the socket.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0 && !self.unflushed
    }

    /// Writes and flushes all that waits, as much as is taken at a time. Ready once nothing waits; `wrote` says whether
    /// any byte was taken from here. On bare TCP flushing does nothing.
    ///
    /// # Errors
    /// The socket's.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut W,
        wrote: &mut bool,
    ) -> Poll<io::Result<()>> {
        while let Some(first) = self.buffers.front() {
            let mut io = Pin::new(&mut *io);
            let written = if self.buffers.len() == 1 {
                ready!(io.as_mut().poll_write(cx, &first.bytes))?
            } else {
                let mut slices = [IoSlice::new(&[]); VECTORED];
                let mut count = 0;
                for (slot, waiting) in slices.iter_mut().zip(&self.buffers) {
                    *slot = IoSlice::new(&waiting.bytes);
                    count += 1;
                }
                ready!(io.as_mut().poll_write_vectored(cx, &slices[..count]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *wrote = true;
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(&mut *io).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.buffers.capacity() > 0 {
            self.buffers = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.buffers.front_mut() {
            if written == 0 {
                return;
            }
            self.begun = first.id.or(self.begun);
            self.first_needed = written < first.bytes.len();
            if self.first_needed {
                first.bytes.advance(written);
                return;
            }
            written -= first.bytes.len();
            self.buffers.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_protocol::{Lineage, Seq};

    fn id(seq: u64) -> Cursor {
        Cursor::new(Seq(seq), Lineage::from_bits(1))
    }

    fn waiting() -> Outgoing {
        let mut outgoing = Outgoing::default();
        for seq in 1..=3 {
            outgoing.push(Bytes::from_static(b"abcd"), Some(id(seq)));
        }
        outgoing
    }

    #[test]
    fn what_was_begun_is_finished_and_the_rest_dropped() {
        let mut outgoing = waiting();
        outgoing.advance(5);
        assert_eq!(outgoing.begun(), Some(id(2)));
        assert!(outgoing.drop_unbegun());
        assert_eq!(outgoing.bytes, 3);
        assert!(!outgoing.drop_unbegun());
    }

    /// A layer above a socket: it takes bytes, and gives them on when it is flushed and the socket has room.
    #[derive(Default)]
    struct Layer {
        kept: usize,
        has_room: bool,
    }

    impl AsyncWrite for Layer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.kept += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if !self.has_room {
                return Poll::Pending;
            }
            self.kept = 0;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_is_kept_above_the_socket_still_waits() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut outgoing, mut layer, mut wrote) = (waiting(), Layer::default(), false);
        assert!(outgoing.poll_write(&mut cx, &mut layer, &mut wrote).is_pending());
        assert!((wrote, layer.kept, outgoing.len()) == (true, 12, 0) && !outgoing.is_empty());
        layer.has_room = true;
        assert!(outgoing.poll_write(&mut cx, &mut layer, &mut false).is_ready());
        assert!(layer.kept == 0 && outgoing.is_empty());
    }

    #[test]
    fn the_head_is_never_dropped() {
        let mut outgoing = Outgoing::with_head(Bytes::from_static(b"head"));
        outgoing.push(Bytes::from_static(b"abcd"), Some(id(1)));
        assert!(outgoing.drop_unbegun());
        assert_eq!(outgoing.bytes, 4);
        outgoing.advance(4);
        outgoing.push(Bytes::from_static(b"abcd"), Some(id(2)));
        assert!(outgoing.drop_unbegun());
        assert_eq!((outgoing.bytes, outgoing.begun()), (0, None));
    }

    #[test]
    fn between_frames_everything_is_dropped() {
        let mut outgoing = waiting();
        assert_eq!(outgoing.begun(), None);
        outgoing.advance(4);
        assert!(outgoing.drop_unbegun());
        assert_eq!((outgoing.bytes, outgoing.begun()), (0, Some(id(1))));
    }
}
