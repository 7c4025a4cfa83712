//! The Tail: announcements reach the other nodes, and never their own.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_core::port::Tail;
use tidings_core::port::tail::{Growth, Listener};
use tidings_protocol::{Cursor, Lineage, Seq, TenantId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::kit::tenant;

/// Longer than any announcement takes whose link is up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the suite connects nodes.
pub trait TailHarness: Send + Sync + 'static {
    /// One node's end.
    type Tail: Tail;

    /// Connects so many nodes; their links are up.
    fn connect(&self, nodes: usize) -> impl Future<Output = Vec<Self::Tail>> + Send;
}

/// Keeps the highest head heard of each tenant.
#[derive(Debug)]
struct Ear {
    heard: Mutex<HashMap<TenantId, Cursor>>,
    count: watch::Sender<usize>,
}

impl Ear {
    fn on(tail: &impl Tail) -> Arc<Self> {
        let ear = Arc::new(Self { heard: Mutex::default(), count: watch::Sender::new(0) });
        tail.listen(Arc::clone(&ear) as Arc<dyn Listener>);
        ear
    }

    fn heard(&self, of: &TenantId) -> Option<Cursor> {
        self.heard.lock().unwrap().get(of).copied()
    }

    async fn wait_for(&self, growth: &Growth) {
        let mut count = self.count.subscribe();
        let waiting = count.wait_for(|_| self.heard(&growth.tenant) >= Some(growth.head));
        tokio::time::timeout(PATIENCE, waiting).await.expect("the announcement arrives").unwrap();
        assert_eq!(self.heard(&growth.tenant), Some(growth.head));
    }
}

impl Listener for Ear {
    fn grown(&self, growth: Growth) {
        let mut heard = self.heard.lock().unwrap();
        let head = heard.entry(growth.tenant).or_insert(growth.head);
        *head = (*head).max(growth.head);
        drop(heard);
        self.count.send_modify(|count| *count += 1);
    }
}

fn growth(of: &str, seq: u64) -> Growth {
    Growth { tenant: tenant(of), head: Cursor::new(Seq(seq), Lineage::from_bits(7)) }
}

/// Every node but the one that announces hears, with tenant and head as they were announced.
pub async fn an_announcement_reaches_every_other_node(harness: impl TailHarness) {
    let tails = harness.connect(3).await;
    let ears: Vec<Arc<Ear>> = tails.iter().map(Ear::on).collect();
    for (node, tail) in tails.iter().enumerate() {
        let announced = growth(&format!("of-{node}"), 5 + node as u64);
        tail.announce(announced.clone());
        for (_, ear) in ears.iter().enumerate().filter(|(other, _)| *other != node) {
            ear.wait_for(&announced).await;
        }
    }
    for (node, ear) in ears.iter().enumerate() {
        assert_eq!(ear.heard(&tenant(&format!("of-{node}"))), None, "never its own");
    }
}

/// Of many announcements some may be superseded; the last one arrives.
pub async fn the_last_of_many_announcements_arrives(harness: impl TailHarness) {
    let tails = harness.connect(2).await;
    let (own, other) = (Ear::on(&tails[0]), Ear::on(&tails[1]));
    for seq in 1..=5_000 {
        tails[0].announce(growth("a", seq));
    }
    other.wait_for(&growth("a", 5_000)).await;
    assert_eq!(own.heard(&tenant("a")), None);
}

/// A node may have several listeners, added at any time.
pub async fn every_listener_of_a_node_hears(harness: impl TailHarness) {
    let tails = harness.connect(2).await;
    let first = Ear::on(&tails[1]);
    tails[0].announce(growth("a", 1));
    first.wait_for(&growth("a", 1)).await;
    let second = Ear::on(&tails[1]);
    tails[0].announce(growth("a", 2));
    first.wait_for(&growth("a", 2)).await;
    second.wait_for(&growth("a", 2)).await;
}

/// What supersedes an announcement is of the same tenant: none goes unheard.
pub async fn announcing_from_many_tasks_loses_no_tenant(harness: impl TailHarness) {
    let mut tails = harness.connect(2).await;
    let ear = Ear::on(&tails[1]);
    let announcing = Arc::new(tails.swap_remove(0));
    let mut tasks = JoinSet::new();
    for task in 0..16u64 {
        let tail = Arc::clone(&announcing);
        tasks.spawn(async move {
            for seq in 1..=50 {
                tail.announce(growth(&format!("t-{task}"), seq));
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    for task in 0..16u64 {
        ear.wait_for(&growth(&format!("t-{task}"), 50)).await;
    }
}
