//! The chunked transfer coding of HTTP/1.1, around bytes that many connections share.
//!
//! Owns: one chunk as shared bytes ([`Chunk`]), the end of a body ([`LAST`]) and the way back ([`Decoder`]). Leaves
//! out: message heads, when a body is chunked at all, and what is in it.
//!
//! Invariants:
//! - a chunk's framing and payload are one allocation: HTTP/1.1 writes [`Chunk::framed`], HTTP/1.0 and HTTP/2 write
//!   [`Chunk::payload`], and neither is copied;
//! - a chunk without payload has no bytes at all: it would end the body;
//! - the decoder is strict (CRLF only, no sign, no spaces around the size), holds no buffer, and yields the same bytes
//!   for every way of cutting the body into pieces.
//!
//! Source: RFC 9112, 7.1 "Chunked Transfer Coding".

mod decode;

pub use decode::{Decoder, InvalidChunk, Limits, Part};

use bytes::{BufMut, Bytes, BytesMut};

/// What ends a body: the last chunk and an empty trailer section.
pub const LAST: &[u8] = b"0\r\n\r\n";

/// The longest head: a size of 16 digits and CRLF.
const HEAD_BYTES: usize = 18;

/// One chunk, `<size in hex>\r\n<payload>\r\n`, cheap to clone and to share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    framed: Bytes,
    head_bytes: u8,
}

impl Chunk {
    /// A chunk with this payload; nothing at all if the payload is empty.
    #[must_use]
    pub fn new(payload: &[u8]) -> Self {
        Self::build(payload.len(), |out| out.put_slice(payload))
    }

    /// A chunk with the payload that `write` appends, in one buffer made for about `capacity` bytes of it.
    ///
    /// `write` may append nothing, and more or less than `capacity`; it must not remove what it finds in the buffer.
    #[must_use]
    pub fn build(capacity: usize, write: impl FnOnce(&mut BytesMut)) -> Self {
        let mut buffer = BytesMut::with_capacity(HEAD_BYTES + capacity + 2);
        buffer.put_bytes(0, HEAD_BYTES);
        write(&mut buffer);
        let size = buffer.len().saturating_sub(HEAD_BYTES);
        if size == 0 {
            return Self::default();
        }
        buffer.put_slice(b"\r\n");
        // The head's length is known only now: it is put right before the payload and what lies before it cut off.
        let head = format!("{size:x}\r\n");
        let start = HEAD_BYTES - head.len();
        buffer[start..HEAD_BYTES].copy_from_slice(head.as_bytes());
        let head_bytes = u8::try_from(head.len()).unwrap_or_default();
        Self { framed: buffer.freeze().slice(start..), head_bytes }
    }

    /// The chunk with its framing, for HTTP/1.1.
    #[must_use]
    pub fn framed(&self) -> &Bytes {
        &self.framed
    }

    /// The payload alone, sharing the chunk's bytes, for HTTP/1.0 and HTTP/2.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        if self.framed.is_empty() {
            return Bytes::new();
        }
        self.framed.slice(usize::from(self.head_bytes)..self.framed.len() - 2)
    }

    /// Whether there is no payload, and so nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.framed.is_empty()
    }
}
