//! The data directory: whether it is there, ours, and closed to others.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::check::Check;

const NAME: &str = "data directory";

/// Whether a server of this user could use it.
pub(super) fn permissions(directory: &Path) -> Check {
    let shown = directory.display();
    let found = match std::fs::metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let advice =
                "nothing, if this is the first start; else name the right one by --data-dir or data_dir";
            return Check::warn(NAME, format!("{shown} is not there; a server makes it"), advice);
        }
        Err(error) => return Check::fail(NAME, format!("{shown}: {error}"), "run this as the server's user"),
    };
    if !found.is_dir() {
        return Check::fail(
            NAME,
            format!("{shown} is no directory"),
            "name a directory by --data-dir or data_dir",
        );
    }
    if let Err(error) = access(directory, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK) {
        let advice = "run this as the server's user, or give it the directory (chown)";
        return Check::fail(NAME, format!("{shown} cannot be written: {error}"), advice);
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let advice = format!("chmod 700 {shown}");
        return Check::warn(NAME, format!("{shown} is open to other users (mode {mode:03o})"), advice);
    }
    Check::ok(NAME, format!("{shown} can be written, and by its owner alone"))
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn modes_and_kinds_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (mode, state) in [(0o700, State::Ok), (0o755, State::Warn), (0o750, State::Warn)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(permissions(path).state, state, "{mode:o}");
        }
        assert_eq!(permissions(&path.join("none")).state, State::Warn);
        fs::write(path.join("file"), "").unwrap();
        assert_eq!(permissions(&path.join("file")).state, State::Fail);
    }
}
