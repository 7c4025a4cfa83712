//! An event as it is delivered: decoded once, encoded once for each wire, shared by every subscriber.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use tidings_protocol::chunk::Chunk;
use tidings_protocol::sse::{Block, FieldValue};
use tidings_protocol::ws::Message;
use tidings_protocol::{Cursor, Event, Seq, socket};

use crate::view::{View, ViewFrame};

/// Most views of one event that are remembered.
const VIEWS: usize = 16;

/// An event's SSE blocks in a view, and how many they are.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The blocks.
    pub chunk: Chunk,
    /// How many.
    pub frames: usize,
}

/// An event with its encodings. Each wire's bytes are made by the first session that needs them.
#[derive(Debug)]
pub struct Entry {
    event: Event,
    sse: OnceLock<Chunk>,
    socket: OnceLock<Bytes>,
    views: Mutex<Vec<(u32, Shown)>>,
}

impl Entry {
    /// Wraps a committed event.
    #[must_use]
    pub fn new(event: Event) -> Arc<Self> {
        Arc::new(Self { event, sse: OnceLock::new(), socket: OnceLock::new(), views: Mutex::default() })
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// Its number.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.event.id.seq
    }

    /// Roughly the bytes it takes on a wire; what queues and rings count.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.event.data.get().len() + 2 * self.event.channel.as_str().len() + 160
    }

    /// The SSE block with its id, as a chunk that HTTP/1.1 writes as it is.
    pub fn sse(&self) -> &Chunk {
        self.sse.get_or_init(|| self.encode_sse(Some(self.event.id)))
    }

    /// The SSE block without an id.
    #[must_use]
    pub fn sse_without_id(&self) -> Chunk {
        self.encode_sse(None)
    }

    fn encode_sse(&self, id: Option<Cursor>) -> Chunk {
        let json = self.event.to_json();
        let id = id.map(|id| id.to_string());
        let block = Block {
            // Cursors and types have alphabets without line ends; the whole text is a valid field.
            id: id.as_deref().map(FieldValue::valid_prefix),
            event: Some(FieldValue::valid_prefix(self.event.kind.as_str())),
            retry: None,
            data: Some(&json),
        };
        Chunk::build(block.encoded_len(), |out| block.write(out))
    }

    /// The SSE blocks in a view, the id with the last.
    pub fn sse_in(&self, view: &dyn View) -> Shown {
        let id = Some(self.event.id);
        let Some(key) = view.key() else { return encode_view(id, &view.frames(&self.event)) };
        let mut views = self.views.lock();
        if let Some((_, shown)) = views.iter().find(|(known, _)| *known == key) {
            return shown.clone();
        }
        let shown = encode_view(id, &view.frames(&self.event));
        if views.len() < VIEWS {
            views.push((key, shown.clone()));
        }
        shown
    }

    /// The SSE blocks in a view, none with an id.
    #[must_use]
    pub fn sse_in_without_id(&self, view: &dyn View) -> Shown {
        encode_view(None, &view.frames(&self.event))
    }

    /// The WebSocket frame with its id.
    pub fn socket(&self) -> &Bytes {
        self.socket.get_or_init(|| self.encode_socket(Some(self.event.id)))
    }

    /// The WebSocket frame without an id.
    #[must_use]
    pub fn socket_without_id(&self) -> Bytes {
        self.encode_socket(None)
    }

    fn encode_socket(&self, id: Option<Cursor>) -> Bytes {
        Message::text(socket::event_frame(id, self.event.kind.as_str(), &self.event.to_json())).encode()
    }
}

/// Blocks, the id with the last.
fn encode_view(id: Option<Cursor>, frames: &[ViewFrame]) -> Shown {
    let id = id.map(|id| id.to_string());
    let size = frames.iter().map(|frame| frame.name.len() + frame.data.len() + 64).sum();
    let chunk = Chunk::build(size, |out| {
        for (index, frame) in frames.iter().enumerate() {
            let is_last = index + 1 == frames.len();
            let event = (!frame.name.is_empty()).then(|| FieldValue::valid_prefix(&frame.name));
            let id = id.as_deref().filter(|_| is_last).map(FieldValue::valid_prefix);
            Block { id, event, retry: None, data: Some(&frame.data) }.write(out);
        }
    });
    Shown { chunk, frames: frames.len() }
}
