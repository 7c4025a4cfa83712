//! A file has one concept, and so a size that a reader can take in.

use super::Violation;
use crate::tree::{Tree, extension, file_name};

const SOURCE_LINES: usize = 600;
const TEST_LINES: usize = 800;
const MAIN_LINES: usize = 150;
const LIB_LINES: usize = 120;

/// A file that may be longer than its kind.
struct Allowance {
    path: &'static str,
    lines: usize,
    reason: &'static str,
}

/// Each with its reason; an entry that is no longer needed is a finding too.
const ALLOWANCES: &[Allowance] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    check_with(tree, ALLOWANCES)
}

fn check_with(tree: &Tree, allowances: &[Allowance]) -> Vec<Violation> {
    let too_long = tree.texts().filter_map(|(path, text)| too_long(path, text, allowances));
    let needless = allowances.iter().filter_map(|allowance| needless(tree, allowance));
    too_long.chain(needless).collect()
}

/// How long such a file may be, and what to do with a longer one; `None` for what is not source.
fn limit(path: &str) -> Option<(usize, &'static str)> {
    if !matches!(extension(path), Some("rs" | "ts" | "tsx")) {
        return None;
    }
    Some(match file_name(path) {
        _ if is_test(path) => (TEST_LINES, "split it by what it tests"),
        "main.rs" => (MAIN_LINES, "move what it does into modules; main only puts them together"),
        "lib.rs" => (LIB_LINES, "move code into modules; lib.rs is the crate's table of contents"),
        _ => (
            SOURCE_LINES,
            "give each concept a file, and move a long test module to tests.rs in a folder of its own",
        ),
    })
}

fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_test_folder = folders.split('/').any(|folder| matches!(folder, "tests" | "test" | "benches"));
    let stem = name.split('.').next().unwrap_or(name);
    let marked = [".test.", ".spec.", ".test-d."].iter().any(|mark| name.contains(mark));
    in_test_folder
        || marked
        || matches!(stem, "test" | "tests")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
}

fn too_long(path: &str, text: &str, allowances: &[Allowance]) -> Option<Violation> {
    let (limit, advice) = limit(path)?;
    let limit =
        allowances.iter().find(|allowance| allowance.path == path).map_or(limit, |allowance| allowance.lines);
    let lines = text.lines().count();
    (lines > limit).then(|| {
        Violation::new(path, limit + 1, format!("{lines} lines where {limit} are allowed: {advice}"))
    })
}

fn needless(tree: &Tree, allowance: &Allowance) -> Option<Violation> {
    let lines = tree.text(allowance.path).map_or(0, |text| text.lines().count());
    let limit = limit(allowance.path).map_or(0, |(limit, _)| limit);
    (lines <= limit || allowance.reason.is_empty()).then(|| {
        let message =
            "its allowance in xtask/src/tidy/sizes.rs has no use or no reason: take it out, or say why";
        Violation::new(allowance.path, 1, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    fn found(path: &str, lines: usize) -> usize {
        check(&tree_of(&[(path, &"x\n".repeat(lines))])).len()
    }

    #[test]
    fn each_kind_of_file_has_its_limit() {
        let kinds = [
            ("crates/a/src/x.rs", SOURCE_LINES),
            ("web/src/x.tsx", SOURCE_LINES),
            ("packages/a/src/x.ts", SOURCE_LINES),
            ("crates/a/tests/x.rs", TEST_LINES),
            ("crates/a/src/x/tests.rs", TEST_LINES),
            ("packages/a/src/x.test.ts", TEST_LINES),
            ("crates/a/src/main.rs", MAIN_LINES),
            ("crates/a/src/lib.rs", LIB_LINES),
        ];
        for (path, limit) in kinds {
            assert_eq!((found(path, limit), found(path, limit + 1)), (0, 1), "{path}");
        }
    }

    #[test]
    fn what_is_not_source_may_be_long() {
        assert_eq!(found("docs/reference/metrics.md", 5_000), 0);
    }

    #[test]
    fn the_finding_names_the_first_line_too_many() {
        let found = check(&tree_of(&[("crates/a/src/lib.rs", &"x\n".repeat(130))]));
        assert!(found[0].to_string().starts_with("crates/a/src/lib.rs:121: 130 lines where 120 are allowed"));
    }

    #[test]
    fn an_allowance_raises_the_limit_and_must_be_needed() {
        let allowances = [Allowance { path: "a/x.rs", lines: 700, reason: "a table" }];
        let found = |lines| check_with(&tree_of(&[("a/x.rs", &"x\n".repeat(lines))]), &allowances).len();
        assert_eq!((found(700), found(701), found(600)), (0, 1, 1));
        assert_eq!(check_with(&tree_of(&[]), &allowances).len(), 1);
    }
}
