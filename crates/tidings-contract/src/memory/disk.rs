//! What outlives a start: the state of all tenants, as a disk would hold it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::port::directory::{ApiKey, KeyHash, WebhookSecret};
use tidings_protocol::{Seq, TenantId};

use super::audit::AuditState;
use super::tenant::TenantState;
use super::users::UserState;

/// The durable state that [`super::MemoryStore::open`] opens. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    inner: Arc<Mutex<Inner>>,
}

/// A copy of a disk's contents at some moment.
#[derive(Debug, Clone)]
pub struct Backup(Contents);

#[derive(Debug, Default)]
pub(super) struct Inner {
    /// Counts starts and restores. A store of an earlier one is fenced: it does nothing any more.
    pub(super) generation: u64,
    pub(super) contents: Contents,
}

/// Everything that is stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    pub(super) tenants: BTreeMap<TenantId, TenantState>,
    /// Oldest first.
    pub(super) api_keys: Vec<(KeyHash, ApiKey)>,
    /// Oldest first.
    pub(super) webhooks: Vec<WebhookSecret>,
    pub(super) users: UserState,
    pub(super) audit: AuditState,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies what is stored. Stores may be open.
    #[must_use]
    pub fn snapshot(&self) -> Backup {
        Backup(self.lock().contents.clone())
    }

    /// Puts a copy back in place of what is stored, as an operator restores a backup. Stores that were open are fenced.
    pub fn restore(&self, backup: &Backup) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.contents = backup.0.clone();
    }

    /// Loses every event of the tenant after `keep`, as a disk does that lied about what it had written. Stores that
    /// were open are fenced.
    pub fn cut_tail(&self, tenant: &TenantId, keep: Seq) {
        let mut inner = self.lock();
        inner.generation += 1;
        if let Some(state) = inner.contents.tenants.get_mut(tenant) {
            state.cut_tail(keep);
        }
    }
}
