//! The tenants, as every thread sees them: row, head, floor and runs.
//!
//! Owns: what answers `bounds` and `resolve` without reading the file. Invariants: a head shown here is durable and is
//! never below one that any reader has been given; tenants are as many as the directory holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tidings_core::port::StorageError;
use tidings_core::port::log::{Bounds, Resolution};
use tidings_protocol::{Cursor, Lineage, Seq, TenantId};

use crate::runs::Runs;

/// One tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    /// The row in `tenants`.
    pub(crate) row: i64,
    pub(crate) id: TenantId,
    head: AtomicU64,
    floor: AtomicU64,
    runs: RwLock<Arc<Runs>>,
}

impl Tenant {
    pub(crate) fn new(row: i64, id: TenantId, head: Seq, floor: Seq, runs: Runs) -> Arc<Self> {
        let (head, floor) = (AtomicU64::new(head.0), AtomicU64::new(floor.0));
        Arc::new(Self { row, id, head, floor, runs: RwLock::new(Arc::new(runs)) })
    }

    pub(crate) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    pub(crate) fn floor(&self) -> Seq {
        Seq(self.floor.load(Ordering::Acquire))
    }

    /// A reader or the writer has seen this head committed.
    pub(crate) fn saw_head(&self, head: Seq) {
        self.head.fetch_max(head.0, Ordering::AcqRel);
    }

    pub(crate) fn saw_floor(&self, floor: Seq) {
        self.floor.fetch_max(floor.0, Ordering::AcqRel);
    }

    pub(crate) fn runs(&self) -> Arc<Runs> {
        self.runs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lineage of this run.
    pub(crate) fn lineage(&self) -> Lineage {
        self.runs().present()
    }

    /// Forgets the runs that lie wholly before `floor`.
    pub(crate) fn forget_runs_before(&self, floor: Seq) {
        let mut runs = Runs::clone(&self.runs());
        if runs.forget_before(floor) {
            *self.runs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(runs);
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let (runs, floor) = (self.runs(), self.floor());
        let head = self.head().max(floor);
        Bounds { floor: runs.event(floor), head: Cursor::new(head, runs.present()) }
    }

    pub(crate) fn resolve(&self, cursor: Cursor) -> Resolution {
        if self.runs().know(cursor, self.head()) { Resolution::Known } else { Resolution::Unknown }
    }
}

/// All tenants.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_id: HashMap<TenantId, Arc<Tenant>>,
    by_row: HashMap<i64, Arc<Tenant>>,
}

impl Tenants {
    fn maps(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: &TenantId) -> Result<Arc<Tenant>, StorageError> {
        self.maps().by_id.get(id).cloned().ok_or(StorageError::UnknownTenant)
    }

    pub(crate) fn by_row(&self, row: i64) -> Option<Arc<Tenant>> {
        self.maps().by_row.get(&row).cloned()
    }

    pub(crate) fn insert(&self, tenant: &Arc<Tenant>) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.insert(tenant.id.clone(), Arc::clone(tenant));
        maps.by_row.insert(tenant.row, Arc::clone(tenant));
    }

    /// The rows of all tenants.
    pub(crate) fn rows(&self) -> Vec<i64> {
        self.maps().by_row.keys().copied().collect()
    }
}
