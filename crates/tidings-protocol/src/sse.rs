//! Server-sent events: the text of `text/event-stream`, written and read.
//!
//! Owns: how a block is laid out ([`Block`], [`HEARTBEAT`], [`put_comment`]) and how a stream is taken apart
//! ([`Decoder`]). Leaves out: what the blocks mean, HTTP, reconnecting and its delays.
//!
//! Invariants:
//! - what a conforming parser reads is what was written, CR and CRLF in data having become LF; nothing that is passed
//!   in can begin a line, a field or a block of its own ([`FieldValue`] for single-line fields, splitting for data);
//! - the first bytes written are never U+FEFF, which parsers would strip from the start of a stream;
//! - the decoder yields the same for every way of cutting the stream into pieces, and never holds more than its limit.
//!
//! Source: WHATWG HTML, 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".

mod decode;
mod encode;
mod field;
mod scan;

pub use decode::{DEFAULT_LIMIT, Decoder, Event, Item, TooLarge};
pub use encode::{Block, HEARTBEAT, put_comment};
pub use field::{FieldValue, InvalidField};
