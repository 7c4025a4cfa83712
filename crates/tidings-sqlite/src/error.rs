//! What can go wrong: when opening, and inside a transaction.

use std::path::PathBuf;

use rusqlite::ErrorCode as SqlCode;
use tidings_core::port::StorageError;
use tidings_core::port::store::Refused;
use tidings_protocol::problem::Problem;

use crate::lock::LockError;

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Older libraries can corrupt a file in WAL mode (fixed in 3.51.3, <https://sqlite.org/wal.html#walresetbug>).
    #[error("SQLite {found} is linked in, but at least 3.51.3 is needed: older ones can corrupt the file")]
    OldLibrary {
        /// The version linked in.
        found: &'static str,
    },
    /// Another process, or another store of this one, has the file open.
    #[error(transparent)]
    InUse(#[from] LockError),
    /// The file is no database, or is damaged where every start looks.
    #[error("{} is not a Tidings database, or is damaged ({reason}); move it away or restore a backup", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file was written by a newer release.
    #[error(
        "{} has schema version {found}, this program knows up to {known}: run the newer release again, or restore a backup made before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file system.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite.
    #[error("cannot open {}: {source}", path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Why a step inside a write transaction did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The command is undone and refused; the transaction goes on.
    Refuse(Refused),
    /// The state of the transaction is unknown: writing ends until the next start.
    Fail(String),
}

/// The result of a step inside a write transaction.
pub(crate) type Step<T> = Result<T, Stop>;

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        // A violated constraint undoes its own statement and nothing else; after any other error nobody knows.
        if error.sqlite_error_code() == Some(SqlCode::ConstraintViolation) {
            tracing::error!(%error, "a constraint was violated; the command is undone");
            Self::Refuse(Refused::Storage(StorageError::Unavailable(error.to_string())))
        } else {
            Self::Fail(error.to_string())
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Refuse(Refused::Problem(problem))
    }
}

/// A read that did not work may work a moment later.
pub(crate) fn unreadable(error: &rusqlite::Error) -> StorageError {
    StorageError::Unavailable(error.to_string())
}

/// Sorts what SQLite said while a file was being opened.
pub(crate) fn opening(path: &std::path::Path, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(SqlCode::NotADatabase | SqlCode::DatabaseCorrupt) => {
            OpenError::NotADatabase { path: path.to_owned(), reason: source.to_string() }
        }
        _ => OpenError::Sql { path: path.to_owned(), source },
    }
}
