//! How the contract's suites start, end, age and damage a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_contract::suite::{Harness, Opening};
use tidings_core::port::directory::{ApiKey, DirectoryError, KeyHash, Tenant};
use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::store::{Command, Outcome, Record, RecordKey, Refused};
use tidings_core::port::{Directory, Log, PortFuture, StorageError, Store};
use tidings_protocol::{Cursor, Seq, TenantId};
use tidings_sqlite::{Options, SqliteStore};

/// One file.
pub(crate) struct FileHarness {
    directory: TempDir,
}

impl FileHarness {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("tidings.db")
    }
}

/// An open store.
pub(crate) struct Node(Arc<SqliteStore>);

impl Harness for FileHarness {
    type Node = Node;
    type Backup = Vec<u8>;

    async fn open(&self, opening: Opening) -> Node {
        let options =
            Options { policy: opening.policy, ..Options::new(Arc::new(opening.clock), opening.commits) };
        Node(SqliteStore::open(&self.path(), options).unwrap())
    }

    async fn close(&self, node: Node) {
        tokio::task::spawn_blocking(move || node.0.close()).await.unwrap();
    }

    async fn wake(&self, node: &Node) {
        node.0.wake().await.unwrap();
    }

    async fn trim(&self, node: &Node) {
        node.0.trim_now().await.unwrap();
    }

    async fn backup(&self) -> Vec<u8> {
        let copy = self.directory.path().join("copy.db");
        let source = Connection::open(self.path()).unwrap();
        source.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        std::fs::remove_file(copy).unwrap();
        bytes
    }

    async fn restore(&self, backup: &Vec<u8>) {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(self.directory.path().join(format!("tidings.db{suffix}")));
        }
        std::fs::write(self.path(), backup).unwrap();
    }

    /// As a disk does that lost the last commits: the tenant's row is of an earlier time, too.
    async fn cut_tail(&self, tenant: &TenantId, keep: Seq) {
        let file = Connection::open(self.path()).unwrap();
        let keep = i64::try_from(keep.0).unwrap();
        let row: i64 = file
            .query_row("SELECT id FROM tenants WHERE name = ?1", [tenant.as_str()], |row| row.get(0))
            .unwrap();
        for statement in [
            "DELETE FROM events WHERE tenant = ?1 AND seq > ?2",
            "DELETE FROM channel_events WHERE seq > ?2 AND channel IN (SELECT id FROM channels WHERE tenant = ?1)",
            "DELETE FROM key_stubs WHERE tenant = ?1 AND seq > ?2",
            "UPDATE channels SET trimmed_to = min(trimmed_to, ?2) WHERE tenant = ?1",
            "UPDATE tenants SET head = ?2 WHERE id = ?1",
        ] {
            file.execute(statement, [row, keep]).unwrap();
        }
    }

    /// Another program takes the file's write lock and does not give it back in time.
    fn fail_next_commit(&self, _: &Node) -> bool {
        let path = self.path();
        let (locked, is_locked) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let file = Connection::open(path).unwrap();
            file.busy_timeout(Duration::from_secs(5)).unwrap();
            file.execute_batch("BEGIN IMMEDIATE").unwrap();
            locked.send(()).unwrap();
            std::thread::sleep(Duration::from_secs(7));
        });
        is_locked.recv().unwrap();
        true
    }
}

impl Log for Node {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        self.0.bounds(tenant)
    }

    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>> {
        self.0.resolve(tenant, cursor)
    }

    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>> {
        self.0.read(tenant, query)
    }
}

impl Store for Node {
    fn submit(&self, command: Command) -> PortFuture<'_, Result<Outcome, Refused>> {
        self.0.submit(command)
    }

    fn record<'a>(
        &'a self,
        tenant: &'a TenantId,
        key: &'a RecordKey,
    ) -> PortFuture<'a, Result<Option<Record>, StorageError>> {
        self.0.record(tenant, key)
    }

    fn health(&self) -> Result<(), StorageError> {
        self.0.health()
    }
}

impl Directory for Node {
    fn add_tenant<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Tenant, DirectoryError>> {
        self.0.add_tenant(tenant)
    }

    fn tenants(&self) -> PortFuture<'_, Result<Vec<Tenant>, DirectoryError>> {
        self.0.tenants()
    }

    fn add_key<'a>(&'a self, key: &'a ApiKey, hash: KeyHash) -> PortFuture<'a, Result<(), DirectoryError>> {
        self.0.add_key(key, hash)
    }

    fn keys<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Result<Vec<ApiKey>, DirectoryError>> {
        self.0.keys(tenant)
    }

    fn find_key(&self, hash: KeyHash) -> PortFuture<'_, Result<Option<ApiKey>, DirectoryError>> {
        self.0.find_key(hash)
    }

    fn revoke_key<'a>(&'a self, id: &'a str) -> PortFuture<'a, Result<ApiKey, DirectoryError>> {
        self.0.revoke_key(id)
    }
}
