//! Edges between crates point downwards only, and the lower crates stay free of sockets and runtimes.
//!
//! Every crate under `crates/` has a row in [`CRATES`]; that a crate without one is a finding makes a new crate a
//! decision. Development dependencies keep to the same rows, and may use the contract suites besides.

use super::Violation;
use crate::manifest::{self, Dependency, Package, Section};
use crate::tree::Tree;

/// A crate and the crates of ours that it may depend on.
type Row = (&'static str, &'static [&'static str]);

const CRATES: &[Row] = &[
    ("tidings-protocol", &[]),
    ("tidings-core", &["tidings-protocol"]),
    ("tidings-contract", &["tidings-protocol", "tidings-core"]),
    ("tidings-sqlite", &["tidings-protocol", "tidings-core"]),
    ("tidings-postgres", &["tidings-protocol", "tidings-core"]),
    ("tidings-nats", &["tidings-protocol", "tidings-core"]),
    ("tidings-redis", &["tidings-protocol", "tidings-core"]),
    ("tidings-server", &["tidings-protocol", "tidings-core"]),
    ("tidings-apps", &["tidings-protocol", "tidings-core", "tidings-server"]),
    ("tidings-client", &["tidings-protocol"]),
    (
        "tidings",
        &[
            "tidings-protocol",
            "tidings-core",
            "tidings-sqlite",
            "tidings-postgres",
            "tidings-nats",
            "tidings-redis",
            "tidings-server",
            "tidings-apps",
            "tidings-client",
        ],
    ),
    // Tests from outside: they know the wire and the binary, nothing within.
    ("tidings-acceptance", &["tidings-protocol", "tidings-client"]),
    ("xtask", &["tidings-protocol"]),
];

/// What every crate may use in development.
const CONTRACT: &str = "tidings-contract";

/// Crates and their offshoots (`hyper`, `hyper-util`) that a crate must not ship with.
const FOREIGN: &[Row] = &[
    ("tidings-protocol", &["tokio", "hyper", "axum"]),
    ("tidings-core", &["hyper", "axum", "socket2", "rusqlite"]),
];

/// Features of a dependency that a crate must not turn on.
const FEATURES: &[(&str, &str, &[&str])] = &[("tidings-core", "tokio", &["net", "full"])];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let (packages, _) = manifest::packages(tree);
    packages.iter().filter(|package| is_governed(package)).flat_map(check_package).collect()
}

/// The crates of the house, not examples or fuzz crates, on which nothing rests.
fn is_governed(package: &Package) -> bool {
    let folder = package.folder();
    folder == "xtask" || folder.strip_prefix("crates/").is_some_and(|rest| !rest.contains('/'))
}

fn check_package(package: &Package) -> Vec<Violation> {
    let Some((_, allowed)) = CRATES.iter().find(|(name, _)| *name == package.name) else {
        let message =
            format!("`{}` has no place in the house: give it a row in xtask/src/tidy/edges.rs", package.name);
        return vec![Violation::new(&package.path, 1, message)];
    };
    let found = |dependency| {
        let message = unlawful_edge(&package.name, allowed, dependency)
            .or_else(|| foreign(&package.name, dependency))
            .or_else(|| forbidden_feature(&package.name, dependency))?;
        Some(Violation::new(&package.path, dependency.line, message))
    };
    package.dependencies.iter().filter_map(found).collect()
}

fn unlawful_edge(package: &str, allowed: &[&str], dependency: &Dependency) -> Option<String> {
    let other = dependency.package.as_str();
    let is_ours = other == "tidings" || other.starts_with("tidings-") || other == "xtask";
    let is_contract = other == CONTRACT && dependency.section == Section::Dev;
    if !is_ours || is_contract || allowed.contains(&other) {
        return None;
    }
    Some(match other {
        CONTRACT => format!("`{CONTRACT}` is for tests alone: move it to [dev-dependencies]"),
        _ => format!(
            "`{package}` must not depend on `{other}`: edges point downwards only; use a port or move the code"
        ),
    })
}

fn foreign(package: &str, dependency: &Dependency) -> Option<String> {
    let (_, families) = FOREIGN.iter().find(|(name, _)| *name == package)?;
    let other = dependency.package.as_str();
    let is_of = |family: &&&str| {
        other.strip_prefix(**family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let family = families.iter().find(is_of).filter(|_| dependency.section != Section::Dev)?;
    Some(format!(
        "`{package}` ships without `{family}`: take `{other}` out; what needs it belongs further up"
    ))
}

fn forbidden_feature(package: &str, dependency: &Dependency) -> Option<String> {
    let row = FEATURES.iter().find(|(name, other, _)| *name == package && *other == dependency.package)?;
    let is_forbidden = |feature: &&String| row.2.contains(&feature.as_str());
    let feature =
        dependency.features.iter().find(is_forbidden).filter(|_| dependency.section != Section::Dev)?;
    let other = &dependency.package;
    Some(format!(
        "`{package}` must not turn on `{other}/{feature}`: name version and features here if the workspace's entry has it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    fn found(package: &str, dependencies: &str) -> Vec<String> {
        let folder = if package == "xtask" { package.to_owned() } else { format!("crates/{package}") };
        let manifest = format!("[package]\nname = \"{package}\"\n{dependencies}");
        let root = "[workspace.dependencies]\ntokio = { version = \"1\", features = [\"net\"] }\n";
        let tree = tree_of(&[("Cargo.toml", root), (&format!("{folder}/Cargo.toml"), &manifest)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    fn fails(package: &str, section: &str, dependency: &str) -> bool {
        let found = found(package, &format!("[{section}]\n{dependency}\n"));
        assert!(
            found.iter().all(|line| line.starts_with(&format!("crates/{package}/Cargo.toml:4: "))),
            "{found:?}"
        );
        !found.is_empty()
    }

    #[test]
    fn edges_downwards_pass() {
        for (package, allowed) in CRATES {
            for other in *allowed {
                assert_eq!(found(package, &format!("[dependencies]\n{other}.workspace = true\n")), [""; 0]);
            }
        }
    }

    #[test]
    fn edges_upwards_and_sideways_fail() {
        let unlawful = [
            ("tidings-protocol", "tidings-core"),
            ("tidings-core", "tidings-server"),
            ("tidings-core", "tidings-sqlite"),
            ("tidings-sqlite", "tidings-postgres"),
            ("tidings-nats", "tidings-redis"),
            ("tidings-redis", "tidings-server"),
            ("tidings-server", "tidings-sqlite"),
            ("tidings-server", "tidings-apps"),
            ("tidings-apps", "tidings-sqlite"),
            ("tidings-apps", "tidings"),
            ("tidings-client", "tidings-core"),
            ("tidings-acceptance", "tidings-server"),
        ];
        for (package, other) in unlawful {
            for section in
                ["dependencies", "build-dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"]
            {
                assert!(
                    fails(package, section, &format!("{other}.workspace = true")),
                    "{package} -> {other}"
                );
            }
        }
    }

    #[test]
    fn a_renamed_dependency_is_seen_through() {
        assert!(fails(
            "tidings-core",
            "dependencies",
            "store = { package = \"tidings-sqlite\", path = \"x\" }"
        ));
    }

    #[test]
    fn the_contract_is_for_development() {
        for package in ["tidings-core", "tidings-sqlite", "tidings"] {
            assert!(fails(package, "dependencies", "tidings-contract.workspace = true"));
            assert!(fails(package, "build-dependencies", "tidings-contract.workspace = true"));
            assert!(!fails(package, "dev-dependencies", "tidings-contract.workspace = true"));
        }
    }

    #[test]
    fn the_lower_crates_ship_without_sockets_and_runtimes() {
        let foreign = [
            ("tidings-protocol", "tokio"),
            ("tidings-protocol", "tokio-util"),
            ("tidings-protocol", "hyper"),
            ("tidings-protocol", "axum"),
            ("tidings-core", "hyper-util"),
            ("tidings-core", "axum-core"),
            ("tidings-core", "socket2"),
            ("tidings-core", "rusqlite"),
        ];
        for (package, other) in foreign {
            assert!(fails(package, "dependencies", &format!("{other} = \"1\"")), "{package} -> {other}");
            assert!(!fails(package, "dev-dependencies", &format!("{other} = \"1\"")), "{package} -> {other}");
        }
        assert!(!fails("tidings-core", "dependencies", "hyperloglog = \"1\""));
    }

    #[test]
    fn core_turns_on_no_network() {
        for tokio in ["tokio.workspace = true", "tokio = { version = \"1\", features = [\"full\"] }"] {
            assert!(fails("tidings-core", "dependencies", tokio), "{tokio}");
            assert!(!fails("tidings-server", "dependencies", tokio), "{tokio}");
        }
        assert!(!fails("tidings-core", "dependencies", "tokio = { version = \"1\", features = [\"sync\"] }"));
    }

    #[test]
    fn a_new_crate_needs_a_row() {
        assert!(found("tidings-extra", "")[0].contains("has no place in the house"));
    }
}
