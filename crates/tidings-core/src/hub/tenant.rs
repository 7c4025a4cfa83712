//! One tenant's sessions and recent events.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use slab::Slab;
use tidings_protocol::{ChannelName, Cursor, Lineage, Pattern, Seq, TenantId};
use tokio::sync::OnceCell;

use super::HubLimits;
use super::mailbox::Mailbox;
use super::ring::Ring;
use crate::entry::Entry;
use crate::port::StorageError;
use crate::port::log::{Bounds, Selection};

/// Most ring entries looked at in one [`TenantHub::attach`]; more come with the next call.
const ATTACH_SCAN: usize = 2_048;

/// What attaching brought.
#[derive(Debug)]
pub enum Attach {
    /// The ring no longer reaches the position: read the log first.
    Behind,
    /// Events after the position, and whether the session is attached now; if not, there is more after `through`.
    Given {
        /// Matching events, ascending.
        entries: Vec<Arc<Entry>>,
        /// Everything up to here was given.
        through: Cursor,
        /// Whether what comes next is put into the mailbox.
        attached: bool,
    },
}

/// Where a session is registered; given back to [`TenantHub::detach`].
#[derive(Debug, Default)]
pub struct Membership {
    attached: bool,
    slots: Vec<(Pattern, usize)>,
}

#[derive(Debug, Default)]
struct Members {
    exact: HashMap<ChannelName, Slab<Arc<Mailbox>>>,
    prefix: HashMap<Arc<str>, Slab<Arc<Mailbox>>>,
    all: Slab<Arc<Mailbox>>,
}

#[derive(Debug)]
struct State {
    open: bool,
    members: Members,
    ring: Ring,
    /// The last number given to the members.
    published: Seq,
    /// The highest number that is known to be committed; above `published` there is a hole.
    expected: Seq,
    attached: usize,
}

/// One tenant's hub.
#[derive(Debug)]
pub struct TenantHub {
    tenant: TenantId,
    state: Mutex<State>,
    opened: OnceCell<()>,
    /// Mirrors `State::published`, written after the mailboxes.
    published: AtomicU64,
    lineage: AtomicU64,
    overflows: Arc<AtomicU64>,
}

