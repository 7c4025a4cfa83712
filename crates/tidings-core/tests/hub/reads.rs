//! Many readers of one log: a page is read once for all, a few at a time, and a reader that stalls holds up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_contract::MemoryStore;
use tidings_contract::suite::kit::query;
use tidings_core::hub::HubLimits;
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::{Log, PortFuture, StorageError};
use tidings_protocol::{Cursor, Seq, TenantId};
use tokio::sync::Semaphore;

use super::node::Node;

/// A log that reads when it is let, and counts.
struct Slow {
    inner: Arc<MemoryStore>,
    open: Semaphore,
    running: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
}

impl Slow {
    fn new(node: &Node) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let (inner, open) = (node.store.clone(), Semaphore::new(0));
        Arc::new(Self { inner, open, running: zero(), most: zero(), begun: zero() })
    }
}

impl Log for Slow {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        self.inner.bounds(tenant)
    }

    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>> {
        self.inner.resolve(tenant, cursor)
    }

    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let running = 1 + self.running.fetch_add(1, Ordering::SeqCst);
            self.most.fetch_max(running, Ordering::SeqCst);
            self.open.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.inner.read(tenant, query).await
        })
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn after(seq: u64) -> Query {
    Query { after: Seq(seq), ..query(&["a"]) }
}

#[test]
fn a_page_is_read_once_for_all_who_ask_while_it_is_being_read() {
    run(async {
        let node = Node::start(HubLimits::default());
        node.publish("a", 1);
        let log = Slow::new(&node);
        let pages = Pages::new(log.clone(), PageLimits::default());
        let asked: Vec<_> = (0..10).map(|_| pages.read(&node.tenant, after(0))).collect();
        settle().await;
        log.open.add_permits(100);
        for page in asked {
            assert_eq!(page.await.unwrap().entries.len(), 1);
        }
        assert_eq!(pages.counters().0, 1);
        node.publish("a", 2);
        assert_eq!(
            pages.read(&node.tenant, after(0)).await.unwrap().entries.len(),
            2,
            "one that is done is not shared"
        );
    });
}

#[test]
fn few_reads_run_at_once_and_no_tenant_takes_them_all() {
    run(async {
        let node = Node::start(HubLimits::default());
        let log = Slow::new(&node);
        let pages = Pages::new(log.clone(), PageLimits { reads: 3, reads_per_tenant: 2 });
        let other: TenantId = "other".parse().unwrap();
        let ours: Vec<_> = (0..5).map(|seq| pages.read(&node.tenant, after(seq))).collect();
        settle().await;
        assert_eq!(log.begun.load(Ordering::SeqCst), 2);
        let theirs: Vec<_> = (0..5).map(|seq| pages.read(&other, after(seq))).collect();
        settle().await;
        assert_eq!(log.begun.load(Ordering::SeqCst), 3, "a place was left for the other tenant");
        log.open.add_permits(100);
        for page in ours {
            page.await.unwrap();
        }
        for page in theirs {
            assert!(matches!(page.await, Err(StorageError::UnknownTenant)));
        }
        assert_eq!(log.most.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_reader_that_stalls_keeps_no_place() {
    run(async {
        let node = Node::start(HubLimits::default());
        let log = Slow::new(&node);
        let pages = Pages::new(log.clone(), PageLimits { reads: 1, reads_per_tenant: 1 });
        // Asked for, begun, and never looked at again: its connection takes no byte.
        let stalled = pages.read(&node.tenant, after(0));
        settle().await;
        assert_eq!(log.begun.load(Ordering::SeqCst), 1);
        log.open.add_permits(1);
        settle().await;
        let next = pages.read(&node.tenant, after(1));
        log.open.add_permits(1);
        next.await.unwrap();
        stalled.await.unwrap();
    });
}

#[test]
fn a_page_that_nobody_waits_for_is_given_up() {
    run(async {
        let node = Node::start(HubLimits::default());
        let log = Slow::new(&node);
        let pages = Pages::new(log.clone(), PageLimits { reads: 1, reads_per_tenant: 1 });
        drop((pages.read(&node.tenant, after(0)), pages.read(&node.tenant, after(1))));
        let gone = pages.read(&node.tenant, after(2));
        settle().await;
        drop(gone);
        let next = pages.read(&node.tenant, after(3));
        log.open.add_permits(1);
        next.await.unwrap();
        assert_eq!(pages.counters().0, 1);
    });
}
