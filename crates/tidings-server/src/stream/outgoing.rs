//! What waits to be written to one connection. Holds no memory when nothing waits.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
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
    /// Whether the first buffer is needed to its end: some of it was written, or it is the response's head.
    first_needed: bool,
    /// The last id of which some byte was written.
    begun: Option<Cursor>,
}

/// Bytes, and the id that a client has once it has taken them.
#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    id: Option<Cursor>,
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
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.buffers.push_back(Waiting { bytes, id });
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

    /// How many bytes wait, what keeping them costs counted in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes + self.buffers.len() * ENTRY_BYTES
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Writes all that waits, as much as the socket takes at a time. Ready once nothing waits; `wrote` says whether any
    /// byte went out.
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
            self.advance(written);
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
