//! Which streams are open: by session id, for changing them while they run; by principal, for limits and for ending
//! them when a credential ends.
//!
//! An entry lives as long as its [`StreamGuard`]; slots are given back however the stream ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_core::Principal;
use tidings_core::hub::{Mailbox, Signal};
use tidings_protocol::EndReason;

/// An open stream, as others see it.
#[derive(Debug, Clone)]
pub struct OpenStream {
    /// Who opened it.
    pub principal: Arc<Principal>,
    /// Where to leave word.
    pub mailbox: Arc<Mailbox>,
    /// Whether it counts towards its principal's streams. Polls do not.
    pub counted: bool,
}

#[derive(Debug, Default)]
struct Open {
    streams: HashMap<Box<str>, OpenStream>,
    per_principal: HashMap<Arc<str>, usize>,
}

/// All open streams.
#[derive(Debug, Default)]
pub struct Registry {
    open: Mutex<Open>,
}

/// The principal has as many streams open as it may have.
#[derive(Debug, Clone, Copy)]
pub struct TooMany;

/// A stream's entry; dropping it removes the entry.
#[derive(Debug)]
pub struct StreamGuard {
    registry: Arc<Registry>,
    id: Box<str>,
}

impl Registry {
    /// Enters a stream, unless its principal already has `limit` of them (zero: no limit).
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn enter(
        self: &Arc<Self>,
        id: &str,
        stream: OpenStream,
        limit: usize,
    ) -> Result<StreamGuard, TooMany> {
        let mut open = self.open.lock();
        if stream.counted {
            let count = open.per_principal.entry(stream.principal.id.clone()).or_default();
            if limit > 0 && *count >= limit {
                return Err(TooMany);
            }
            *count += 1;
        }
        open.streams.insert(id.into(), stream);
        Ok(StreamGuard { registry: self.clone(), id: id.into() })
    }

    /// The stream with this session id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<OpenStream> {
        self.open.lock().streams.get(id).cloned()
    }

    /// How many streams and waiting polls are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.lock().streams.len()
    }

    /// Whether no stream is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the streams of a principal.
    pub fn end_of(&self, principal: &str, reason: EndReason) {
        for stream in self.open.lock().streams.values() {
            if &*stream.principal.id == principal {
                stream.mailbox.signal(Signal::End(reason, None));
            }
        }
    }

    /// Ends all streams; `after` says when each is to come back.
    pub fn end_all(&self, reason: EndReason, mut after: impl FnMut() -> Option<Duration>) {
        for stream in self.open.lock().streams.values() {
            stream.mailbox.signal(Signal::End(reason, after()));
        }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        let Some(stream) = open.streams.remove(&self.id).filter(|stream| stream.counted) else { return };
        if let Some(count) = open.per_principal.get_mut(&stream.principal.id) {
            *count -= 1;
            if *count == 0 {
                open.per_principal.remove(&stream.principal.id);
            }
        }
    }
}
