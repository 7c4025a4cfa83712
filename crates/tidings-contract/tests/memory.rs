//! The in-memory reference passes the contract that it is the specification of.

use std::sync::Arc;

use tidings_contract::memory::Backup;
use tidings_contract::suite::tail::TailHarness;
use tidings_contract::suite::{Harness, Opening};
use tidings_contract::{MemoryDisk, MemoryStore, MemoryTail, MemoryWire};
use tidings_protocol::{Seq, TenantId};

#[derive(Debug, Default)]
struct InMemory(MemoryDisk);

impl Harness for InMemory {
    type Node = MemoryStore;
    type Backup = Backup;

    async fn open(&self, opening: Opening) -> MemoryStore {
        MemoryStore::open(&self.0, Arc::new(opening.clock), opening.policy, opening.commits)
    }

    async fn close(&self, node: MemoryStore) {
        drop(node);
    }

    async fn wake(&self, node: &MemoryStore) {
        node.tick();
    }

    async fn trim(&self, node: &MemoryStore) {
        node.trim_now();
    }

    async fn backup(&self) -> Backup {
        self.0.snapshot()
    }

    async fn restore(&self, backup: &Backup) {
        self.0.restore(backup);
    }

    async fn cut_tail(&self, tenant: &TenantId, keep: Seq) {
        self.0.cut_tail(tenant, keep);
    }

    fn fail_next_commit(&self, node: &MemoryStore) -> bool {
        node.fail_next_commit();
        true
    }
}

#[derive(Debug, Default)]
struct OneWire;

impl TailHarness for OneWire {
    type Tail = MemoryTail;

    async fn connect(&self, nodes: usize) -> Vec<MemoryTail> {
        let wire = MemoryWire::new();
        (0..nodes).map(|_| wire.connect()).collect()
    }
}

tidings_contract::contract_tests!(InMemory::default());
tidings_contract::tail_tests!(OneWire);
