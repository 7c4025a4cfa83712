//! The database: whether it is ours, sound, and of a release that this one can open.

use std::path::Path;

use tidings_sqlite::inspect;

use super::check::Check;
use crate::config::units::show_size;
use crate::parts;

const NAME: &str = "database";

/// Reads all of it: as long as the file is large.
pub(super) fn check(directory: &Path) -> Check {
    let path = parts::database(directory);
    let shown = path.display();
    let Ok(file) = std::fs::metadata(&path) else {
        return Check::ok(NAME, format!("{shown} is not there; a server makes it"));
    };
    let inspected = match inspect(&path) {
        Ok(inspected) => inspected,
        Err(error) => {
            return Check::fail(
                NAME,
                error.to_string(),
                "see what it says; restore a backup if it is damaged",
            );
        }
    };
    if !inspected.damage.is_empty() {
        let found = format!("{shown} is damaged: {}", inspected.damage.join("; "));
        return Check::fail(NAME, found, "stop the server, keep a copy of the files, and restore a backup");
    }
    let size = show_size(file.len());
    Check::ok(
        NAME,
        format!("{shown} is sound ({size}, schema {}, SQLite {})", inspected.schema, inspected.library),
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn a_sound_file_is_told_from_another() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(folder.path()).state, State::Ok);
        parts::open_for_command(folder.path()).unwrap().close();
        assert!(check(folder.path()).found.contains("is sound"));
        std::fs::write(parts::database(folder.path()), "this is no database, however long one looks at it")
            .unwrap();
        assert_eq!(check(folder.path()).state, State::Fail);
    }
}
