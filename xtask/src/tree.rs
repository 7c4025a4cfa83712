//! The repository's files, read once.
//!
//! Owns: which files count (those git tracks or would add; not what `.gitignore` names) and their text. A file that
//! is not UTF-8 or holds a zero byte is there without text. Symbolic links are left out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

/// All files by path, relative to the root, with `/` between folders.
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads the git work tree at `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for path in list(root)? {
            let full = root.join(&path);
            // Listed by git and yet absent is a deletion that is not staged.
            match full.symlink_metadata() {
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            files.insert(path, text(std::fs::read(full)?));
        }
        Ok(Self { files })
    }

    /// Every path, sorted.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Every file that is text: path and text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// One file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether there is such a file, or a folder with a file in it.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.range(folder.clone()..).next().is_some_and(|(first, _)| first.starts_with(&folder))
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What follows the last dot of the file name, if anything stands before that dot.
pub(crate) fn extension(path: &str) -> Option<&str> {
    file_name(path).rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn list(root: &Path) -> io::Result<Vec<String>> {
    let output = git(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    let listing = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Git in that folder, whatever repository a surrounding git hook has in its environment.
fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(root);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A git work tree in a temporary folder, gone when dropped.
    pub(crate) struct Sandbox(PathBuf);

    impl Sandbox {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("tidings-tidy-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&root).unwrap();
            assert!(git(&root).args(["init", "--quiet"]).status().unwrap().success());
            Self(root)
        }

        pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Self {
            let full = self.0.join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, bytes).unwrap();
            self
        }

        pub(crate) fn tree(&self) -> Tree {
            Tree::read(&self.0).unwrap()
        }
    }

    impl Drop for Sandbox {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// The tree of a temporary folder with these files.
    pub(crate) fn tree_of(files: &[(&str, &str)]) -> Tree {
        let sandbox = Sandbox::new();
        for (path, text) in files {
            sandbox.write(path, text);
        }
        sandbox.tree()
    }

    #[test]
    fn ignored_and_deleted_files_do_not_count() {
        let sandbox = Sandbox::new();
        sandbox
            .write(".gitignore", "/target\n")
            .write("target/x.rs", "")
            .write("a.rs", "")
            .write("gone.rs", "");
        assert!(git(&sandbox.0).args(["add", "gone.rs"]).status().unwrap().success());
        std::fs::remove_file(sandbox.0.join("gone.rs")).unwrap();
        assert_eq!(sandbox.tree().paths().collect::<Vec<_>>(), [".gitignore", "a.rs"]);
    }

    #[test]
    fn binary_files_have_no_text() {
        let sandbox = Sandbox::new();
        sandbox.write("zero", b"a\0b").write("latin1", b"caf\xe9").write("text", "a");
        assert_eq!(sandbox.tree().texts().collect::<Vec<_>>(), [("text", "a")]);
        assert_eq!(sandbox.tree().paths().count(), 3);
    }

    #[test]
    fn a_folder_is_held_when_a_file_is_in_it() {
        let tree = tree_of(&[("docs/how-to/run.md", "")]);
        assert!(tree.holds("docs") && tree.holds("docs/how-to") && tree.holds("docs/how-to/run.md"));
        assert!(!tree.holds("doc") && !tree.holds("docs/how-to/run"));
    }
}
