//! Every code and every control has its place in PROTOCOL.md, in backticks.
//!
//! The names are read loosely: from `code.rs` each string of one lower-case word inside a `name! { … }` table, from
//! `control.rs` each string of a `$` and a word. A file from which nothing can be read is a finding, lest the rule
//! go blind when the table changes its form.

use super::Violation;
use crate::markdown;
use crate::rust_tokens::{Kind, Token, shipped_tokens};
use crate::tree::Tree;

const PROTOCOL: &str = "PROTOCOL.md";
const CODES: &str = "crates/tidings-protocol/src/code.rs";
const CONTROLS: &str = "crates/tidings-protocol/src/control.rs";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = check_file(tree, CODES, "code", &table_names);
    violations.extend(check_file(tree, CONTROLS, "control", &control_names));
    violations
}

fn check_file(tree: &Tree, path: &str, what: &str, names: &dyn Fn(&[Token]) -> Vec<Token>) -> Vec<Violation> {
    let Some(source) = tree.text(path) else {
        return Vec::new();
    };
    let names = names(&shipped_tokens(source));
    if names.is_empty() {
        let message = format!(
            "no {what} found here: if the table has a new form, teach it to xtask/src/tidy/protocol_words.rs"
        );
        return vec![Violation::new(path, 1, message)];
    }
    let Some(protocol) = tree.text(PROTOCOL) else {
        return vec![Violation::new(
            path,
            1,
            format!("there is no {PROTOCOL} that says what each {what} means: write it"),
        )];
    };
    let known = markdown::code_words(protocol);
    let unknown = names.iter().filter(|name| !known.contains(name.text.as_str()));
    unknown.map(|name| Violation::new(path, name.line, missing(what, &name.text))).collect()
}

fn missing(what: &str, name: &str) -> String {
    format!(
        "the {what} `{name}` is not in {PROTOCOL}: say there, in backticks, what it means and what a client does"
    )
}

/// The lower-case words inside `name! { … }`, the definitions of macros left out.
fn table_names(tokens: &[Token]) -> Vec<Token> {
    let mut names = Vec::new();
    let mut table = false;
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        if depth == 0 && token.is_mark("{") {
            table = follows_bang(&tokens[..index]);
        }
        depth += token.nesting();
        if table && depth > 0 && token.kind == Kind::Text && is_word(&token.text) {
            names.push(token.clone());
        }
    }
    names
}

/// Whether what stands before is a macro's name and `!`.
fn follows_bang(before: &[Token]) -> bool {
    matches!(before, [.., name, bang] if name.kind == Kind::Word && bang.is_mark("!"))
}

fn control_names(tokens: &[Token]) -> Vec<Token> {
    let is_control =
        |token: &&Token| token.kind == Kind::Text && token.text.strip_prefix('$').is_some_and(is_word);
    tokens.iter().filter(is_control).cloned().collect()
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    const CODE_TABLE: &str = "macro_rules! codes { ($($v:ident $n:literal;)*) => { fn f() { g(\"word\"); } } }\n\
        fn name() -> &'static str { \"now\" }\n\
        codes! {\n    Lifetime \"lifetime\" Now true \"Its life is over.\";\n    Gone \"not_found\" 404 \"Nothing.\";\n}\n\
        #[cfg(test)]\nmod tests { codes! { Other \"other\"; } }\n";
    const CONTROL_NAMES: &str = "fn name() -> &'static str { \"$ready\" }\nconst PREFIX: &str = \"$\";\n";

    fn found(protocol: &str) -> Vec<String> {
        let tree = tree_of(&[(CODES, CODE_TABLE), (CONTROLS, CONTROL_NAMES), (PROTOCOL, protocol)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_in_backticks_are_enough() {
        assert!(found("`$ready {session}` then `lifetime` and `404 not_found`.\n").is_empty());
    }

    #[test]
    fn a_name_that_is_missing_is_a_finding_at_its_line() {
        let found = found("`lifetime`, not_found, $ready\n```\n`not_found` `$ready`\n```\n");
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with(&format!("{CODES}:5: the code `not_found` is not in PROTOCOL.md")));
        assert!(found[1].starts_with(&format!("{CONTROLS}:1: the control `$ready` is not in PROTOCOL.md")));
    }

    #[test]
    fn part_of_a_longer_name_is_not_the_name() {
        assert_eq!(found("`lifetime` `not_found_here` `$ready2` `ready`\n").len(), 2);
    }

    #[test]
    fn a_missing_protocol_is_a_finding() {
        assert_eq!(check(&tree_of(&[(CODES, CODE_TABLE)])).len(), 1);
    }

    #[test]
    fn a_table_that_cannot_be_read_is_a_finding() {
        let tree = tree_of(&[
            (CODES, "const A: &str = \"lifetime\";\n"),
            (CONTROLS, "\n"),
            (PROTOCOL, "`lifetime`\n"),
        ]);
        assert_eq!(check(&tree).len(), 2);
    }
}
