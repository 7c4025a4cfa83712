//! The demo's files in the data directory: keys and passwords, each for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The text of the service key.
pub(super) const KEY: &str = "demo-key";
/// The text of the member's key.
pub(super) const MEMBER_KEY: &str = "demo-member-key";
/// The member's password.
pub(super) const MEMBER_PASSWORD: &str = "demo-member-password";
/// The admin's password.
pub(super) const ADMIN_PASSWORD: &str = "demo-admin-password";
/// Where the printed lines keep the session's cookie.
pub(super) const COOKIES: &str = "demo-cookies";
/// The id of the cast that waits to be driven.
pub(super) const CAST: &str = "demo-cast";

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    /// Of this directory, by a path that holds wherever a shell stands.
    pub(super) fn of(directory: &Path) -> Self {
        Self { directory: fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned()) }
    }

    /// The file of that name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file that only its owner can read, whole or not at all.
    ///
    /// # Errors
    /// The file system refuses.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path(name);
        write_private(&path, text)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    }

    /// What a file of an earlier start says, without the end of its line.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok().map(|text| text.trim().to_owned())
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_private_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path());
        let path = files.path(KEY);
        fs::write(&path, "earlier").unwrap();
        fs::write(path.with_extension("new"), "left over").unwrap();
        files.write(KEY, "tdk_x\n").unwrap();
        assert_eq!(files.read(KEY).unwrap(), "tdk_x");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(files.read(CAST), None);
    }
}
