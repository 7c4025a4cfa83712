//! Writing blocks.

use std::time::Duration;

use bytes::{BufMut, Bytes};

use super::FieldValue;
use super::scan::Lines;

/// A comment without text: keeps a connection alive and fires nothing.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// One block of a stream. Fields that are `None` are not written; the block with none at all is nothing.
///
/// Written as `id`, `event`, `retry`, `data`, each on its line, and a blank line. To a parser it is
/// - with `data` (the empty one too): an event;
/// - with `id` and without `data`: a position; it moves the reader's last event id and fires nothing;
/// - with `retry`: in addition, the reader's new reconnection time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// The last event id after this block; an empty one resets it.
    pub id: Option<FieldValue<'a>>,
    /// The event's type; parsers take none and the empty one for `message`. Without `data` it has no effect.
    pub event: Option<FieldValue<'a>>,
    /// The reconnection time, written in whole milliseconds.
    pub retry: Option<Duration>,
    /// Any text. A reader gets it with every CR and CRLF turned to LF and otherwise unchanged, trailing line ends
    /// included.
    pub data: Option<&'a str>,
}

impl<'a> Block<'a> {
    /// An event with an id, a type and data.
    #[must_use]
    pub const fn event(id: FieldValue<'a>, event: FieldValue<'a>, data: &'a str) -> Self {
        Self { id: Some(id), event: Some(event), retry: None, data: Some(data) }
    }

    /// A position alone: `id: …` and nothing else.
    #[must_use]
    pub const fn position(id: FieldValue<'a>) -> Self {
        Self { id: Some(id), event: None, retry: None, data: None }
    }

    /// A reconnection time alone: `retry: …` and nothing else.
    #[must_use]
    pub const fn retry(delay: Duration) -> Self {
        Self { id: None, event: None, retry: Some(delay), data: None }
    }

    /// Appends the block.
    pub fn write(&self, out: &mut impl BufMut) {
        if *self == Self::default() {
            return;
        }
        if let Some(id) = self.id {
            put_line(out, b"id: ", id.as_str().as_bytes());
        }
        if let Some(event) = self.event {
            put_line(out, b"event: ", event.as_str().as_bytes());
        }
        if let Some(delay) = self.retry {
            put_line(out, b"retry: ", delay.as_millis().to_string().as_bytes());
        }
        if let Some(data) = self.data {
            for line in Lines::of(data) {
                put_line(out, b"data: ", line);
            }
        }
        out.put_slice(b"\n");
    }

    /// How many bytes [`write`](Self::write) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if *self == Self::default() {
            return 0;
        }
        let id = self.id.map_or(0, |id| "id: \n".len() + id.as_str().len());
        let event = self.event.map_or(0, |event| "event: \n".len() + event.as_str().len());
        let retry = self.retry.map_or(0, |delay| "retry: \n".len() + delay.as_millis().to_string().len());
        let data =
            self.data.map_or(0, |data| Lines::of(data).map(|line| "data: \n".len() + line.len()).sum());
        id + event + retry + data + "\n".len()
    }

    /// The block in a buffer of exactly its size, ready to be shared.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.write(&mut out);
        out.into()
    }
}

/// Appends a comment with a text, as a block of its own. Readers ignore it; without text it is [`HEARTBEAT`].
pub fn put_comment(out: &mut impl BufMut, text: FieldValue<'_>) {
    if text.as_str().is_empty() {
        return out.put_slice(HEARTBEAT);
    }
    put_line(out, b": ", text.as_str().as_bytes());
    out.put_slice(b"\n");
}

/// The space after the colon is always written, as parsers remove one: a value that begins with a space keeps it.
fn put_line(out: &mut impl BufMut, name: &[u8], value: &[u8]) {
    out.put_slice(name);
    out.put_slice(value);
    out.put_slice(b"\n");
}
