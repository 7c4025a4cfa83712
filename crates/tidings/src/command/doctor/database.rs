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
        Err(error) => return Check::fail(NAME, error.to_string(), "see what it says; restore a backup if it is damaged"),
    };
    if !inspected.damage.is_empty() {
        let found = format!("{shown} is damaged: {}", inspected.damage.join("; "));
        return Check::fail(NAME, found, "stop the server, keep a copy of the files, and restore a backup");
    }
    let size = show_size(file.len());
    Check::ok(NAME, format!("{shown} is sound ({size}, schema {}, SQLite {})", inspected.schema, inspected.library))
}
