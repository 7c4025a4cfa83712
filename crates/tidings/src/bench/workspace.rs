//! A directory of the benchmark's own, removed at the end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The directory; it goes when this does.
#[derive(Debug)]
pub(super) struct Workspace(PathBuf);

impl Workspace {
    /// A new one in `under`.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn new(under: &Path) -> Result<Self, Failure> {
        let path = under.join(format!("tidings-bench-{:016x}", rand::random::<u64>()));
        crate::parts::make_directory(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// How many bytes the database takes, its log included.
    pub(super) fn database_bytes(&self) -> u64 {
        let sizes = ["", "-wal"].map(|end| {
            let file = self.0.join(format!("{}{end}", crate::parts::DATABASE));
            fs::metadata(file).map_or(0, |file| file.len())
        });
        sizes.iter().sum()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary directory; there is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
