//! The hub: which sessions a committed event is for, and how they are told.
//!
//! Each tenant has a [`TenantHub`]: the sessions by channel, and a bounded ring of the most recent events. A session
//! is either *attached*, then everything that matches is put into its mailbox, or it is not, and then it reads: from
//! the ring, and where that no longer reaches, from the log.
//!
//! # The seam between replay and live
//!
//! [`TenantHub::attach`] does two things under one lock: it hands over what the ring holds after the session's
//! position, and it registers the session for what comes next. Publishing takes the same lock. So there is no moment
//! between the two in which an event could be missed or given twice, and nothing needs to be held back meanwhile: the
//! ring is the gate. Where the ring no longer reaches the position, attaching is refused and the session reads a page
//! of the log first; each page brings it nearer to the ring.
//!
//! # Invariants
//! - `published` never moves past an event that is not yet in every attached mailbox it is for; a reader that first
//!   loads `published` and then finds its mailbox empty has been given everything up to there.
//! - The ring holds every event of the tenant with a number in `(floor, published]`.
//! - A mailbox over its limit is emptied and marked; its session attaches anew from its own position.
//! - Events come in number order without a hole; whoever finds one asks for a refill from the log. Where retention has
//!   removed some of a hole before it was filled, the ring begins anew behind it and every session reads on in the log,
//!   which tells it of the gap.

mod mailbox;
mod ring;
mod tenant;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tidings_protocol::{Pattern, TenantId};
use tokio::sync::Notify;

use crate::entry::Entry;
use crate::port::log::{Log, Query, Selection};
use crate::port::store::{Batch, Commits};
use crate::port::tail::{Growth, Listener};
use crate::port::{StorageError, log};

pub use mailbox::{Mailbox, Signal, Taken};
pub use tenant::{Attach, Membership, TenantHub};

/// The hub's bounds.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    /// Events in a tenant's ring.
    pub ring_events: usize,
    /// Bytes in a tenant's ring.
    pub ring_bytes: usize,
    /// Tenants kept open; past that, tenants without a session are closed.
    pub open_tenants: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self { ring_events: 8_192, ring_bytes: 4 * 1024 * 1024, open_tenants: 1_024 }
    }
}

/// What a hub counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tenants with a hub in memory.
    pub tenants: usize,
    /// Sessions at the head.
    pub attached: usize,
    /// Bytes of recent events.
    pub ring_bytes: usize,
    /// Mailboxes that ran over since the start.
    pub overflows: u64,
}

