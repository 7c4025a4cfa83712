//! Every link from one Markdown file of the repository into the repository leads somewhere.
//!
//! Addresses with a scheme are left to the world. A target must be a file that git would keep; an anchor must be a
//! heading of the Markdown file it names.

use super::Violation;
use crate::markdown::{self, Link};
use crate::tree::{Tree, extension};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let documents = tree.texts().filter(|(path, _)| extension(path) == Some("md"));
    let broken = |(path, text)| {
        let links = markdown::links(text).into_iter();
        links
            .filter_map(move |link| broken(tree, path, &link).map(|why| Violation::new(path, link.line, why)))
    };
    documents.flat_map(broken).collect()
}

/// Why the link leads nowhere.
fn broken(tree: &Tree, from: &str, link: &Link) -> Option<String> {
    if is_elsewhere(&link.target) {
        return None;
    }
    let (path, anchor) = match link.target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (link.target.as_str(), None),
    };
    let Some(file) = resolve(from, path) else {
        return Some(format!(
            "`{}` leads out of the repository: name the place by a full address",
            link.target
        ));
    };
    if !tree.holds(&file) {
        return Some(format!("there is no `{file}`: correct the link or add the file"));
    }
    let anchor = anchor.filter(|_| extension(&file) == Some("md"))?;
    let anchors = markdown::anchors(tree.text(&file)?);
    (!anchors.contains(anchor))
        .then(|| format!("`{file}` has no heading with the anchor `#{anchor}`: correct the link"))
}

/// Whether the target has a scheme (`https:`, `mailto:`) or names a host.
fn is_elsewhere(target: &str) -> bool {
    let scheme = target.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme || target.starts_with("//")
}

/// The path from the root; `None` if it leads out. A leading `/` means the root, nothing means the file itself.
fn resolve(from: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let path = path.split('?').next().unwrap_or(path).replace("%20", " ");
    let mut parts: Vec<&str> = match path.starts_with('/') {
        true => Vec::new(),
        false => from.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    fn found(text: &str) -> Vec<String> {
        let files = [
            ("docs/how-to/run.md", text),
            ("README.md", "# Tidings\n## What it promises\n"),
            ("docs/reference/codes.md", "# Codes\n"),
            ("crates/a/src/lib.rs", "\n"),
        ];
        check(&tree_of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# Run it\n[a](../../README.md#what-it-promises) [b](../reference/codes.md) [c](#run-it) [d](..)\n\
            [e](/crates/a/src/lib.rs#L1) [f](https://example.com/x.md) [g](mailto:a@example.com) [h](./../reference/)\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_finding() {
        let found = found("# Run it\n\n[a](codes.md) [b](../../readme.md) [c](../referenc)\n[d]: x.png\n");
        assert_eq!(found.len(), 4);
        assert!(found[0].starts_with("docs/how-to/run.md:3: there is no `docs/how-to/codes.md`"));
    }

    #[test]
    fn an_anchor_that_is_not_there_is_a_finding() {
        let found = found("# Run it\n[a](../../README.md#what-it-promise) [b](#run)\n");
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("`README.md` has no heading with the anchor `#what-it-promise`"));
    }

    #[test]
    fn a_link_out_of_the_repository_is_a_finding() {
        assert!(found("[a](../../../x.md)\n")[0].contains("leads out of the repository"));
    }
}
