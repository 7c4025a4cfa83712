//! Reading a stream, in pieces of any size.

use std::borrow::Cow;
use std::mem;
use std::time::Duration;

use super::scan::line_end;

/// The limit of [`Decoder::default`], in bytes: the largest event of Tidings with room to spare.
pub const DEFAULT_LIMIT: usize = 1024 * 1024;

/// Buffers larger than this are given back after the event that needed them.
const KEPT_CAPACITY: usize = 4 * 1024;

const BOM: &[u8] = "\u{FEFF}".as_bytes();

/// What a stream says, in the order in which it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event, complete with the blank line that ends its block.
    Event(Event<'a>),
    /// The last event id after a block that had an `id` and no data: a position without an event.
    Position(&'a str),
    /// The reconnection time, as soon as its line is read. Saturates at `u64::MAX` milliseconds.
    Retry(Duration),
    /// A comment's text without the colon and one leading space.
    Comment(&'a str),
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The last event id: this block's, else that of an earlier one; empty if there was none or it was reset.
    pub id: &'a str,
    /// The type, `message` if the block named none.
    pub event: &'a str,
    /// The data, its lines joined by LF.
    pub data: &'a str,
}

/// A line, or the data of one event, is longer than the decoder's limit. The stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line or an event of the stream is longer than {limit} bytes")]
pub struct TooLarge {
    /// The limit that was exceeded, in bytes.
    pub limit: usize,
}

/// An incremental parser of one event stream.
///
/// ```
/// # use tidings_protocol::sse::{Decoder, Item, TooLarge};
/// # fn main() -> Result<(), TooLarge> {
/// let mut decoder = Decoder::default();
/// let mut seen = Vec::new();
/// for mut read in [&b"id: 7\ndata: hel"[..], b"lo\n\n"] {
///     while let Some(item) = decoder.decode(&mut read)? {
///         if let Item::Event(event) = item {
///             seen.push((event.id.to_owned(), event.data.to_owned()));
///         }
///     }
/// }
/// assert_eq!(seen, [("7".to_owned(), "hello".to_owned())]);
/// # Ok(())
/// # }
/// ```
///
/// A block that the stream's end cuts short never happened, its id included: there is nothing to call at the end.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The line that has begun and not yet ended. Bytes, since a read may end inside a character.
    line: Vec<u8>,
    /// Each line of data with an LF after it; the last LF is left out when the event is given out.
    data: String,
    event: String,
    comment: String,
    /// The id as the current block has it; becomes `last_id` with the blank line.
    id: String,
    last_id: String,
    block_has_id: bool,
    /// An event was given out and its buffers are to be cleared before reading on.
    dispatched: bool,
    /// The first line, where a BOM may be, has been read.
    started: bool,
    /// The last byte was CR: an LF now belongs to it.
    after_cr: bool,
    failed: bool,
}

/// What a line brought about; the texts are in the decoder's buffers.
enum Step {
    Nothing,
    Event,
    Position,
    Retry(Duration),
    Comment,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Decoder {
    /// A decoder for a stream from its first byte, that refuses lines and data of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::resuming(limit, String::new())
    }

    /// The same for a reconnection: blocks without an `id` leave the id at `last_event_id`, as browsers do.
    #[must_use]
    pub fn resuming(limit: usize, last_event_id: String) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: String::new(),
            event: String::new(),
            comment: String::new(),
            id: last_event_id.clone(),
            last_id: last_event_id,
            block_has_id: false,
            dispatched: false,
            started: false,
            after_cr: false,
            failed: false,
        }
    }

    /// Reads from the front of `input` up to the next item. `None`: all of `input` is read, bring more.
    ///
    /// # Errors
    /// [`TooLarge`] for a line, or an event's data, over the limit; from then on for every call.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Item<'_>>, TooLarge> {
        self.clear_dispatched();
        let step = loop {
            let Some(line) = self.take_line(input)? else { return Ok(None) };
            match self.interpret(&line)? {
                Step::Nothing => {}
                step => break step,
            }
        };
        Ok(Some(match step {
            Step::Retry(delay) => Item::Retry(delay),
            Step::Comment => Item::Comment(&self.comment),
            Step::Event => Item::Event(self.dispatched_event()),
            Step::Nothing | Step::Position => Item::Position(&self.last_id),
        }))
    }

    /// The last event id as of the last complete block: what a reconnection sends as `Last-Event-ID`, if not empty.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    /// How many bytes of an incomplete line and of data that waits for its block's end are held: at most the limit
    /// each, and one LF.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let data = if self.dispatched { 0 } else { self.data.len() };
        self.line.len() + data
    }

    fn dispatched_event(&self) -> Event<'_> {
        let event = if self.event.is_empty() { "message" } else { &self.event };
        Event { id: &self.last_id, event, data: self.data.strip_suffix('\n').unwrap_or(&self.data) }
    }

    fn clear_dispatched(&mut self) {
        if mem::take(&mut self.dispatched) {
            clear(&mut self.data);
            clear(&mut self.event);
        }
    }

    /// The next line without its end, straight from `input` where it lies there whole.
    fn take_line<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Cow<'i, [u8]>>, TooLarge> {
        if self.failed {
            return Err(TooLarge { limit: self.limit });
        }
        if self.after_cr && !input.is_empty() {
            self.after_cr = false;
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        let end = line_end(input);
        let (head, rest) = input.split_at(end.unwrap_or(input.len()));
        if self.line.len() + head.len() > self.limit {
            return Err(self.fail());
        }
        *input = rest;
        if end.is_none() {
            self.line.extend_from_slice(head);
            return Ok(None);
        }
        if let Some((end, after)) = rest.split_first() {
            self.after_cr = *end == b'\r';
            *input = after;
        }
        if self.line.is_empty() {
            return Ok(Some(Cow::Borrowed(head)));
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(head);
        Ok(Some(Cow::Owned(line)))
    }

    fn interpret(&mut self, line: &[u8]) -> Result<Step, TooLarge> {
        let line = match mem::replace(&mut self.started, true) {
            true => line,
            false => line.strip_prefix(BOM).unwrap_or(line),
        };
        if line.is_empty() {
            return Ok(self.end_block());
        }
        let (name, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        // Lines end at ASCII bytes, so decoding them one by one replaces exactly what decoding the whole stream would.
        let text = || utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match name {
            b"" => {
                replace(&mut self.comment, &text());
                return Ok(Step::Comment);
            }
            b"data" => self.append_data(&text())?,
            b"event" => replace(&mut self.event, &text()),
            b"id" => self.set_id(&text()),
            b"retry" => return Ok(milliseconds(&text()).map_or(Step::Nothing, Step::Retry)),
            _ => {}
        }
        Ok(Step::Nothing)
    }

    fn append_data(&mut self, value: &str) -> Result<(), TooLarge> {
        if self.data.len() + value.len() > self.limit {
            return Err(self.fail());
        }
        self.data.reserve(value.len() + 1);
        self.data.push_str(value);
        self.data.push('\n');
        Ok(())
    }

    fn set_id(&mut self, value: &str) {
        if !value.contains('\0') {
            replace(&mut self.id, value);
            self.block_has_id = true;
        }
    }

    fn end_block(&mut self) -> Step {
        let has_id = mem::take(&mut self.block_has_id);
        if has_id {
            self.last_id.clone_from(&self.id);
        }
        if !self.data.is_empty() {
            self.dispatched = true;
            return Step::Event;
        }
        clear(&mut self.event);
        if has_id { Step::Position } else { Step::Nothing }
    }

    fn fail(&mut self) -> TooLarge {
        *self = Self { failed: true, ..Self::resuming(self.limit, mem::take(&mut self.last_id)) };
        TooLarge { limit: self.limit }
    }
}

/// As `String::from_utf8_lossy`, which looks at each byte; what is UTF-8 already is told by many at a time.
fn utf8_lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// "Only ASCII digits" (WHATWG HTML 9.2.6); no digits at all are taken for none.
fn milliseconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)))
}

fn replace(buffer: &mut String, text: &str) {
    clear(buffer);
    buffer.push_str(text);
}

fn clear(buffer: &mut String) {
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = String::new();
    }
    buffer.clear();
}
