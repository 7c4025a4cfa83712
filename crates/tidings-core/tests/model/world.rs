//! The real thing under test: store, log with faults, hub and pages; and the truth beside it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use tidings_contract::faulty::{FaultyLog, Seed};
use tidings_contract::memory::disk::Backup;
use tidings_contract::suite::kit::tenant;
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::hub::Hub;
use tidings_core::pages::Pages;
use tidings_core::port::store::{Action, Batch, Command, Commits, Outcome, Refused};
use tidings_core::port::tail::{Growth, Listener};
use tidings_core::port::{Directory, Log, Store};
use tidings_protocol::{Cursor, Draft, Seq, TenantId};

use super::client::Flag;
use super::coverage::Coverage;
use super::history::History;
use super::setup::Setup;

/// Between the store and the hub: commits that the hub has not been told of yet.
#[derive(Debug, Default)]
struct Relay(Mutex<VecDeque<Batch>>);

impl Commits for Relay {
    fn committed(&self, batch: Batch) {
        self.0.lock().unwrap().push_back(batch);
    }
}

/// A cursor that a client was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) cursor: Cursor,
    /// The event that it stands after.
    at: Option<Cursor>,
    starts: u64,
    /// Given since a history that was lost or replaced.
    crossed: bool,
}

/// What a held cursor is to the present history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Reading goes on after it; over how many restarts.
    Good(u64),
    /// Its position is one of this history, but the log may have forgotten that.
    Doubtful,
    /// It is of another history.
    Lost,
}

/// The part of a run that a restart replaces.
struct Node {
    store: Arc<MemoryStore>,
    log: Arc<FaultyLog<MemoryStore>>,
    hub: Arc<Hub>,
    pages: Arc<Pages>,
    refills: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
    relay: Arc<Relay>,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) tenant: TenantId,
    pub(crate) other: TenantId,
    pub(crate) history: History,
    pub(crate) held: Vec<Held>,
    pub(crate) clock: TestClock,
    disk: MemoryDisk,
    seed: Seed,
    node: Node,
    backups: Vec<(Backup, History)>,
    starts: u64,
    prompt: bool,
    /// Whether the hub was told of everything.
    pub(crate) told: bool,
    numbers: u64,
}

impl Node {
    fn start(disk: &MemoryDisk, clock: &TestClock, setup: &Setup, seed: &Seed) -> Self {
        let relay = Arc::new(Relay::default());
        let commits = Arc::clone(&relay) as Arc<dyn Commits>;
        let store = Arc::new(MemoryStore::open(disk, Arc::new(clock.clone()), setup.policy.clone(), commits));
        let log = Arc::new(FaultyLog::new(Arc::clone(&store), seed.clone(), setup.odds));
        let port = Arc::clone(&log) as Arc<dyn Log>;
        let hub = Hub::new(Arc::clone(&port), setup.hub);
        let pages = Pages::new(port, setup.pages);
        let refills = Arc::clone(&hub);
        let pause = || tokio::time::sleep(Duration::from_millis(5));
        let refills = Box::pin(async move { refills.run(pause).await });
        Self { store, log, hub, pages, refills, woken: Flag::up(), relay }
    }
}

impl World {
    pub(crate) async fn new(setup: Setup, seed: Seed) -> Self {
        let (disk, clock) = (MemoryDisk::new(), TestClock::default());
        let node = Node::start(&disk, &clock, &setup, &seed);
        let world = Self {
            setup,
            tenant: tenant("default"),
            other: tenant("other"),
            history: History::default(),
            held: Vec::new(),
            clock,
            disk,
            seed,
            node,
            backups: Vec::new(),
            starts: 0,
            prompt: true,
            told: true,
            numbers: 0,
        };
        world.node.store.add_tenant(&world.other).await.unwrap();
        world
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.node.hub
    }

    pub(crate) fn pages(&self) -> &Arc<Pages> {
        &self.node.pages
    }

    /// A number that no event has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Publishes; the hub is told as the run wants it.
    pub(crate) fn publish(&mut self, tenant: &TenantId, drafts: Vec<Draft>) -> Result<Outcome, Refused> {
        let command = Command { tenant: tenant.clone(), action: Action::Publish(drafts) };
        let before = self.node.relay.0.lock().unwrap().len();
        let outcome = self.node.store.submit(command).now_or_never().unwrap();
        let told: Vec<Batch> = self.node.relay.0.lock().unwrap().iter().skip(before).cloned().collect();
        for batch in told.into_iter().filter(|batch| batch.tenant == self.tenant) {
            batch.events.into_iter().for_each(|event| self.history.append(event));
        }
        if self.prompt && self.deliver(usize::MAX) > 0 {
            self.pump();
        }
        outcome
    }

