//! The root holds a known few documents; everything else that is to be read lives under `docs/`.

use super::Violation;
use crate::tree::{Tree, extension};

const PROSE: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "PROTOCOL.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];

/// Files without an extension that are not to be read as prose.
const TOOLS: [&str; 2] = ["Makefile", "Dockerfile"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let strangers =
        tree.paths().filter(|path| !path.contains('/') && is_prose(path) && !PROSE.contains(path));
    strangers
        .map(|path| Violation::new(path, 1, "not one of the root's documents: move it under docs/"))
        .collect()
}

fn is_prose(path: &str) -> bool {
    match extension(path) {
        Some(extension) => {
            matches!(extension, "md" | "markdown" | "txt" | "rst" | "adoc" | "html" | "pdf" | "docx")
        }
        None => !path.starts_with('.') && !TOOLS.contains(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    #[test]
    fn other_prose_in_the_root_is_a_finding() {
        let found =
            check(&tree_of(&[("NOTES.md", ""), ("plan.txt", ""), ("AUTHORS", ""), ("readme.md", "")]));
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["AUTHORS", "NOTES.md", "plan.txt", "readme.md"]);
    }

    #[test]
    fn known_documents_and_tools_pass() {
        let others = ["Makefile", "Cargo.toml", ".gitignore", ".editorconfig", "docs/NOTES.md"];
        let files: Vec<(&str, &str)> = PROSE.into_iter().chain(others).map(|path| (path, "")).collect();
        assert!(check(&tree_of(&files)).is_empty());
    }
}
