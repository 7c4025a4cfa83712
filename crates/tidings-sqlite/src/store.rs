//! The face of the crate: one file, opened.
//!
//! Owns: the threads, and the futures in which their answers come. Dropping a store closes it.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::store::{Command, Outcome, RecordKey, RecordPage, RecordQuery, RecordRead, Refused};
use tidings_core::port::{Log, PortFuture, StorageError, Store};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, TenantId};
use tokio::sync::oneshot;

use crate::error::OpenError;
use crate::inbox::{Chore, Done, Inbox, Waiting};
use crate::options::Options;
use crate::readers::Readers;
use crate::tenants::{Tenant, Tenants};
use crate::{open, page, records};

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) tenants: Tenants,
    pub(crate) inbox: Inbox,
    /// The last sign of life that the start found in the file.
    pub(crate) found_alive: Timestamp,
    failed: OnceLock<String>,
}

impl Shared {
    pub(crate) fn new(options: Options, tenants: Tenants, found_alive: Timestamp) -> Self {
        let inbox = Inbox::new(options.write_queue);
        Self { options, tenants, inbox, found_alive, failed: OnceLock::new() }
    }

    pub(crate) fn health(&self) -> Result<(), StorageError> {
        self.failed.get().map_or(Ok(()), |reason| Err(StorageError::Failed(reason.clone())))
    }

    /// Ends writing for good.
    pub(crate) fn fail(&self, reason: &str) -> StorageError {
        let first = self.failed.get_or_init(|| {
            tracing::error!(reason, "writing has failed; nothing is written until the next start");
            reason.to_owned()
        });
        StorageError::Failed(first.clone())
    }
}

/// Log, Store, Directory, Users and AuditLog in one SQLite file.
///
/// One thread writes; [`Options::readers`] threads read. Futures may be dropped: a command that was accepted is carried
/// out all the same.
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held until everything is closed.
    lock: Mutex<Option<File>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, made if need be, and begins a run: migrations, a new lineage for every tenant, and what was held
    /// when the last run ended, all durable before this returns. Takes a few milliseconds, however many events there are.
    ///
    /// # Errors
    /// [`OpenError`]; the file is left as it was, but for migrations that were complete.
    pub fn open(path: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        open::open(path, options)
    }

    pub(crate) fn assemble(
        shared: Arc<Shared>,
        readers: Readers,
        writer: JoinHandle<()>,
        lock: File,
    ) -> Arc<Self> {
        Arc::new(Self { shared, readers, writer: Mutex::new(Some(writer)), lock: Mutex::new(Some(lock)) })
    }

    /// Accepts nothing more, finishes what was accepted, closes the file and lets others open it. Held values stay held:
    /// the next start commits them. Blocks for as long as that takes; a second call does nothing.
    pub fn close(&self) {
        // The writer goes last: only a connection that may write copies the WAL into the file as it closes.
        self.readers.close();
        self.shared.inbox.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Carries out retention for every tenant, completely, in slices between other commands.
    ///
    /// # Errors
    /// [`StorageError`] where writing has failed or the store is being closed.
    pub async fn trim_now(&self) -> Result<(), StorageError> {
        self.chore(Chore::Trim).await
    }

    /// Looks at the clock now rather than in a moment; returns once the held values that are due by it are committed.
    ///
    /// # Errors
    /// [`StorageError`] where writing has failed or the store is being closed.
    pub async fn wake(&self) -> Result<(), StorageError> {
        self.chore(Chore::Wake).await
    }

    async fn chore(&self, chore: impl FnOnce(Done) -> Chore) -> Result<(), StorageError> {
        let (done, answer) = oneshot::channel();
        self.shared.health()?;
        self.shared.inbox.push_chore(chore(done))?;
        answer.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Why nobody answers any more.
    pub(crate) fn lost(&self) -> StorageError {
        let closed = || StorageError::Unavailable("the store has been closed".into());
        self.shared.health().err().unwrap_or_else(closed)
    }

    fn tenant(&self, tenant: &TenantId) -> Result<Arc<Tenant>, StorageError> {
        self.shared.tenants.get(tenant)
    }

    fn push(&self, command: Command) -> Result<oneshot::Receiver<Result<Outcome, Refused>>, StorageError> {
        self.shared.health()?;
        self.tenant(&command.tenant)?;
        let (reply, answer) = oneshot::channel();
        self.shared.inbox.push(Waiting { command, reply })?;
        Ok(answer)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Log for SqliteStore {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        let bounds = self.tenant(tenant).map(|tenant| tenant.bounds());
        Box::pin(std::future::ready(bounds))
    }

    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>> {
        let resolution = self.tenant(tenant).map(|tenant| tenant.resolve(cursor));
        Box::pin(std::future::ready(resolution))
    }

    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>> {
        Box::pin(async move {
            let (tenant, query) = (self.tenant(tenant)?, query.clone());
            self.readers.read(move |connection| page::read(connection, &tenant, &query)).await
        })
    }
}

impl Store for SqliteStore {
    fn submit(&self, command: Command) -> PortFuture<'_, Result<Outcome, Refused>> {
        // Queued now and not when first polled: commands are carried out in the order of the calls.
        let queued = self.push(command);
        Box::pin(async move {
            match queued?.await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.lost().into()),
            }
        })
    }

    fn record<'a>(
        &'a self,
        tenant: &'a TenantId,
        key: &'a RecordKey,
    ) -> PortFuture<'a, Result<RecordRead, StorageError>> {
        Box::pin(async move {
            let (tenant, key) = (self.tenant(tenant)?, key.clone());
            self.readers.read(move |connection| records::read(connection, &tenant, &key)).await
        })
    }

    fn records<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a RecordQuery,
    ) -> PortFuture<'a, Result<RecordPage, StorageError>> {
        Box::pin(async move {
            let (tenant, query) = (self.tenant(tenant)?, query.clone());
            self.readers.read(move |connection| records::list(connection, &tenant, &query)).await
        })
    }

    fn health(&self) -> Result<(), StorageError> {
        self.shared.health()
    }
}
