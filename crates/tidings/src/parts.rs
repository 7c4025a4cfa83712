//! The one place where adapters are chosen: SQLite in the data directory.
//!
//! Owns: the directory and its lock, the database's name, and the knot between a log that tells a hub and a hub that
//! reads the log. Leaves out: everything that the adapters do.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tidings_core::Hub;
use tidings_core::port::store::{Batch, Commits};
use tidings_core::port::{Clock, Directory};
use tidings_server::clock::wall_time;
use tidings_sqlite::{DirectoryLock, LockError, Options, SqliteStore};

use crate::config::Settings;
use crate::config::settings::Durability;
use crate::failure::Failure;

/// The database's name in the data directory.
pub(crate) const DATABASE: &str = "tidings.db";

/// The right to use a data directory.
pub(crate) type Lock = DirectoryLock;

/// Where the database of a data directory is.
pub(crate) fn database(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// The wall clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(wall_time)
}

/// Makes the data directory, for its owner alone, if it is not there.
///
/// # Errors
/// The file system refuses.
pub(crate) fn make_directory(directory: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| {
        Failure::new(format!("cannot make the data directory {}: {error}; name another by --data-dir", directory.display()))
    })
}

/// Takes the directory's lock.
///
/// # Errors
/// Someone else has it, or the file system refuses.
pub(crate) fn lock(directory: &Path) -> Result<Lock, LockError> {
    DirectoryLock::acquire(directory)
}

/// Hands commits on to a hub that is made after the log it reads from. What is committed before that needs no telling:
/// the hub begins at the log's head.
#[derive(Debug, Default)]
pub(crate) struct Relay(OnceLock<Arc<Hub>>);

impl Relay {
    /// From now on `hub` is told.
    pub(crate) fn connect(&self, hub: &Arc<Hub>) {
        self.0.get_or_init(|| Arc::clone(hub));
    }
}

impl Commits for Relay {
    fn committed(&self, batch: Batch) {
        if let Some(hub) = self.0.get() {
            hub.committed(batch);
        }
    }
}

/// Opens the store.
///
/// # Errors
/// The database cannot be opened; the message says why and what to do.
pub(crate) fn open_store(settings: &Settings, commits: Arc<dyn Commits>) -> Result<SqliteStore, Failure> {
    let mut options = Options::new(clock(), commits);
    options.policy = settings.policy.clone();
    options.durability = match settings.durability {
        Durability::Fsync => tidings_sqlite::Durability::Fsync,
        Durability::Os => tidings_sqlite::Durability::Os,
    };
    let path = database(&settings.data_dir);
    SqliteStore::open(&path, options).map_err(|error| Failure::new(error.to_string()))
}
