//! Every package says where it stands: its folder has its name, and it takes its lints from the workspace.

use super::Violation;
use crate::manifest::{self, Package, line_of};
use crate::tree::{Tree, file_name};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let (packages, mut violations) = manifest::packages(tree);
    for package in packages.iter().filter(|package| !package.stands_alone) {
        violations.extend(misnamed(tree, package));
        violations.extend(without_lints(package));
    }
    violations
}

fn misnamed(tree: &Tree, package: &Package) -> Option<Violation> {
    let folder = file_name(package.folder());
    let is_crate = package.path.starts_with("crates/") || package.path.starts_with("xtask/");
    (is_crate && folder != package.name).then(|| {
        let line = line_of(tree.text(&package.path).unwrap_or_default(), "package", "name");
        let message =
            format!("the crate `{}` lives in the folder `{folder}`: give both one name", package.name);
        Violation::new(&package.path, line, message)
    })
}

fn without_lints(package: &Package) -> Option<Violation> {
    let message = "the workspace's lints do not apply here: add `[lints]` with `workspace = true`";
    (!package.inherits_lints).then(|| Violation::new(&package.path, 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    fn found(path: &str, manifest: &str) -> Vec<String> {
        check(&tree_of(&[(path, manifest)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_in_order_passes() {
        let manifest = "[package]\nname = \"tidings-core\"\n[lints]\nworkspace = true\n";
        assert!(found("crates/tidings-core/Cargo.toml", manifest).is_empty());
    }

    #[test]
    fn a_folder_must_have_the_crates_name() {
        let found = found(
            "crates/core/Cargo.toml",
            "[package]\nname = \"tidings-core\"\n[lints]\nworkspace = true\n",
        );
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .starts_with("crates/core/Cargo.toml:2: the crate `tidings-core` lives in the folder `core`")
        );
    }

    #[test]
    fn lints_must_come_from_the_workspace() {
        for lints in ["", "[lints]\nworkspace = false\n", "[lints.rust]\nunsafe_code = \"allow\"\n"] {
            let found = found("xtask/Cargo.toml", &format!("[package]\nname = \"xtask\"\n{lints}"));
            assert_eq!(found.len(), 1, "{lints}");
            assert!(found[0].starts_with("xtask/Cargo.toml:1: "));
        }
    }

    #[test]
    fn a_workspace_of_its_own_is_left_alone() {
        let manifest = "[package]\nname = \"tidings-protocol-fuzz\"\n[workspace]\n";
        assert!(found("crates/tidings-protocol/fuzz/Cargo.toml", manifest).is_empty());
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_a_finding() {
        assert_eq!(found("crates/a/Cargo.toml", "[package\n").len(), 1);
    }
}
