//! The house rules as checks, one a file. A rule looks at the tree and says what it found: where, and what to do.
//!
//! A rule reads and never writes; that a rule bites is shown by the tests beside it.

mod edges;
mod links;
mod machine_paths;
mod markers;
mod packages;
mod protocol_words;
mod root_prose;
mod sizes;
mod ts_types;
mod whitespace;
pub(crate) mod wire_lock;

use std::fmt::{self, Write};

use crate::tree::{Tree, extension, file_name};

/// One finding.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Violation {
    pub(crate) fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: &[Rule] = &[
    sizes::check,
    packages::check,
    edges::check,
    wire_lock::check,
    ts_types::check,
    protocol_words::check,
    links::check,
    whitespace::check,
    markers::check,
    machine_paths::check,
    root_prose::check,
];

/// Every finding of every rule, sorted by place.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    violations.sort();
    violations
}

/// The findings a line each and how many there are; nothing if there is none.
pub(crate) fn report(violations: &[Violation]) -> String {
    let mut report = String::new();
    for violation in violations {
        let _ = writeln!(report, "{violation}");
    }
    if !violations.is_empty() {
        let _ = writeln!(report, "tidy: {} to put right", violations.len());
    }
    report
}

/// Whether people write the file. Lock files, licences, recordings and fuzzing seeds are kept as they came.
fn is_written_by_hand(path: &str) -> bool {
    let recorded = path.split('/').any(|folder| folder == "snapshots" || folder.ends_with("corpus"));
    let measured = path.starts_with("bench/") && path.contains("/results/");
    let name = file_name(path);
    let kept = matches!(name, "Cargo.lock" | "package-lock.json") || name.starts_with("LICENSE");
    !recorded && !measured && !kept && extension(path) != Some("snap")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    #[test]
    fn findings_are_reported_in_order_of_place() {
        let tree = tree_of(&[("b.rs", "a \n"), ("a.rs", "a\n\tb\n")]);
        let report = report(&check(&tree));
        let places: Vec<&str> = report.lines().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["a.rs:2", "b.rs:1", "tidy"]);
        assert!(report.ends_with("tidy: 2 to put right\n"));
    }

    #[test]
    fn nothing_found_is_nothing_said() {
        assert_eq!(report(&check(&tree_of(&[("a.rs", "fn a() {}\n")]))), "");
    }

    #[test]
    fn recordings_are_not_written_by_hand() {
        let kept = [
            "Cargo.lock",
            "LICENSE-MIT",
            "crates/a/src/snapshots/x.snap",
            "bench/results/run.txt",
            "crates/a/fuzz-corpus/b/c",
        ];
        assert!(kept.iter().all(|path| !is_written_by_hand(path)));
        assert!(
            ["Makefile", ".ci/run", "crates/a/src/results/row.rs"]
                .iter()
                .all(|path| is_written_by_hand(path))
        );
    }
}
