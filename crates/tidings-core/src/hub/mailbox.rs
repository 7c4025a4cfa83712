//! A session's mailbox: what the hub and the server put there for it, and how it is woken.
//!
//! Bounded: past its limit the events are dropped and the mailbox is marked, so that the session reads them again from
//! its own position. Signals are never dropped, and few: a client's requests to change its stream wait up to a limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{EndReason, Filter, Pattern, Seq};
use tokio::sync::oneshot;

use crate::entry::Entry;
use crate::port::directory::Right;
use crate::principal::Principal;
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
    /// The service key that opened it has these grants now: channels that they do not take in may no longer be seen.
    Grants(Arc<Principal>),
    /// The credential was renewed: its end is another now.
    Credential(Option<Timestamp>, Option<Duration>),
    /// End the stream.
    End(EndReason, Option<Duration>),
}

/// Most changes that wait for one session.
const WAITING_CHANGES: usize = 16;

impl Signal {
    const fn is_change(&self) -> bool {
        matches!(self, Self::Change { .. })
    }

    /// A change that still waits was authorised before the right ended: it adds none of these.
    fn forbid(&mut self, is_lost: impl Fn(&Pattern) -> bool) {
        if let Self::Change { add, .. } = self {
            add.retain(|join| !is_lost(&join.pattern));
        }
    }
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

    /// Tells the session something and wakes it. `false` where it is one change too many and was not taken.
    pub fn signal(&self, signal: Signal) -> bool {
        let mut inner = self.inner.lock();
        match &signal {
            Signal::Change { .. } => {
                let waiting = inner.signals.iter().filter(|signal| signal.is_change()).count();
                if waiting >= WAITING_CHANGES {
                    return false;
                }
            }
            Signal::Unauthorize(lost) => {
                inner.signals.iter_mut().for_each(|signal| signal.forbid(|pattern| lost.contains(pattern)));
            }
            Signal::Grants(principal) => {
                let is_lost = |pattern: &Pattern| !principal.may(Right::Subscribe, pattern);
                inner.signals.iter_mut().for_each(|signal| signal.forbid(is_lost));
            }
            Signal::Credential(..) => {
                inner.signals.retain(|signal| !matches!(signal, Signal::Credential(..)))
            }
            Signal::End(..) => {}
        }
        inner.signals.push_back(signal);
        inner.wake();
        true
    }

    /// The next signal that waits for nothing.
    pub(crate) fn next_urgent(&self) -> Option<Signal> {
        self.next_signal(|signal| !signal.is_change())
    }

    /// The next change of the subscriptions.
    pub(crate) fn next_change(&self) -> Option<Signal> {
        self.next_signal(Signal::is_change)
    }

    fn next_signal(&self, wanted: impl FnMut(&Signal) -> bool) -> Option<Signal> {
        let mut inner = self.inner.lock();
        let at = inner.signals.iter().position(wanted)?;
        inner.signals.remove(at)
    }

    /// Keeps `waker`, which is woken when something comes.
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
            urgent: inner.signals.iter().any(|signal| !signal.is_change()),
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
