//! No white space that nobody sees: none at line ends, no tabs, one newline at the end of a file.

use super::{Violation, is_written_by_hand};
use crate::tree::{Tree, extension};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let files = tree.texts().filter(|(path, _)| is_written_by_hand(path));
    files.flat_map(|(path, text)| check_file(path, text)).collect()
}

fn check_file(path: &str, text: &str) -> Vec<Violation> {
    let no_tabs = matches!(extension(path), Some("rs" | "ts" | "tsx" | "md" | "toml"));
    let mut violations = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.ends_with(|c: char| c.is_whitespace()) {
            violations.push(Violation::new(
                path,
                index + 1,
                "white space at the end of the line: take it away",
            ));
        }
        if no_tabs && line.contains('\t') {
            violations.push(Violation::new(path, index + 1, "a tab: write spaces"));
        }
    }
    violations.extend(ending(text).map(|message| Violation::new(path, text.lines().count().max(1), message)));
    violations
}

fn ending(text: &str) -> Option<&'static str> {
    match text {
        "" => None,
        text if !text.ends_with('\n') => Some("no newline at the end of the file: add one"),
        text if text.ends_with("\n\n") || text == "\n" => {
            Some("empty lines at the end of the file: end with one newline")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&tree_of(&[(path, text)])).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn clean_and_empty_files_pass() {
        assert_eq!(found("a.rs", "fn a() {}\n\nfn b() {}\n"), [0; 0]);
        assert_eq!(found("a.rs", ""), [0; 0]);
    }

    #[test]
    fn trailing_white_space_is_a_finding() {
        assert_eq!(found("a.md", "a  \nb\nc\r\n"), [1, 3]);
        assert_eq!(found("scripts/a", "a \n"), [1]);
    }

    #[test]
    fn tabs_are_findings_where_spaces_are_the_rule() {
        for path in ["a.rs", "a.ts", "a.tsx", "a.md", "a.toml"] {
            assert_eq!(found(path, "a\n\tb\n"), [2], "{path}");
        }
        assert_eq!(found("Makefile", "a:\n\tb\n"), [0; 0]);
    }

    #[test]
    fn a_file_ends_with_one_newline() {
        assert_eq!(found("a.rs", "a\nb"), [2]);
        assert_eq!(found("a.rs", "a\n\n"), [2]);
    }

    #[test]
    fn recordings_stay_as_they_came() {
        assert_eq!(found("crates/a/src/snapshots/x.snap", "data: \n\n"), [0; 0]);
    }
}
