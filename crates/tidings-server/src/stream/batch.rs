//! Events gathered for a while and sent as one: `event: batch`, an array of `{id,event,data}`.
//!
//! Invariants: order is kept; controls and heartbeats are never gathered, and what was gathered stands before them; the
//! id of the block is that of its last event, so that a client that was cut off before it gets all of it again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use tidings_core::Entry;
use tidings_core::view::{View, ViewFrame};
use tidings_protocol::Cursor;
use tidings_protocol::chunk::Chunk;
use tidings_protocol::sse::{Block, FieldValue};

/// The longest that events may be gathered.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Most events, and about most bytes, in one block.
const EVENTS: usize = 500;
const BYTES: usize = 32 * 1024;

/// What is gathered for one stream.
#[derive(Debug)]
pub struct Batch {
    window: Duration,
    due: Option<Duration>,
    entries: Vec<Arc<Entry>>,
    bytes: usize,
}

impl Batch {
    /// Gathers for so long after the first event.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window: window.min(LONGEST), due: None, entries: Vec::new(), bytes: 0 }
    }

    /// Takes an event in; whether it is enough.
    pub fn add(&mut self, entry: Arc<Entry>, now: Duration) -> bool {
        self.due.get_or_insert(now + self.window);
        self.bytes += entry.weight();
        self.entries.push(entry);
        self.entries.len() >= EVENTS || self.bytes >= BYTES
    }

    /// When what was gathered is to be sent.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Forgets events that are not to be kept; whether there were any.
    pub fn forget(&mut self, keep: &dyn Fn(&Entry) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| keep(entry));
        self.entries.len() < before
    }

    /// The block of what was gathered, and its id; `None` where there is nothing.
    pub fn take(&mut self, view: Option<&dyn View>) -> Option<(Chunk, Option<Cursor>)> {
        self.due = None;
        self.bytes = 0;
        let entries = std::mem::take(&mut self.entries);
        let last = entries.last()?.event().id;
        let items: Vec<String> = entries.iter().flat_map(|entry| items(entry, view)).collect();
        let (id, data) = (last.to_string(), format!("[{}]", items.join(",")));
        let block = Block::event(FieldValue::valid_prefix(&id), FieldValue::valid_prefix("batch"), &data);
        Some((Chunk::build(block.encoded_len(), |out| block.write(out)), Some(last)))
    }
}

fn items(entry: &Entry, view: Option<&dyn View>) -> Vec<String> {
    let event = entry.event();
    let frames = match view {
        Some(view) => view.frames(event),
        None => vec![ViewFrame { name: event.kind.to_string(), data: event.to_json() }],
    };
    let count = frames.len();
    let item = |(index, frame): (usize, ViewFrame)| {
        // Views give JSON; a text that is none would break the array, and stands as a text in it.
        let data = match serde_json::from_str::<&RawValue>(&frame.data) {
            Ok(_) => frame.data,
            Err(_) => json!(frame.data).to_string(),
        };
        let id = (index + 1 == count).then(|| format!("\"id\":\"{}\",", event.id));
        format!("{{{}\"event\":{},\"data\":{data}}}", id.unwrap_or_default(), json!(frame.name))
    };
    frames.into_iter().enumerate().map(item).collect()
}
