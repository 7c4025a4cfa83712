//! Which streams are open: by session id, for changing them while they run; by principal, for limits; by credential and
//! user, for ending them when those end.
//!
//! An entry lives as long as its [`StreamGuard`]; slots are given back however the stream ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_core::Principal;
use tidings_core::hub::{Mailbox, Signal};
use tidings_protocol::EndReason;

use crate::auth::{Ended, narrowed};

/// A stream's principal, which is another one's when a service key's grants change.
#[derive(Debug)]
pub struct Holder(Mutex<Arc<Principal>>);

impl Holder {
    /// As it is at the stream's opening.
    #[must_use]
    pub fn new(principal: Arc<Principal>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(principal)))
    }

    /// From now on it is known by a fresh credential.
    pub fn renew(&self, fresh: &Principal) {
        let mut held = self.0.lock();
        *held = narrowed(fresh, &held);
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> Arc<Principal> {
        self.0.lock().clone()
    }
}

/// An open stream, as others see it.
#[derive(Debug, Clone)]
pub struct OpenStream {
    /// Who opened it.
    pub holder: Arc<Holder>,
    /// Where to leave word.
    pub mailbox: Arc<Mailbox>,
    /// Whether it counts towards its principal's streams. Polls do not.
    pub counted: bool,
    /// Whether its channels are what they are: streams of an app.
    pub fixed: bool,
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
            let count = open.per_principal.entry(stream.holder.get().id.clone()).or_default();
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

    /// Ends the streams of a credential or user.
    pub fn end_of(&self, ended: &Ended, reason: EndReason) {
        for stream in self.open.lock().streams.values() {
            if ended.is_of(&stream.holder.get()) {
                stream.mailbox.signal(Signal::End(reason, None));
            }
        }
    }

    /// The service key of `now` has other grants: its streams keep what these take in.
    pub fn regrant(&self, now: &Principal) {
        for stream in self.open.lock().streams.values() {
            let mut held = stream.holder.0.lock();
            if held.credential == now.credential {
                *held = narrowed(now, &held);
                stream.mailbox.signal(Signal::Grants(held.clone()));
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
        if let Some(count) = open.per_principal.get_mut(&stream.holder.get().id) {
            *count -= 1;
            if *count == 0 {
                open.per_principal.remove(&stream.holder.get().id);
            }
        }
    }
}
