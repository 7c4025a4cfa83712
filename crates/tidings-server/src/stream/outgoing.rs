//! What waits to be written to one connection. Holds no memory when nothing waits.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Most buffers handed to one vectored write; Linux takes 1,024.
const VECTORED: usize = 64;

/// Bytes in order, shared with other connections where they can be.
#[derive(Debug, Default)]
pub struct Outgoing {
    buffers: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    /// Puts bytes at the end.
    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.buffers.push_back(bytes);
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes
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
                ready!(io.as_mut().poll_write(cx, first))?
            } else {
                let mut slices = [IoSlice::new(&[]); VECTORED];
                let mut count = 0;
                for (slot, buffer) in slices.iter_mut().zip(&self.buffers) {
                    *slot = IoSlice::new(buffer);
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
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.buffers.pop_front();
        }
    }
}
