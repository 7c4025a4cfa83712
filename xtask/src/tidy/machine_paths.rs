//! No file names a place that exists on one machine only.

use super::Violation;
use crate::tree::Tree;

/// In two parts each, so that this file may hold them.
const ROOTS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.texts().flat_map(|(path, text)| check_file(path, text)).collect()
}

fn check_file(path: &str, text: &str) -> Vec<Violation> {
    let found = |(index, line): (usize, &str)| {
        let root = ROOTS.iter().find(|root| holds_absolute(line, root))?;
        let message =
            format!("a path under `{root}` exists on one machine only: make it relative or take it out");
        Some(Violation::new(path, index + 1, message))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Whether the folder begins a path here; after a name, `~`, `.`, `*` or a bracket that closes it is the middle of one.
fn holds_absolute(line: &str, root: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "_-.~*)}]".contains(c);
    line.match_indices(root).any(|(start, _)| !line[..start].ends_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    #[test]
    fn each_root_is_a_finding() {
        for root in ROOTS {
            for before in ["", "cd ", "\"", "file://", "=", "("] {
                let found = check(&tree_of(&[("bench/results/a.txt", &format!("a\n{before}{root}main\n"))]));
                assert_eq!((found.len(), found[0].line), (1, 2), "{before}{root}");
            }
        }
    }

    #[test]
    fn the_middle_of_a_path_passes() {
        let text = ROOTS
            .map(|root| format!("https://example.com{root}a ..{root}b ${{DIR}}{root}c ~{root}d\n"))
            .concat();
        assert!(check(&tree_of(&[("a.md", &text)])).is_empty());
    }
}
