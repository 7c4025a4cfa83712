//! One opener at a time: advisory locks that end with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Someone else has it.
    #[error("{} is in use by another running Tidings process; stop that one first, or choose another data directory", .0.display())]
    Held(PathBuf),
    /// The file system.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// What was to be locked.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The right to use a data directory, until dropped or the process ends. Kept in the file `lock` inside it, which stays
/// behind and means nothing by itself.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
    directory: PathBuf,
}

impl DirectoryLock {
    /// Takes the lock of an existing directory.
    ///
    /// # Errors
    /// [`LockError`], naming the directory.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let file = lock_file(&directory.join("lock"), directory)?;
        Ok(Self { _file: file, directory: directory.to_owned() })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Locks `file`, making it if need be; errors name `what`.
pub(crate) fn lock_file(file: &Path, what: &Path) -> Result<File, LockError> {
    let io = |source| LockError::Io { path: what.to_owned(), source };
    let handle = OpenOptions::new().create(true).truncate(false).write(true).open(file).map_err(io)?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(LockError::Held(what.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_has_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::acquire(directory.path()).unwrap();
        let refused = DirectoryLock::acquire(directory.path()).unwrap_err().to_string();
        assert!(refused.contains(&directory.path().display().to_string()), "{refused}");
        drop(first);
        DirectoryLock::acquire(directory.path()).unwrap();
    }
}
