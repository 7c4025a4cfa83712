//! Many readers of one log: a page is read once for all, a few at a time, and a reader that stalls holds up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidings_contract::MemoryStore;
use tidings_contract::suite::kit::query;
use tidings_core::Feed;
use tidings_core::feed::Frame;
use tidings_core::hub::{HubLimits, Signal};
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::{Log, PortFuture, StorageError};
use tidings_core::session::{Join, JoinAt, Start};
use tidings_protocol::{Cursor, Seq, TenantId};
use tokio::sync::{Semaphore, oneshot};

use super::node::Node;

/// A log that reads when it is let, and counts.
struct Slow {
    inner: Arc<MemoryStore>,
    open: Semaphore,
    running: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
    /// Whether what is answered is as it was when it was asked for.
    stale: bool,
}

impl Slow {
    fn new(node: &Node) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let (inner, open) = (node.store.clone(), Semaphore::new(0));
        Arc::new(Self { inner, open, running: zero(), most: zero(), begun: zero(), stale: false })
    }

    fn stale(node: &Node) -> Arc<Self> {
        Arc::new(Self { stale: true, ..Arc::into_inner(Self::new(node)).unwrap() })
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
            let early = if self.stale { Some(self.inner.read(tenant, query).await) } else { None };
            self.open.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::SeqCst);
            match early {
                Some(page) => page,
                None => self.inner.read(tenant, query).await,
            }
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

/// The numbers of the events that a stream has for now.
async fn drain(feed: &mut Feed) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..50 {
        while let Poll::Ready(frame) = feed.poll(&mut Context::from_waker(Waker::noop()), Duration::ZERO) {
            if let Frame::Event(entry) | Frame::Backfill(entry) = frame {
                numbers.push(entry.seq().0);
            }
        }
        tokio::task::yield_now().await;
    }
    numbers
}

#[test]
fn a_shared_page_that_is_older_than_the_reader_is_not_all_there_is() {
    run(async {
        let node = Node::start(HubLimits { ring_events: 1, ..HubLimits::default() });
        let begin = node.store.bounds(&node.tenant).await.unwrap().head;
        node.hub.tenant(&node.tenant).await.unwrap();
        (0..3).for_each(|number| _ = node.publish("b", number));
        let log = Slow::stale(&node);
        let node = Node { pages: Pages::new(log.clone(), PageLimits::default()), ..node };
        // One reader asks for what there is of b; the answer is on its way.
        let mut early = node.open(&["b"], Start::Resume(begin), 10_000).await;
        assert!(drain(&mut early).await.is_empty());
        (0..3).for_each(|number| _ = node.publish("b", number));
        // Another adds b to a stream that is further on by now, and asks for the same.
        let mut late = node.open(&["a"], Start::Head, 10_000).await;
        let (reply, _) = oneshot::channel();
        let add = vec![Join { pattern: "b".parse().unwrap(), at: JoinAt::After(begin) }];
        late.mailbox().signal(Signal::Change { add, remove: Vec::new(), reply });
        assert!(drain(&mut late).await.is_empty());
        assert_eq!(log.begun.load(Ordering::SeqCst), 1, "the page is shared");
        log.open.add_permits(100);
        assert_eq!(drain(&mut late).await, [1, 2, 3, 4, 5, 6]);
        assert_eq!(drain(&mut early).await, [1, 2, 3, 4, 5, 6]);
    });
}