impl TenantHub {
    pub(super) fn new(tenant: TenantId, limits: HubLimits, overflows: Arc<AtomicU64>) -> Arc<Self> {
        let state = State {
            open: false,
            members: Members::default(),
            ring: Ring::new(limits.ring_events, limits.ring_bytes),
            published: Seq::ZERO,
            expected: Seq::ZERO,
            attached: 0,
        };
        Arc::new(Self {
            tenant,
            state: Mutex::new(state),
            opened: OnceCell::new(),
            published: AtomicU64::new(0),
            lineage: AtomicU64::new(0),
            overflows,
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened.initialized()
    }

    pub(super) async fn ensure_open<F, Fut>(&self, load: F) -> Result<(), StorageError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(Bounds, Vec<Arc<Entry>>, Seq), StorageError>>,
    {
        let opening = self.opened.get_or_try_init(|| async {
            let (bounds, entries, floor) = load().await?;
            self.open(bounds, entries, floor);
            Ok(())
        });
        opening.await.map(|_| ())
    }

    /// Begins at the head that was read, then gives what was committed since.
    fn open(&self, bounds: Bounds, entries: Vec<Arc<Entry>>, floor: Seq) {
        let mut state = self.state.lock();
        let since: Vec<Arc<Entry>> = state.ring.after(bounds.head.seq).cloned().collect();
        state.open = true;
        state.ring.restart(floor);
        for entry in entries {
            state.ring.push(entry);
        }
        self.lineage.store(bounds.head.lineage.bits(), Ordering::Relaxed);
        self.advance(&mut state, bounds.head.seq);
        self.give(&mut state, since);
    }

    /// Where the members are: everything up to here has been put into their mailboxes.
    #[must_use]
    pub fn published(&self) -> Cursor {
        let seq = Seq(self.published.load(Ordering::Acquire));
        Cursor::new(seq, Lineage::from_bits(self.lineage.load(Ordering::Relaxed)))
    }

    /// Gives committed events to the members. `false` where there is a hole before them.
    pub(super) fn publish(&self, entries: Vec<Arc<Entry>>) -> bool {
        let mut state = self.state.lock();
        if !state.open {
            // Kept until the head has been read; the ring is not looked at before.
            for entry in entries {
                state.ring.push(entry);
            }
            return true;
        }
        self.give(&mut state, entries);
        state.published >= state.expected
    }

    /// Gives what the log holds of a hole. Where retention has removed some of that, it is skipped, and every session
    /// reads on in the log, which tells it of the gap.
    pub(super) fn refill(&self, entries: Vec<Arc<Entry>>, scanned_to: Cursor) {
        let mut state = self.state.lock();
        let fresh: Vec<_> = entries.into_iter().filter(|entry| entry.seq() > state.published).collect();
        let missing = scanned_to.seq.0.saturating_sub(state.published.0);
        if fresh.len() as u64 == missing {
            self.dispatch(&mut state, fresh);
        } else {
            state.members.overflow();
            state.ring.restart(scanned_to.seq);
            self.advance(&mut state, scanned_to.seq);
        }
    }

    /// Notes that the log has grown up to `seq`; whether that is more than was given.
    pub(super) fn expect(&self, seq: Seq) -> bool {
        let mut state = self.state.lock();
        state.expected = state.expected.max(seq);
        state.open && state.expected > state.published
    }

    /// After which number the log is to be read for events that have not come, if any are missing.
    pub(super) fn missing_after(&self) -> Option<Seq> {
        let state = self.state.lock();
        (state.open && state.expected > state.published).then_some(state.published)
    }

    fn give(&self, state: &mut State, entries: Vec<Arc<Entry>>) {
        let Some(last) = entries.last().map(|entry| entry.seq()) else { return };
        state.expected = state.expected.max(last);
        let mut next = state.published;
        let mut fresh = entries;
        fresh.retain(|entry| {
            let follows = entry.seq() == next.next();
            if follows {
                next = entry.seq();
            }
            follows
        });
        self.dispatch(state, fresh);
    }

    fn dispatch(&self, state: &mut State, entries: Vec<Arc<Entry>>) {
        let Some(last) = entries.last().map(|entry| entry.seq()) else { return };
        let same_channels = |a: &Arc<Entry>, b: &Arc<Entry>| {
            a.event().channel == b.event().channel && a.event().also == b.event().also
        };
        let mut overflows = 0;
        for run in entries.chunk_by(same_channels) {
            overflows += state.members.give(run);
        }
        self.overflows.fetch_add(overflows, Ordering::Relaxed);
        for entry in entries {
            state.ring.push(entry);
        }
        self.advance(state, last);
    }

    fn advance(&self, state: &mut State, seq: Seq) {
        state.published = seq;
        self.published.store(seq.0, Ordering::Release);
    }

    /// Hands over what the ring holds after `after`, up to `max_bytes`, and registers the mailbox for what follows.
    #[must_use]
    pub fn attach(
        &self,
        mailbox: &Arc<Mailbox>,
        membership: &mut Membership,
        selection: &Selection,
        after: Cursor,
        max_bytes: usize,
    ) -> Attach {
        let mut state = self.state.lock();
        state.unregister(membership);
        mailbox.detach();
        if !state.open || !state.ring.reaches(after.seq) {
            return Attach::Behind;
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut through = after;
        for (scanned, entry) in state.ring.after(after.seq).enumerate() {
            if scanned == ATTACH_SCAN || bytes >= max_bytes {
                return Attach::Given { entries, through, attached: false };
            }
            through = entry.event().id;
            if selection.wants(entry.event()) {
                bytes += entry.weight();
                entries.push(entry.clone());
            }
        }
        // The log may be ahead of the hub: what was read there must not be given again.
        let here = self.published();
        if here.seq > through.seq {
            through = here;
        }
        mailbox.attach(through.seq);
        for pattern in selection.patterns.iter() {
            let slot = state.members.insert(pattern, mailbox.clone());
            membership.slots.push((pattern.clone(), slot));
        }
        membership.attached = true;
        state.attached += 1;
        Attach::Given { entries, through, attached: true }
    }

    /// Takes the mailbox out of the lists and empties it.
    pub fn detach(&self, mailbox: &Mailbox, membership: &mut Membership) {
        self.state.lock().unregister(membership);
        mailbox.detach();
    }

    pub(super) fn counters(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.attached, state.ring.bytes())
    }
}

impl State {
    fn unregister(&mut self, membership: &mut Membership) {
        if std::mem::take(&mut membership.attached) {
            self.attached -= 1;
        }
        for (pattern, slot) in std::mem::take(&mut membership.slots) {
            self.members.remove(&pattern, slot);
        }
    }
}

impl Members {
    /// Gives events that are all on the same channels to whoever subscribes to one of them; answers how many mailboxes
    /// ran over.
    fn give(&self, run: &[Arc<Entry>]) -> u64 {
        let Some(first) = run.first() else { return 0 };
        let push = |members: &Slab<Arc<Mailbox>>| {
            members.iter().map(|(_, mailbox)| u64::from(mailbox.push(run))).sum::<u64>()
        };
        let mut overflows = push(&self.all);
        for channel in first.event().channels() {
            overflows += self.exact.get(channel).map_or(0, push);
            if !self.prefix.is_empty() {
                overflows +=
                    channel.prefixes().filter_map(|prefix| self.prefix.get(prefix)).map(push).sum::<u64>();
            }
        }
        overflows
    }

    /// Has every member read from its own position.
    fn overflow(&self) {
        let narrow = self.exact.values().chain(self.prefix.values());
        for (_, mailbox) in narrow.chain([&self.all]).flatten() {
            mailbox.overflow();
        }
    }

    fn insert(&mut self, pattern: &Pattern, mailbox: Arc<Mailbox>) -> usize {
        match pattern {
            Pattern::Exact(name) => self.exact.entry(name.clone()).or_default().insert(mailbox),
            Pattern::Prefix(prefix) => self.prefix.entry(prefix.clone()).or_default().insert(mailbox),
            Pattern::All => self.all.insert(mailbox),
        }
    }

    fn remove(&mut self, pattern: &Pattern, slot: usize) {
        match pattern {
            Pattern::Exact(name) => {
                if let Some(members) = self.exact.get_mut(name) {
                    members.try_remove(slot);
                    if members.is_empty() {
                        self.exact.remove(name);
                    }
                }
            }
            Pattern::Prefix(prefix) => {
                if let Some(members) = self.prefix.get_mut(prefix) {
                    members.try_remove(slot);
                    if members.is_empty() {
                        self.prefix.remove(prefix);
                    }
                }
            }
            Pattern::All => {
                self.all.try_remove(slot);
            }
        }
    }
}
