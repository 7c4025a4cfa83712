//! No marks of unfinished work: it is done, or it stands in the issue tracker.

use super::{Violation, is_written_by_hand};
use crate::tree::Tree;

/// In two parts each, so that this file may hold them.
const MARKERS: [&str; 3] = [concat!("to", "do!"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let files = tree.texts().filter(|(path, _)| is_written_by_hand(path));
    files.flat_map(|(path, text)| check_file(path, text)).collect()
}

fn check_file(path: &str, text: &str) -> Vec<Violation> {
    let found = |(index, line): (usize, &str)| {
        let marker = MARKERS.iter().find(|marker| holds_word(line, marker))?;
        Some(Violation::new(
            path,
            index + 1,
            format!("`{marker}` marks unfinished work: finish it or take it out"),
        ))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Whether the line has the marker with no letter, digit or `_` at its sides.
fn holds_word(line: &str, marker: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(marker).any(|(start, _)| {
        let after = &line[start + marker.len()..];
        !line[..start].ends_with(is_part) && (marker.ends_with('!') || !after.starts_with(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    #[test]
    fn each_marker_is_a_finding() {
        for marker in MARKERS {
            let found = check(&tree_of(&[("a.rs", &format!("a\n// {marker}(b)\n"))]));
            assert_eq!((found.len(), found[0].line), (1, 2), "{marker}");
        }
    }

    #[test]
    fn longer_words_pass() {
        let text = format!("mktemp -d {0}{0}\nmy_{1}\n{2}S\n", MARKERS[2], MARKERS[0], MARKERS[1]);
        assert!(check(&tree_of(&[("scripts/a", &text)])).is_empty());
    }
}
