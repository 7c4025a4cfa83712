//! How the contract's suites start, end, age and damage a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_contract::suite::{Harness, Opening};
use tidings_protocol::{Seq, TenantId};
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

impl Harness for FileHarness {
    type Node = SqliteStore;
    type Backup = Vec<u8>;

    async fn open(&self, opening: Opening) -> SqliteStore {
        let options =
            Options { policy: opening.policy, ..Options::new(Arc::new(opening.clock), opening.commits) };
        Arc::into_inner(SqliteStore::open(&self.path(), options).unwrap()).unwrap()
    }

    async fn close(&self, node: SqliteStore) {
        tokio::task::spawn_blocking(move || node.close()).await.unwrap();
    }

    async fn wake(&self, node: &SqliteStore) {
        node.wake().await.unwrap();
    }

    async fn trim(&self, node: &SqliteStore) {
        node.trim_now().await.unwrap();
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
            "DELETE FROM answers WHERE tenant = ?1 AND head_seq > ?2",
            "UPDATE channels SET trimmed_to = min(trimmed_to, ?2) WHERE tenant = ?1",
            "UPDATE tenants SET head = ?2 WHERE id = ?1",
        ] {
            file.execute(statement, [row, keep]).unwrap();
        }
    }

    /// Another program takes the file's write lock and does not give it back in time.
    fn fail_next_commit(&self, _: &SqliteStore) -> bool {
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
