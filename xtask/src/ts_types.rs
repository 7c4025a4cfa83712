//! The TypeScript packages' types of the wire, generated from the Rust ones.
//!
//! Owns: which files are generated and what stands in each. Codes come from the tables themselves; shapes are described
//! here ([`shape`]), each with a test that compares the description with what Rust writes or reads. What casts look like
//! is described in [`mod@casts`]; since this crate knows nothing above the protocol, `tidings-apps` has the test.
//!
//! `cargo xtask ts-types` writes the files, `cargo xtask tidy` finds one that differs.

mod casts;
mod codes;
mod limits;
mod shape;
mod wire;

use shape::{render_all, shape_named};

const HEADER: &str = "\
// Generated from the Rust types of the wire. Do not edit: change those, then run `cargo xtask ts-types`.
";

/// A generated file: its path from the repository's root, and its text.
pub(crate) struct Generated {
    pub(crate) path: &'static str,
    pub(crate) text: String,
}

/// Every generated file as it should be.
pub(crate) fn files() -> Vec<Generated> {
    vec![
        Generated { path: "packages/client/src/wire/generated.ts", text: file(&client()) },
        Generated { path: "packages/client/src/wire/casts.generated.ts", text: file(&casts()) },
        Generated { path: "packages/publisher/src/generated.ts", text: file(&publisher()) },
    ]
}

fn client() -> Vec<String> {
    let shapes = render_all(wire::SHAPES);
    vec![codes::render(), render_all(wire::NAMES), shapes, wire::controls(), limits::render()]
}

fn casts() -> Vec<String> {
    vec![casts::words(), render_all(casts::SHAPES), casts::frames()]
}

/// What a publisher sends, and what it is answered.
fn publisher() -> Vec<String> {
    let wire = ["Draft<Data = unknown>", "Receipt", "Problem"].map(|name| shape_named(wire::SHAPES, name));
    let casts = ["Cast", "CastFields"].map(|name| shape_named(casts::SHAPES, name));
    let limits = limits::render_some(limits::PUBLISH);
    vec![codes::errors(), render_all(wire::NAMES), wire.concat(), casts::words(), casts.concat(), limits]
}

fn file(parts: &[String]) -> String {
    format!("{HEADER}{}", parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_exported_twice() {
        for Generated { path, text } in files() {
            let exports = text
                .lines()
                .filter(|line| line.starts_with("export "))
                .filter_map(|line| line.split(' ').nth(2));
            let names: Vec<&str> = exports.map(|name| name.trim_end_matches([':', ';'])).collect();
            let distinct: std::collections::BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(distinct.len(), names.len(), "{path}: {names:?}");
        }
    }

    #[test]
    fn lines_fit_and_end_without_white_space() {
        for Generated { path, text } in files() {
            assert!(text.lines().all(|line| line.chars().count() <= 180 && !line.ends_with(' ')), "{path}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        }
    }
}
