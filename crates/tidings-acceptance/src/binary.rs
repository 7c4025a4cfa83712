//! Which binary is tested.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The variable that names it.
const VARIABLE: &str = "TIDINGS_BIN";

/// The binary under test: `TIDINGS_BIN`, else what `cargo build --profile quick -p tidings` has made.
///
/// # Panics
/// If there is none; the message says how to build it.
#[must_use]
pub fn path() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> PathBuf {
    let path = std::env::var_os(VARIABLE).map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no server to test at {}: build it with `cargo build --profile quick -p tidings`, or name one by {VARIABLE}",
        path.display()
    );
    path
}

fn built() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    target.join("quick").join("tidings")
}
