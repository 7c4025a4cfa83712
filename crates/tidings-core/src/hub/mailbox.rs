//! A session's mailbox: what the hub and the server put there for it, and how it is woken.
//!
//! Bounded: past its limit the events are dropped and the mailbox is marked, so that the session reads them again from
//! its own position. Signals are few and never dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{EndReason, Filter, Pattern, Seq};
use tokio::sync::oneshot;

use crate::entry::Entry;
use crate::session::{ChangeResult, Join};

/// What the server tells a session.
#[derive(Debug)]
pub enum Signal {
    /// Change the subscriptions; what was done is answered.
    Change {
        /// Channels to add, authorised and resolved.
        add: Vec<Join>,
        /// Channels to remove.
        remove: Vec<Pattern>,
        /// Where the answer goes.
        reply: oneshot::Sender<ChangeResult>,
    },
    /// These of its channels may no longer be seen.
    Unauthorize(Vec<Pattern>),
    /// The credential was renewed: its end is another now.
    Credential(Option<Timestamp>, Option<Duration>),
    /// End the stream.
    End(EndReason, Option<Duration>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Events are not put here; the session reads by itself.
    Detached,
    /// Everything that matches is put here.
    Attached,
    /// Too much came; the session must read from its own position.
    Overflowed,
}

#[derive(Debug)]
struct Inner {
    queue: Vec<Arc<Entry>>,
    bytes: usize,
    last: Seq,
    state: State,
    waker: Option<Waker>,
    signals: VecDeque<Signal>,
}

/// Where the hub puts events for one session.
#[derive(Debug)]
pub struct Mailbox {
    filter: Arc<Filter>,
    max_bytes: usize,
    inner: Mutex<Inner>,
}

/// What was in a mailbox.
#[derive(Debug, Default)]
pub struct Taken {
    /// Events, ascending.
    pub entries: Vec<Arc<Entry>>,
    /// Whether events were dropped; then there are none.
    pub overflowed: bool,
    /// Whether a signal came that does not wait for anything.
    pub urgent: bool,
}

impl Mailbox {
    /// An empty mailbox for events that `filter` selects, holding at most `max_bytes` of them.
    #[must_use]
    pub fn new(filter: Arc<Filter>, max_bytes: usize) -> Arc<Self> {
        let inner = Inner {
            queue: Vec::new(),
            bytes: 0,
            last: Seq::ZERO,
            state: State::Detached,
            waker: None,
            signals: VecDeque::new(),
        };
        Arc::new(Self { filter, max_bytes, inner: Mutex::new(inner) })
    }

    /// Puts events there, ascending, skipping those that are there already; whether that was too much.
    pub(crate) fn push(&self, entries: &[Arc<Entry>]) -> bool {
        let mut inner = self.inner.lock();
        if inner.state != State::Attached {
            return false;
        }
        let mut any = false;
        for entry in entries {
            if entry.seq() <= inner.last || !self.filter.selects(entry.event()) {
                continue;
            }
            any = true;
            inner.last = entry.seq();
            inner.bytes += entry.weight();
            if inner.bytes > self.max_bytes {
                inner.overflow();
                break;
            }
            inner.queue.push(entry.clone());
        }
        if any {
            inner.wake();
        }
        inner.state == State::Overflowed
    }

    /// Drops what is there and marks the mailbox, as when too much has come.
    pub(crate) fn overflow(&self) {
        let mut inner = self.inner.lock();
        if inner.state == State::Attached {
            inner.overflow();
            inner.wake();
        }
    }

    pub(crate) fn attach(&self, after: Seq) {
        let mut inner = self.inner.lock();
        inner.clear();
        inner.last = after;
        inner.state = State::Attached;
    }

    pub(crate) fn detach(&self) {
        let mut inner = self.inner.lock();
        inner.clear();
        inner.state = State::Detached;
    }

    /// Tells the session something and wakes it.
    pub fn signal(&self, signal: Signal) {
        let mut inner = self.inner.lock();
        inner.signals.push_back(signal);
        inner.wake();
    }

    /// The next signal that may be acted on now: while channels are being added a further change waits.
    pub(crate) fn next_signal(&self, changes_wait: bool) -> Option<Signal> {
        let mut inner = self.inner.lock();
        let ready = |signal: &Signal| !(changes_wait && matches!(signal, Signal::Change { .. }));
        let at = inner.signals.iter().position(ready)?;
        inner.signals.remove(at)
    }

    /// Keeps `waker`, to be woken when anything comes.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.inner.lock().keep(waker);
    }

    /// Takes the events. With none there, `waker` is kept and woken when something comes.
    pub(crate) fn take(&self, waker: &Waker) -> Taken {
        let mut inner = self.inner.lock();
        if inner.state == State::Overflowed {
            inner.state = State::Detached;
            return Taken { overflowed: true, ..Taken::default() };
        }
        if inner.queue.is_empty() {
            inner.keep(waker);
        }
        inner.bytes = 0;
        Taken {
            entries: std::mem::take(&mut inner.queue),
            overflowed: false,
            urgent: inner.signals.iter().any(|signal| !matches!(signal, Signal::Change { .. })),
        }
    }

    /// Whether events or signals wait.
    pub(crate) fn is_empty(&self) -> bool {
        let inner = self.inner.lock();
        inner.queue.is_empty() && inner.signals.is_empty() && inner.state != State::Overflowed
    }
}

impl Inner {
    fn clear(&mut self) {
        self.queue = Vec::new();
        self.bytes = 0;
    }

    fn overflow(&mut self) {
        self.clear();
        self.state = State::Overflowed;
    }

    fn keep(&mut self, waker: &Waker) {
        match &self.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => self.waker = Some(waker.clone()),
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