/// All tenants' hubs of this node.
pub struct Hub {
    log: Arc<dyn Log>,
    limits: HubLimits,
    tenants: Mutex<HashMap<TenantId, Arc<TenantHub>>>,
    wants_refill: Notify,
    overflows: Arc<AtomicU64>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub that refills holes from `log`.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            log,
            limits,
            tenants: Mutex::default(),
            wants_refill: Notify::new(),
            overflows: Arc::default(),
        })
    }

    /// The tenant's hub, opened at the log's present head if it was not open.
    ///
    /// # Errors
    /// [`StorageError`] where the log cannot say where it ends.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Arc<TenantHub>, StorageError> {
        let found = self.tenants.lock().get(tenant).cloned();
        let hub = match found {
            Some(hub) => hub,
            None => self.insert(tenant),
        };
        // Registered before the head is read: what is committed meanwhile is kept, so that nothing falls between.
        if let Err(error) = hub.ensure_open(|| self.load(tenant)).await {
            // Whoever else waits for it to open opens it next, and must find it in its place.
            let awaited = |other: &Arc<TenantHub>| hub.is_open() || Arc::strong_count(other) > 2;
            self.tenants.lock().retain(|_, other| !Arc::ptr_eq(other, &hub) || awaited(other));
            return Err(error);
        }
        if hub.missing_after().is_some() {
            self.wants_refill.notify_one();
        }
        Ok(hub)
    }

    fn insert(&self, tenant: &TenantId) -> Arc<TenantHub> {
        let mut tenants = self.tenants.lock();
        if tenants.len() >= self.limits.open_tenants {
            tenants.retain(|_, hub| Arc::strong_count(hub) > 1);
        }
        tenants
            .entry(tenant.clone())
            .or_insert_with(|| TenantHub::new(tenant.clone(), self.limits, self.overflows.clone()))
            .clone()
    }

    /// The present head, and the events before it that are to begin the ring.
    async fn load(
        &self,
        tenant: &TenantId,
    ) -> Result<(log::Bounds, Vec<Arc<Entry>>, tidings_protocol::Seq), StorageError> {
        let bounds = self.log.bounds(tenant).await?;
        let span = (self.limits.ring_events / 8) as u64;
        let mut floor = bounds.floor.seq.max(tidings_protocol::Seq(bounds.head.seq.0.saturating_sub(span)));
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        let mut after = floor;
        while after < bounds.head.seq {
            let page = self.log.read(tenant, &self.everything_after(after)).await?;
            for trimmed in &page.trimmed {
                floor = floor.max(trimmed.through.seq);
            }
            after = page.scanned_to.seq;
            entries.extend(
                page.events.into_iter().filter(|event| event.id.seq <= bounds.head.seq).map(Entry::new),
            );
        }
        entries.retain(|entry| entry.seq() > floor);
        Ok((bounds, entries, floor))
    }

    fn everything_after(&self, after: tidings_protocol::Seq) -> Query {
        Query {
            after,
            selection: Selection { patterns: Arc::new([Pattern::All]), filter: Arc::default() },
            max_events: 1_024,
            max_bytes: self.limits.ring_bytes / 4,
            max_examined: 4_096,
        }
    }

    /// Fills holes from the log as they are found. Runs for as long as the hub does. After a read that failed it waits
    /// for `pause` before it tries again.
    pub async fn run<P: Future<Output = ()>>(&self, pause: impl Fn() -> P) {
        loop {
            self.wants_refill.notified().await;
            while !self.refill_all().await {
                pause().await;
            }
        }
    }

    /// Whether every hole that is known was filled.
    async fn refill_all(&self) -> bool {
        let tenants: Vec<_> = self.tenants.lock().iter().map(|(id, hub)| (id.clone(), hub.clone())).collect();
        let mut filled = true;
        for (tenant, hub) in tenants {
            if let Err(error) = self.refill(&tenant, &hub).await {
                tracing::warn!(%tenant, %error, "a hole in the stream could not be filled; trying again");
                filled = false;
            }
        }
        filled
    }

    async fn refill(&self, tenant: &TenantId, hub: &TenantHub) -> Result<(), StorageError> {
        while let Some(after) = hub.missing_after() {
            let page = self.log.read(tenant, &self.everything_after(after)).await?;
            let (scanned_to, head) = (page.scanned_to, page.head);
            hub.refill(page.events.into_iter().map(Entry::new).collect(), scanned_to);
            if scanned_to.seq >= head.seq {
                break;
            }
        }
        Ok(())
    }

    /// What the hub counts.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let tenants = self.tenants.lock();
        let mut counters = Counters { tenants: tenants.len(), ..Counters::default() };
        for hub in tenants.values() {
            let (attached, bytes) = hub.counters();
            counters.attached += attached;
            counters.ring_bytes += bytes;
        }
        counters.overflows = self.overflows.load(Ordering::Relaxed);
        counters
    }
}

impl Commits for Hub {
    fn committed(&self, batch: Batch) {
        // A tenant nobody listens to is not open; it opens at the head when somebody comes.
        let hub = self.tenants.lock().get(&batch.tenant).cloned();
        if let Some(hub) = hub
            && !hub.publish(batch.events.into_iter().map(Entry::new).collect())
        {
            self.wants_refill.notify_one();
        }
    }
}

impl Listener for Hub {
    fn grown(&self, growth: Growth) {
        let hub = self.tenants.lock().get(&growth.tenant).cloned();
        if let Some(hub) = hub
            && hub.expect(growth.head.seq)
        {
            self.wants_refill.notify_one();
        }
    }
}
