//! The steps of opening a file.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::error::{OpenError, opening};
use crate::lock::lock_file;
use crate::migrate::{migrate, recognise};
use crate::options::{Durability, Options};
use crate::readers::Readers;
use crate::start::begin_run;
use crate::store::{Shared, SqliteStore};
use crate::writer::Writer;
use crate::{audit, connection};

/// 3.51.3: the first without the WAL-reset bug.
const OLDEST_LIBRARY: i32 = 3_051_003;

pub(crate) fn open(path: &Path, options: Options) -> Result<Arc<SqliteStore>, OpenError> {
    if rusqlite::version_number() < OLDEST_LIBRARY {
        return Err(OpenError::OldLibrary { found: rusqlite::version() });
    }
    let lock = lock_file(&beside(path, "-lock"), path)?;
    make_private(path)?;
    keep_names(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let mut connection = open_file(path, options.durability)?;
    let tenants = begin_run(&mut connection, options.clock.now()).map_err(|source| opening(path, source))?;
    let found_alive = audit::last_sign_of_life(&connection).map_err(|source| opening(path, source))?;
    let readers = Readers::open(path, options.readers, options.read_queue)?;
    let shared = Arc::new(Shared::new(options, tenants, found_alive));
    let mut writer = Writer::new(connection, Arc::clone(&shared));
    writer
        .release_held()
        .map_err(|reason| OpenError::Io { path: path.to_owned(), source: std::io::Error::other(reason) })?;
    let thread = std::thread::Builder::new()
        .name("tidings-write".to_owned())
        .spawn(move || writer.run())
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    Ok(SqliteStore::assemble(shared, readers, thread, lock))
}

/// Opens the file for writing and brings its shape up to date. What is not ours is left as it is.
pub(crate) fn open_file(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    let sql = |source| opening(path, source);
    let connection = connection::writer(path).map_err(sql)?;
    let version = recognise(&connection, path)?;
    connection::configure(&connection, durability).map_err(sql)?;
    settle_wal(&connection, path)?;
    migrate(&connection, path, version)?;
    Ok(connection)
}

/// Copies what an earlier process has left in the WAL into the file, and empties the WAL.
///
/// The earlier process may have ended because a sync failed. Then the system shows bytes that the disk does not have and
/// will never be asked to write again, so that another sync of the WAL succeeds without them. What is appended behind
/// such bytes would be lost with them at a loss of power; copied, they are written anew.
fn settle_wal(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let busy = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .map_err(|source| opening(path, source))?;
    match busy {
        0 => Ok(()),
        _ => Err(OpenError::Io {
            path: path.to_owned(),
            source: std::io::Error::other("another program is reading it; end that one first"),
        }),
    }
}

/// `tidings.db` with something behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes a missing file for its owner alone: it holds what tenants wrote. WAL and index take after it.
fn make_private(path: &Path) -> Result<(), OpenError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
    }
}

/// Makes the names of the file and of the directories above it durable: any of them may have been made a moment ago,
/// and what is synced in a file is lost with its name. SQLite does this for the WAL's directory alone.
fn keep_names(path: &Path) -> std::io::Result<()> {
    for directory in std::path::absolute(path)?.ancestors().skip(1) {
        match std::fs::File::open(directory).and_then(|directory| directory.sync_all()) {
            Ok(()) => {}
            // Not ours, so not made by us; or a file system whose directories need no sync.
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
