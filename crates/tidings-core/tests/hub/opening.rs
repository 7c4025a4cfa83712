//! A tenant's hub being opened while it is published to, and while the log fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings_contract::MemoryStore;
use tidings_contract::suite::kit::selection;
use tidings_core::hub::{Attach, Hub, HubLimits, Mailbox, Membership};
use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::store::{Batch, Commits};
use tidings_core::port::tail::{Growth, Listener};
use tidings_core::port::{Log, PortFuture, StorageError};
use tidings_protocol::{Cursor, Event, Seq, TenantId};
use tokio::sync::Semaphore;

use super::node::Node;

/// A log that answers when it is let, and fails as often as it is told to.
struct Gate {
    inner: Arc<MemoryStore>,
    open: Semaphore,
    failures: AtomicU64,
}

impl Gate {
    fn new(inner: Arc<MemoryStore>, open: usize, failures: u64) -> Arc<Self> {
        Arc::new(Self { inner, open: Semaphore::new(open), failures: AtomicU64::new(failures) })
    }

    async fn pass(&self) -> Result<(), StorageError> {
        self.open.acquire().await.unwrap().forget();
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_or(Ok(()), |_| Err(StorageError::Unavailable("a failure was wanted here".into())))
    }
}

impl Log for Gate {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        let bounds = self.inner.bounds(tenant);
        Box::pin(async move {
            self.pass().await?;
            bounds.await
        })
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
            self.pass().await?;
            self.inner.read(tenant, query).await
        })
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

/// The events of the log after `after`, as a writer tells of them.
async fn batch(node: &Node, after: u64) -> Batch {
    let query = Query { after: Seq(after), ..tidings_contract::suite::kit::query(&["*"]) };
    let events: Vec<Event> = node.store.read(&node.tenant, &query).await.unwrap().events;
    Batch { tenant: node.tenant.clone(), events }
}

#[test]
fn what_is_committed_while_a_hub_opens_is_in_it() {
    run(async {
        let node = Node::start(HubLimits::default());
        node.publish("a", 1);
        let gate = Gate::new(node.store.clone(), 0, 0);
        let hub = Hub::new(gate.clone(), HubLimits::default());
        let opening = tokio::spawn({
            let (hub, tenant) = (hub.clone(), node.tenant.clone());
            async move { hub.tenant(&tenant).await.map(|hub| hub.published()) }
        });
        tokio::task::yield_now().await;
        // The head is asked for; the answer is still to come, and is what it was when it was asked for or later.
        node.publish("a", 2);
        hub.committed(batch(&node, 1).await);
        node.publish("a", 3);
        gate.open.add_permits(100);
        tokio::task::yield_now().await;
        hub.committed(batch(&node, 2).await);
        let published = opening.await.unwrap().unwrap();
        assert!(published.seq >= Seq(2));
        assert_eq!(hub.tenant(&node.tenant).await.unwrap().published().seq, Seq(3));
    });
}

#[test]
fn a_hub_that_failed_to_open_for_one_is_the_hub_of_the_next() {
    run(async {
        let node = Node::start(HubLimits::default());
        let gate = Gate::new(node.store.clone(), 0, 1);
        let hub = Hub::new(gate.clone(), HubLimits::default());
        let open = || {
            let (hub, tenant) = (hub.clone(), node.tenant.clone());
            tokio::spawn(async move { hub.tenant(&tenant).await })
        };
        let (one, two) = (open(), open());
        tokio::task::yield_now().await;
        gate.open.add_permits(100);
        let answers = [one.await.unwrap(), two.await.unwrap()];
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1, "one met the failure");
        let theirs = answers.into_iter().find_map(Result::ok).unwrap();
        node.publish("a", 1);
        hub.committed(batch(&node, 0).await);
        assert_eq!(theirs.published().seq, Seq(1), "it is told of what is committed");
        assert_eq!(hub.counters().tenants, 1);
    });
}

#[test]
fn a_hole_that_cannot_be_read_is_tried_again_after_a_pause() {
    run(async {
        let node = Node::start(HubLimits::default());
        let gate = Gate::new(node.store.clone(), 100, 0);
        let hub = Hub::new(gate.clone(), HubLimits::default());
        let ours = hub.tenant(&node.tenant).await.unwrap();
        gate.failures.store(3, Ordering::SeqCst);
        let pauses = Arc::new(AtomicU64::new(0));
        let refills = tokio::spawn({
            let (hub, pauses) = (hub.clone(), pauses.clone());
            let pause = move || {
                pauses.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now()
            };
            async move { hub.run(pause).await }
        });
        let head = node.publish("a", 1);
        hub.grown(Growth { tenant: node.tenant.clone(), head });
        while ours.published().seq < Seq(1) {
            tokio::task::yield_now().await;
        }
        assert_eq!(pauses.load(Ordering::SeqCst), 3, "one for each failure");
        refills.abort();
    });
}

#[test]
fn attaching_far_behind_gives_the_ring_in_parts() {
    run(async {
        let node = Node::start(HubLimits::default());
        let hub = node.hub.tenant(&node.tenant).await.unwrap();
        let begin = hub.published();
        for number in 0..5 {
            node.publish("a", number);
        }
        let mailbox = Mailbox::new(Arc::default(), 1_000);
        let (mut place, mut after, mut parts) = (Membership::default(), begin, Vec::new());
        loop {
            let given = hub.attach(&mailbox, &mut place, &selection(&["a"], &[], &[]), after, 300);
            let Attach::Given { entries, through, attached } = given else { panic!("{given:?}") };
            parts.push(entries.len());
            after = through;
            assert_eq!(node.hub.counters().attached, usize::from(attached));
            if attached {
                break;
            }
        }
        assert_eq!(parts, [2, 2, 1]);
        assert_eq!(after.seq, Seq(5));
        hub.detach(&mailbox, &mut place);
        assert_eq!(node.hub.counters().attached, 0);
    });
}
