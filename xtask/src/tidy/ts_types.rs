//! The generated TypeScript says what the Rust types say.

use super::Violation;
use crate::tree::Tree;
use crate::ts_types;

/// A package whose folder is not there needs no types.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let files = ts_types::files();
    let differing = files
        .iter()
        .filter(|file| tree.holds(package(file.path)) && tree.text(file.path) != Some(&file.text));
    let advice = "not what the Rust types say: run `cargo xtask ts-types`";
    differing
        .map(|file| Violation::new(file.path, first_difference(tree.text(file.path), &file.text), advice))
        .collect()
}

/// `packages/x` of `packages/x/…`.
fn package(path: &str) -> &str {
    path.match_indices('/').nth(1).map_or(path, |(end, _)| &path[..end])
}

fn first_difference(found: Option<&str>, expected: &str) -> usize {
    let found = found.unwrap_or_default();
    let same = found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected);
    same.count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    #[test]
    fn generated_files_pass_and_changed_ones_do_not() {
        let files = ts_types::files();
        let as_they_are: Vec<(&str, &str)> =
            files.iter().map(|file| (file.path, file.text.as_str())).collect();
        assert!(check(&tree_of(&as_they_are)).is_empty());
        let changed = files[0].text.replacen("\n\n", "\n// more\n\n", 1);
        let mut one_changed = as_they_are.clone();
        one_changed[0].1 = &changed;
        let found = check(&tree_of(&one_changed));
        assert_eq!(
            found.iter().map(|one| (one.path.as_str(), one.line)).collect::<Vec<_>>(),
            [(files[0].path, 2)]
        );
    }

    #[test]
    fn a_package_without_its_types_is_a_finding_and_none_without_a_package() {
        let found = check(&tree_of(&[("packages/publisher/package.json", "{}")]));
        assert_eq!(
            found[0].to_string(),
            "packages/publisher/src/generated.ts:1: not what the Rust types say: run `cargo xtask ts-types`"
        );
        assert_eq!(found.len(), 1);
        assert!(check(&tree_of(&[("a.rs", "")])).is_empty());
    }
}