    pub(crate) fn defer(&mut self, defer: bool) {
        self.prompt = !defer;
    }

    fn next_batch(&self) -> Option<Batch> {
        self.node.relay.0.lock().unwrap().pop_front()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.node.relay.0.lock().unwrap().len()
    }

    pub(crate) fn deliver(&mut self, most: usize) -> usize {
        let mut delivered = 0;
        while delivered < most
            && let Some(batch) = self.next_batch()
        {
            self.node.hub.committed(batch);
            delivered += 1;
        }
        delivered
    }

    pub(crate) fn deliver_twice(&mut self) -> bool {
        let Some(batch) = self.next_batch() else { return false };
        self.node.hub.committed(batch.clone());
        self.node.hub.committed(batch);
        true
    }

    /// The one that was committed last is told first.
    pub(crate) fn deliver_last(&mut self) -> bool {
        let last = self.node.relay.0.lock().unwrap().pop_back();
        let Some(batch) = last else { return false };
        self.node.hub.committed(batch);
        self.told = false;
        true
    }

    pub(crate) fn lose(&mut self) -> bool {
        let lost = self.next_batch().is_some();
        self.told &= !lost;
        lost
    }

    /// As another node would: the log has grown.
    pub(crate) fn announce(&mut self) {
        let head = Cursor::new(Seq(self.history.head()), tidings_protocol::Lineage::from_bits(0));
        self.node.hub.grown(Growth { tenant: self.tenant.clone(), head });
    }

    /// Lets the hub fill holes, if it was woken.
    pub(crate) fn pump(&mut self) {
        if self.node.woken.take() {
            let waker = Waker::from(Arc::clone(&self.node.woken));
            let _ = self.node.refills.as_mut().poll(&mut Context::from_waker(&waker));
        }
    }

    pub(crate) fn trim(&mut self, hours: u8) -> bool {
        self.clock.advance(Duration::from_secs(3600 * u64::from(hours)));
        let before = (self.history.marks(), self.history.floor);
        self.node.store.trim_now();
        self.look();
        before.0 != self.history.marks()
    }

    fn look(&mut self) {
        self.history.look(&self.node.store, &self.tenant);
    }

    pub(crate) fn count_faults(&self, cov: &mut Coverage) {
        let faults = self.node.log.faults();
        cov.add("log: late", faults.late);
        cov.add("log: failed", faults.failed);
        cov.add("log: page", self.node.pages.counters().0);
        cov.add("hub: overflow", self.node.hub.counters().overflows);
    }

    /// A new start on what the disk holds. No client may be connected.
    pub(crate) fn restart(&mut self, cov: &mut Coverage) {
        self.count_faults(cov);
        self.node = Node::start(&self.disk, &self.clock, &self.setup, &self.seed);
        self.starts += 1;
        self.told = true;
        self.look();
    }

    pub(crate) fn backup(&mut self) {
        self.backups.push((self.disk.snapshot(), self.history.clone()));
    }

    pub(crate) fn restore(&mut self, which: u8, cov: &mut Coverage) -> bool {
        if self.backups.is_empty() {
            return false;
        }
        let (backup, history) = self.backups[usize::from(which) % self.backups.len()].clone();
        self.disk.restore(&backup);
        self.history = history;
        self.held.iter_mut().for_each(|held| held.crossed = true);
        self.restart(cov);
        true
    }

    pub(crate) fn cut_tail(&mut self, lost: u8, cov: &mut Coverage) {
        // What retention removed it removed after it was written: a disk does not lose the one without the other.
        let removed = self.history.marks().into_values().max().unwrap_or(0).max(self.history.floor);
        let keep = self.history.head().saturating_sub(u64::from(lost)).max(removed);
        self.disk.cut_tail(&self.tenant, Seq(keep));
        self.history.cut(keep);
        for held in &mut self.held {
            held.crossed |= held.cursor.seq.0 > keep;
        }
        self.restart(cov);
    }

    /// Keeps an id that a client was given.
    pub(crate) fn hold(&mut self, cursor: Cursor) {
        let at = self.history.get(cursor.seq.0).map(|fact| fact.event.id);
        self.held.push(Held { cursor, at, starts: self.starts, crossed: false });
    }

    pub(crate) fn standing(&self, held: &Held) -> Standing {
        if !self.history.contains(held.cursor.seq.0, held.at) {
            return Standing::Lost;
        }
        // A lineage whose range lies wholly under the floor is forgotten, and so is one that a backup does not have.
        if held.crossed || held.cursor.seq.0 < self.history.floor {
            return Standing::Doubtful;
        }
        Standing::Good(self.starts - held.starts)
    }

    pub(crate) fn floor(&self) -> u64 {
        self.history.floor
    }
}
