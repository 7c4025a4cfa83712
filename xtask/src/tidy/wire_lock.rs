//! Wire types and PROTOCOL.md change together.
//!
//! `xtask/wire.lock` keeps a hash for each file that defines wire types, as it was when PROTOCOL.md was last compared
//! with it. A change of such a file is a finding until somebody has looked and run `cargo xtask wire-lock`. Comments,
//! tests and layout do not count. The hash guards against forgetting, not against malice.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Violation;
use crate::rust_tokens::{Kind, Token, shipped_tokens};
use crate::tree::{Tree, file_name};

/// Where the hashes are kept.
pub(crate) const LOCK: &str = "xtask/wire.lock";

const PROTOCOL: &str = "PROTOCOL.md";

const FOLDER: &str = "crates/tidings-protocol/src/";

/// The modules that define what goes over the wire, each a file, a folder, or both.
const MODULES: &[&str] = &[
    "channel",
    "code",
    "control",
    "cursor",
    "event",
    "event_type",
    "limits",
    "problem",
    "publish",
    "socket",
];

const HEADER: &str = "\
# The wire types as PROTOCOL.md was last compared with them. Written by `cargo xtask wire-lock`.
";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let now = hashes(tree);
    let locked = match tree.text(LOCK).map(parse) {
        Some(Ok(locked)) => locked,
        Some(Err(line)) => {
            return vec![Violation::new(LOCK, line, "not a hash and a path: run `cargo xtask wire-lock`")];
        }
        None if now.is_empty() => return Vec::new(),
        None => return vec![Violation::new(LOCK, 1, advice("there is no such file"))],
    };
    let changed = now.iter().filter(|(path, hash)| locked.get(**path).map(|(hash, _)| hash) != Some(*hash));
    let changed = changed.map(|(path, _)| Violation::new(*path, 1, advice("wire types here have changed")));
    let gone = locked.iter().filter(|(path, _)| !now.contains_key(path.as_str()));
    let gone = gone.map(|(path, (_, line))| Violation::new(LOCK, *line, advice(&format!("{path} is gone"))));
    changed.chain(gone).collect()
}

/// The lock file for the tree as it is; `None` while there is no PROTOCOL.md that could have been compared.
pub(crate) fn render(tree: &Tree) -> Option<String> {
    tree.text(PROTOCOL)?;
    let mut lock = HEADER.to_owned();
    for (path, hash) in hashes(tree) {
        let _ = writeln!(lock, "{hash} {path}");
    }
    Some(lock)
}

fn advice(what: &str) -> String {
    format!("{what}: compare PROTOCOL.md, correct it where it differs, then run `cargo xtask wire-lock`")
}

/// Path to hash and line; the number of the first line that cannot be read otherwise.
fn parse(lock: &str) -> Result<BTreeMap<String, (String, usize)>, usize> {
    let lines = lock.lines().enumerate().map(|(index, line)| (index + 1, line));
    let entries =
        lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty()).map(|(number, line)| {
            let (hash, path) = line.split_once(' ').ok_or(number)?;
            Ok((path.to_owned(), (hash.to_owned(), number)))
        });
    entries.collect()
}

fn hashes(tree: &Tree) -> BTreeMap<&str, String> {
    let files = tree.texts().filter(|(path, _)| is_wire_file(path));
    files.map(|(path, text)| (path, hash(&shipped_tokens(text)))).collect()
}

fn is_wire_file(path: &str) -> bool {
    let Some(module) = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_suffix(".rs")) else {
        return false;
    };
    let is_test = matches!(file_name(path), "tests.rs");
    !is_test && MODULES.contains(&module.split('/').next().unwrap_or(module))
}

/// FNV-1a, 64 bits, in hexadecimal.
fn hash(tokens: &[Token]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (index, token) in tokens.iter().enumerate() {
        // A comma before a closing bracket is the formatter's.
        let closes = tokens.get(index + 1).is_some_and(|next| next.nesting() < 0);
        if token.is_mark(",") && closes {
            continue;
        }
        add(if token.kind == Kind::Text { b"\"" } else { b" " });
        add(token.text.as_bytes());
        add(b"\0");
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    const EVENT: &str = "crates/tidings-protocol/src/event.rs";
    const SOURCE: &str = "/// An event.\npub struct Event { pub id: u64, pub data: Box<str> }\n";

    fn lock_of(source: &str) -> String {
        render(&tree_of(&[(EVENT, source), (PROTOCOL, "")])).unwrap()
    }

    fn found(source: &str) -> Vec<String> {
        check(&tree_of(&[(EVENT, source), (LOCK, &lock_of(SOURCE))]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn unchanged_types_pass() {
        assert!(found(SOURCE).is_empty());
        assert!(check(&tree_of(&[("a.rs", SOURCE)])).is_empty());
    }

    #[test]
    fn comments_tests_and_layout_do_not_count() {
        let same = "pub struct Event {\n    pub id: u64, // bigger\n    pub data: Box<str>,\n}\n\
            #[cfg(test)]\nmod tests { use super::*; }\n";
        assert!(found(same).is_empty());
    }

    #[test]
    fn a_changed_type_is_a_finding_until_locked_again() {
        let changed = SOURCE.replace("u64", "u32");
        assert_eq!(found(&changed).len(), 1);
        assert!(
            found(&changed)[0]
                .starts_with(&format!("{EVENT}:1: wire types here have changed: compare PROTOCOL.md"))
        );
        assert!(check(&tree_of(&[(EVENT, &changed), (LOCK, &lock_of(&changed))])).is_empty());
    }

    #[test]
    fn a_string_is_not_a_word() {
        assert_ne!(lock_of("const A: &str = \"b\";"), lock_of("const A: &str = b;"));
    }

    #[test]
    fn new_and_lost_files_are_findings() {
        let lock = lock_of(SOURCE);
        let new = "crates/tidings-protocol/src/cursor/text.rs";
        assert_eq!(check(&tree_of(&[(EVENT, SOURCE), (new, ""), (LOCK, &lock)]))[0].path, new);
        let lost = check(&tree_of(&[(LOCK, &lock)]));
        assert_eq!((lost[0].path.as_str(), lost[0].line), (LOCK, 2));
    }

    #[test]
    fn a_missing_or_broken_lock_is_a_finding() {
        let missing = check(&tree_of(&[(EVENT, SOURCE)]));
        assert!(
            missing[0]
                .to_string()
                .starts_with(&format!("{LOCK}:1: there is no such file: compare PROTOCOL.md"))
        );
        let broken = check(&tree_of(&[(EVENT, SOURCE), (LOCK, "# a\nabc\n")]));
        assert_eq!((broken[0].path.as_str(), broken[0].line), (LOCK, 2));
    }

    #[test]
    fn nothing_is_locked_without_a_protocol() {
        assert!(render(&tree_of(&[(EVENT, SOURCE)])).is_none());
    }

    #[test]
    fn only_wire_modules_are_watched() {
        let watched = ["code.rs", "code/table.rs", "channel/pattern.rs"];
        assert!(watched.iter().all(|path| is_wire_file(&format!("{FOLDER}{path}"))));
        let others = ["sse.rs", "codes.rs", "cursor/tests.rs", "code.md"];
        assert!(others.iter().all(|path| !is_wire_file(&format!("{FOLDER}{path}"))));
    }
}
