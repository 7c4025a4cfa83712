//! A file of its own for each test, and short forms for what tests do with it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_contract::TestClock;
use tidings_contract::suite::kit::Recorder;
use tidings_core::port::log::{LogPage, Query};
use tidings_core::port::store::{Action, Command, Outcome, Policy, Refused};
use tidings_core::port::{Log, Store};
use tidings_protocol::{Draft, TenantId};
use tidings_sqlite::{Durability, OpenError, Options, SqliteStore};

pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) clock: TestClock,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) policy: Policy,
    pub(crate) durability: Durability,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: TestClock::default(),
            recorder: Arc::default(),
            policy: Policy::default(),
            durability: Durability::Fsync,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("tidings.db")
    }

    pub(crate) fn try_open(&self) -> Result<Arc<SqliteStore>, OpenError> {
        let options = Options {
            policy: self.policy.clone(),
            durability: self.durability,
            ..Options::new(Arc::new(self.clock.clone()), Arc::<Recorder>::clone(&self.recorder))
        };
        SqliteStore::open(&self.path(), options)
    }

    pub(crate) fn open(&self) -> Arc<SqliteStore> {
        self.try_open().unwrap()
    }

    /// The file as another program sees it.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// A number out of the file.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

pub(crate) fn default() -> TenantId {
    "default".parse().unwrap()
}

pub(crate) async fn publish(store: &SqliteStore, drafts: Vec<Draft>) -> Result<Outcome, Refused> {
    store.submit(Command { tenant: default(), action: Action::Publish(drafts) }).await
}

pub(crate) async fn read(store: &SqliteStore, query: &Query) -> LogPage {
    store.read(&default(), query).await.unwrap()
}
