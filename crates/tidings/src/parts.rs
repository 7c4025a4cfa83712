//! The one place where adapters are chosen: SQLite in the data directory.
//!
//! Owns: the directory and its lock, the database's name, and the knot between a log that tells a hub and a hub that
//! reads the log. Leaves out: everything that the adapters do.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tidings_core::Hub;
use tidings_core::port::Clock;
use tidings_core::port::store::{Batch, Commits, Policy};
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
        Failure::new(format!(
            "cannot make the data directory {}: {error}; name another by --data-dir",
            directory.display()
        ))
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

/// Opens the store for a server.
///
/// # Errors
/// The database cannot be opened; the message says why and what to do.
pub(crate) fn open_store(
    settings: &Settings,
    commits: Arc<dyn Commits>,
) -> Result<Arc<SqliteStore>, Failure> {
    let mut options = Options::new(clock(), commits);
    options.policy = settings.policy.clone();
    options.durability = match settings.durability {
        Durability::Fsync => tidings_sqlite::Durability::Fsync,
        Durability::Os => tidings_sqlite::Durability::Os,
    };
    open(&settings.data_dir, options)
}

/// Opens the store for a command: nobody is told of anything, and nothing is removed, whatever configuration the
/// command was or was not given.
///
/// # Errors
/// As [`open_store`]; and where the database belongs to another user, who could not open it again afterwards.
pub(crate) fn open_for_command(directory: &Path) -> Result<Arc<SqliteStore>, Failure> {
    refuse_foreign(&database(directory))?;
    let mut options = Options::new(clock(), Arc::new(Relay::default()));
    options.policy = KEEP_ALL;
    options.readers = 1;
    open(directory, options)
}

/// Removes nothing.
const KEEP_ALL: Policy = Policy {
    retention_age: Duration::ZERO,
    events_per_channel: 0,
    idempotency_keys: 0,
    trim_marks: i64::MAX as u64,
    audit_age: Duration::ZERO,
};

fn open(directory: &Path, options: Options) -> Result<Arc<SqliteStore>, Failure> {
    SqliteStore::open(&database(directory), options).map_err(|error| Failure::new(error.to_string()))
}

fn refuse_foreign(database: &Path) -> Result<(), Failure> {
    let Ok(found) = std::fs::metadata(database) else { return Ok(()) };
    let user = nix::unistd::geteuid().as_raw();
    if found.uid() == user {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} belongs to user {}, and you are user {user}: run this as that user, or while the server runs",
        database.display(),
        found.uid()
    )))
}
