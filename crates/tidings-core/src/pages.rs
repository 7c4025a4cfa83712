//! Reading the log for many sessions at once: one read for all who ask the same, and few reads at a time.
//!
//! Sessions that fell behind or come back after a restart ask for the same pages; a page that is being read is shared
//! (single flight). A small number of reads runs at once, and no tenant takes them all, so that a crowd that fell
//! behind cannot keep the server from its publishes. Each runs as a task: one whose reader has stalled ends all the same
//! and gives its place to the next; one that nobody waits for any more is given up.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use parking_lot::Mutex;
use tidings_protocol::{Cursor, TenantId};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};

use crate::entry::Entry;
use crate::port::StorageError;
use crate::port::log::{Log, LogPage, Query, Trimmed};

/// A page of the log, its events ready to be delivered.
#[derive(Debug)]
pub struct Page {
    /// Matching events, ascending.
    pub entries: Vec<Arc<Entry>>,
    /// Everything up to here is in the page or removed.
    pub scanned_to: Cursor,
    /// The log's head when the page was read.
    pub head: Cursor,
    /// What retention has removed beyond where the page began.
    pub trimmed: Vec<Trimmed>,
}

impl From<LogPage> for Page {
    fn from(page: LogPage) -> Self {
        let entries = page.events.into_iter().map(Entry::new).collect();
        Self { entries, scanned_to: page.scanned_to, head: page.head, trimmed: page.trimmed }
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<Arc<Page>, StorageError>> + Send>>;

/// A page that is being read, perhaps for others too.
pub type SharedPage = Shared<Reading>;

/// How many reads may run.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// At once in all.
    pub reads: usize,
    /// At once for one tenant.
    pub reads_per_tenant: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { reads: 4, reads_per_tenant: 2 }
    }
}

/// Tenants whose lanes are kept; past that, those that nobody reads on are dropped.
const LANES: usize = 1_024;

struct Lane {
    gate: Arc<Semaphore>,
    in_flight: HashMap<Query, WeakShared<Reading>>,
}

/// The log, as sessions read it.
pub struct Pages {
    log: Arc<dyn Log>,
    limits: PageLimits,
    gate: Arc<Semaphore>,
    lanes: Mutex<HashMap<TenantId, Lane>>,
    read: Arc<AtomicU64>,
    examined: Arc<AtomicU64>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Pages {
    /// Reads `log` within `limits`.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, limits: PageLimits) -> Arc<Self> {
        Arc::new(Self {
            log,
            limits,
            gate: Arc::new(Semaphore::new(limits.reads)),
            lanes: Mutex::new(HashMap::new()),
            read: Arc::default(),
            examined: Arc::default(),
        })
    }

    /// The log itself, for questions that are not pages.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn Log> {
        &self.log
    }

    /// Pages read so far, and rows looked at for them.
    #[must_use]
    pub fn counters(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.examined.load(Ordering::Relaxed))
    }

    /// The page, read once for all who ask for it while it is being read. To be called on a tokio runtime.
    pub fn read(&self, tenant: &TenantId, query: Query) -> SharedPage {
        let mut lanes = self.lanes.lock();
        if lanes.len() >= LANES && !lanes.contains_key(tenant) {
            // A lane in use is shared with the reads that are under way on it.
            lanes.retain(|_, lane| Arc::strong_count(&lane.gate) > 1);
        }
        let lane = lanes.entry(tenant.clone()).or_insert_with(|| Lane {
            gate: Arc::new(Semaphore::new(self.limits.reads_per_tenant)),
            in_flight: HashMap::new(),
        });
        if let Some(shared) = lane.in_flight.get(&query).and_then(WeakShared::upgrade)
            && shared.peek().is_none()
        {
            return shared;
        }
        lane.in_flight.retain(|_, reading| reading.upgrade().is_some_and(|shared| shared.peek().is_none()));
        let shared = self.start(lane.gate.clone(), tenant.clone(), query.clone()).shared();
        if let Some(weak) = shared.downgrade() {
            lane.in_flight.insert(query, weak);
        }
        shared
    }

    fn start(&self, lane: Arc<Semaphore>, tenant: TenantId, query: Query) -> Reading {
        let (log, gate) = (self.log.clone(), self.gate.clone());
        let (read, examined) = (self.read.clone(), self.examined.clone());
        Box::pin(Reader(tokio::spawn(async move {
            // The semaphores are never closed; a permit is only missing where one is.
            let _own = lane.acquire().await.ok();
            let _all = gate.acquire().await.ok();
            let page = log.read(&tenant, &query).await?;
            read.fetch_add(1, Ordering::Relaxed);
            examined.fetch_add(page.examined as u64, Ordering::Relaxed);
            Ok(Arc::new(Page::from(page)))
        })))
    }
}

/// A read that is under way; dropping it gives it up.
struct Reader(JoinHandle<Result<Arc<Page>, StorageError>>);

impl Future for Reader {
    type Output = Result<Arc<Page>, StorageError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = |why: JoinError| StorageError::Unavailable(format!("the read has ended: {why}"));
        self.0.poll_unpin(cx).map(|read| read.map_err(ended).flatten())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}
