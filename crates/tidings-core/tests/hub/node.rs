//! A node: its end of a store, its hub, and its tail.

use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use tidings_contract::suite::kit::{numbered, tenant};
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::hub::{Hub, HubLimits, Mailbox};
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::store::{Action, Batch, Command, Commits, Policy};
use tidings_core::port::tail::Growth;
use tidings_core::port::{Log, Store, Tail};
use tidings_core::session::{Course, Opening, SessionConfig, Start};
use tidings_core::{Feed, Session};
use tidings_protocol::{Cursor, Draft, Filter, TenantId};

/// Tells the hub of what the node has committed, and other nodes that there is more.
#[derive(Default)]
pub(crate) struct Told {
    hub: OnceLock<Arc<Hub>>,
    tail: OnceLock<Arc<dyn Tail>>,
}

impl Commits for Told {
    fn committed(&self, batch: Batch) {
        if let (Some(tail), Some(last)) = (self.tail.get(), batch.events.last()) {
            tail.announce(Growth { tenant: batch.tenant.clone(), head: last.id });
        }
        if let Some(hub) = self.hub.get() {
            hub.committed(batch);
        }
    }
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) tenant: TenantId,
}

impl Node {
    /// The first node on an empty disk.
    pub(crate) fn start(limits: HubLimits) -> Self {
        let told = Arc::new(Told::default());
        let policy =
            Policy { retention_age: std::time::Duration::ZERO, events_per_channel: 0, ..Policy::default() };
        let clock = Arc::new(TestClock::default());
        let store =
            MemoryStore::open(&MemoryDisk::new(), clock, policy, Arc::clone(&told) as Arc<dyn Commits>);
        Self::of(store, &told, limits, None)
    }

    /// Another node on the same log.
    pub(crate) fn join(&self, limits: HubLimits, tail: Arc<dyn Tail>) -> Self {
        let told = Arc::new(Told::default());
        let store = self.store.join(Arc::clone(&told) as Arc<dyn Commits>);
        Self::of(store, &told, limits, Some(tail))
    }

    fn of(store: MemoryStore, told: &Told, limits: HubLimits, tail: Option<Arc<dyn Tail>>) -> Self {
        let store = Arc::new(store);
        let hub = Hub::new(Arc::clone(&store) as Arc<dyn Log>, limits);
        let pages = Pages::new(Arc::clone(&store) as Arc<dyn Log>, PageLimits::default());
        let _ = told.hub.set(Arc::clone(&hub));
        if let Some(tail) = tail {
            let _ = told.tail.set(tail);
        }
        Self { store, hub, pages, tenant: tenant("default") }
    }

    pub(crate) fn submit(&self, tenant: &TenantId, drafts: Vec<Draft>) -> Cursor {
        let command = Command { tenant: tenant.clone(), action: Action::Publish(drafts) };
        self.store.submit(command).now_or_never().unwrap().unwrap().head
    }

    pub(crate) fn publish(&self, channel: &str, number: usize) -> Cursor {
        self.submit(&self.tenant, vec![numbered(channel, number)])
    }

    /// Opens a stream as the server does.
    pub(crate) async fn open(&self, patterns: &[&str], start: Start, mailbox_bytes: usize) -> Feed {
        let hub = self.hub.tenant(&self.tenant).await.unwrap();
        let filter = Arc::new(Filter::default());
        let mailbox = Mailbox::new(filter.clone(), mailbox_bytes);
        let config =
            SessionConfig { page_events: 50, page_bytes: 4_000, heartbeat: None, ..SessionConfig::default() };
        let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let (page_bytes, head) = (config.page_bytes, hub.published());
        let opening = Opening {
            id: "s".into(),
            patterns,
            filter,
            start,
            head,
            expires: None,
            course: Course::default(),
        };
        let session = Session::open(std::time::Duration::ZERO, Arc::new(config), opening);
        Feed::new(session, mailbox, hub, self.pages.clone(), page_bytes)
    }
}
