//! The ports on a [`MemoryDisk`]: one lock, one commit a command.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::store::{
    Action, Batch, Changes, Command, IdempotencyKey, Outcome, Policy, Record, RecordKey, RecordPage,
    RecordQuery, RecordRead, Refused,
};
use tidings_core::port::{Clock, Commits, Log, PortFuture, StorageError, Store};
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Event, TenantId};

use super::disk::{Contents, Inner, MemoryDisk};
use super::tenant::TenantState;

/// A run of Log, Store, Directory, Users and AuditLog on a disk.
///
/// Held values whose window is over enter the log at the next command and at [`MemoryStore::tick`]; nothing is trimmed
/// but by [`MemoryStore::trim_now`].
pub struct MemoryStore {
    pub(super) disk: MemoryDisk,
    pub(super) clock: Arc<dyn Clock>,
    policy: Policy,
    commits: Arc<dyn Commits>,
    generation: u64,
    /// Whether the next commit fails, and whether one has failed.
    fail_next: AtomicBool,
    failed: AtomicBool,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// Starts on a disk: a new lineage for every tenant, what was held committed, the tenant `default` made if it is
    /// missing. A store that was open on the disk is fenced.
    #[must_use]
    pub fn open(disk: &MemoryDisk, clock: Arc<dyn Clock>, policy: Policy, commits: Arc<dyn Commits>) -> Self {
        let mut inner = disk.lock();
        inner.generation += 1;
        for state in inner.contents.tenants.values_mut() {
            state.lineages.start(state.head);
        }
        let now = clock.now();
        inner.contents.found_alive();
        if let Ok(default) = "default".parse() {
            inner.contents.tenants.entry(default).or_insert_with(|| TenantState::new(now));
        }
        for (tenant, state) in &mut inner.contents.tenants {
            let events = state.settle_all(now);
            tell(&*commits, tenant, events);
        }
        let generation = inner.generation;
        drop(inner);
        Self::of_run(disk.clone(), clock, policy, commits, generation)
    }

    /// Another node of the same run: the same log and lineages, and commits of its own.
    #[must_use]
    pub fn join(&self, commits: Arc<dyn Commits>) -> Self {
        Self::of_run(
            self.disk.clone(),
            Arc::clone(&self.clock),
            self.policy.clone(),
            commits,
            self.generation,
        )
    }

    fn of_run(
        disk: MemoryDisk,
        clock: Arc<dyn Clock>,
        policy: Policy,
        commits: Arc<dyn Commits>,
        generation: u64,
    ) -> Self {
        let (fail_next, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { disk, clock, policy, commits, generation, fail_next, failed }
    }

    /// Commits the held values whose window is over. Answers when the next one is due.
    pub fn tick(&self) -> Option<Timestamp> {
        if Store::health(self).is_err() {
            return None;
        }
        let now = self.clock.now();
        let mut inner = self.disk.lock();
        for (tenant, state) in &mut inner.contents.tenants {
            let events = state.emit_due(now);
            tell(&*self.commits, tenant, events);
        }
        inner.contents.tenants.values().filter_map(TenantState::next_due).min()
    }

    /// Carries out the retention policy.
    pub fn trim_now(&self) {
        if Store::health(self).is_ok() {
            let now = self.clock.now();
            let mut inner = self.disk.lock();
            inner.contents.tenants.values_mut().for_each(|state| state.trim(now, &self.policy));
            inner.contents.users.sweep(now);
            inner.contents.audit.trim(now, &self.policy);
        }
    }

    /// Makes the next commit fail.
    pub fn fail_next_commit(&self) {
        self.fail_next.store(true, Ordering::SeqCst);
    }

    fn check(&self, inner: &Inner) -> Result<(), StorageError> {
        if inner.generation != self.generation {
            return Err(StorageError::Failed("another start has taken the disk over".into()));
        }
        if self.failed.load(Ordering::SeqCst) {
            return Err(StorageError::Failed("a commit was made to fail".into()));
        }
        Ok(())
    }

    fn carry_out(&self, command: Command) -> Result<Outcome, Refused> {
        let mut inner = self.disk.lock();
        self.check(&inner)?;
        let now = self.clock.now();
        let Contents { tenants, audit, .. } = &mut inner.contents;
        let state = tenants.get_mut(&command.tenant).ok_or(StorageError::UnknownTenant)?;
        if self.fail_next.swap(false, Ordering::SeqCst) {
            self.failed.store(true, Ordering::SeqCst);
            return Err(StorageError::Failed("a commit was made to fail".into()).into());
        }
        let due = state.emit_due(now);
        tell(&*self.commits, &command.tenant, due);
        let (mut changes, keys) = match decide(state, command.action)? {
            Decided::Known(outcome) => return Ok(outcome),
            Decided::New(changes, keys) => (changes, keys),
        };
        let rows = std::mem::take(&mut changes.audit);
        let (outcome, events) = state.carry_out(changes, keys, now, &self.policy)?;
        rows.into_iter().for_each(|row| audit.push(row));
        tell(&*self.commits, &command.tenant, events);
        Ok(outcome)
    }

    /// Looks at a tenant. A fenced store does not read either; a failed one does.
    pub(super) fn view<T>(
        &self,
        tenant: &TenantId,
        look: impl FnOnce(&TenantState) -> T,
    ) -> Result<T, StorageError> {
        let inner = self.disk.lock();
        if inner.generation != self.generation {
            return Err(StorageError::Unavailable("another start has taken the disk over".into()));
        }
        inner.contents.tenants.get(tenant).map(look).ok_or(StorageError::UnknownTenant)
    }
}

/// What a command comes to before it is carried out.
enum Decided {
    /// One of its keys is known.
    Known(Outcome),
    /// It is new, and is known by these keys from now on.
    New(Changes, Vec<IdempotencyKey>),
}

fn decide(state: &TenantState, action: Action) -> Result<Decided, Problem> {
    match action {
        Action::Publish(events) => Ok(Decided::New(Changes { events, ..Changes::default() }, Vec::new())),
        Action::Decide { reads, decide, idempotency } => {
            if let Some(outcome) = state.replay(&idempotency)? {
                return Ok(Decided::Known(outcome));
            }
            let records: Vec<Option<Record>> = reads.iter().map(|key| state.record(key)).collect();
            Ok(Decided::New(decide(&records)?, idempotency))
        }
    }
}

fn tell(commits: &dyn Commits, tenant: &TenantId, events: Vec<Event>) {
    if !events.is_empty() {
        commits.committed(Batch { tenant: tenant.clone(), events });
    }
}

impl Log for MemoryStore {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        Box::pin(async move {
            self.view(tenant, |state| Bounds { floor: state.floor, head: state.head_cursor() })
        })
    }

    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>> {
        Box::pin(async move {
            let known = self.view(tenant, |state| state.lineages.know(cursor, state.head))?;
            Ok(if known { Resolution::Known } else { Resolution::Unknown })
        })
    }

    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>> {
        Box::pin(async move { self.view(tenant, |state| state.read(query)) })
    }
}

impl Store for MemoryStore {
    fn submit(&self, command: Command) -> PortFuture<'_, Result<Outcome, Refused>> {
        Box::pin(async move { self.carry_out(command) })
    }

    fn record<'a>(
        &'a self,
        tenant: &'a TenantId,
        key: &'a RecordKey,
    ) -> PortFuture<'a, Result<RecordRead, StorageError>> {
        Box::pin(async move {
            self.view(tenant, |state| RecordRead { record: state.record(key), head: state.head_cursor() })
        })
    }

    fn records<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a RecordQuery,
    ) -> PortFuture<'a, Result<RecordPage, StorageError>> {
        Box::pin(async move { self.view(tenant, |state| state.list(query)) })
    }

    fn health(&self) -> Result<(), StorageError> {
        self.check(&self.disk.lock())
    }
}
