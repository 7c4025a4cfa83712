//! `Cargo.toml` files: which packages there are and what they depend on.
//!
//! Dependencies that say `workspace = true` are followed into the root manifest, for their package name and features.

use toml::{Table, Value};

use crate::tidy::Violation;
use crate::tree::{Tree, file_name};

/// When a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Normal,
    Build,
    Dev,
}

impl Section {
    const ALL: [Self; 3] = [Self::Normal, Self::Build, Self::Dev];

    /// The name of its table.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Normal => "dependencies",
            Self::Build => "build-dependencies",
            Self::Dev => "dev-dependencies",
        }
    }
}

/// One dependency of a package.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package's own name, whatever the manifest calls it.
    pub(crate) package: String,
    pub(crate) section: Section,
    /// The features it asks for, those of the workspace's entry included.
    pub(crate) features: Vec<String>,
    /// The line of the manifest, from 1.
    pub(crate) line: usize,
}

/// A package of the repository.
#[derive(Debug)]
pub(crate) struct Package {
    /// The manifest's path.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Whether it takes its lints from the workspace.
    pub(crate) inherits_lints: bool,
    /// Whether it is the root of a workspace of its own, as a fuzz crate is.
    pub(crate) stands_alone: bool,
}

impl Package {
    /// The folder it lives in, relative to the repository's root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// Every package, and a finding for each manifest that cannot be read.
pub(crate) fn packages(tree: &Tree) -> (Vec<Package>, Vec<Violation>) {
    let root: Table = tree.text("Cargo.toml").and_then(|text| text.parse().ok()).unwrap_or_default();
    let shared = table(&root, &["workspace", "dependencies"]).cloned().unwrap_or_default();
    let mut packages = Vec::new();
    let mut violations = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| file_name(path) == "Cargo.toml") {
        match text.parse::<Table>() {
            Ok(manifest) => packages.extend(package(path, text, &manifest, &shared)),
            Err(error) => {
                let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                violations.push(Violation::new(path, line, format!("this is not TOML: {}", error.message())));
            }
        }
    }
    (packages, violations)
}

/// The line on which a key of a table stands, or the table's own header; 1 if neither is found.
pub(crate) fn line_of(text: &str, table: &str, key: &str) -> usize {
    let mut current = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            current = header.0;
            if current.strip_suffix(key).is_some_and(|rest| rest.ends_with(&format!("{table}."))) {
                return index + 1;
            }
        } else if current == table || current.ends_with(&format!(".{table}")) {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if name.trim_matches('"') == key {
                return index + 1;
            }
        }
    }
    1
}

fn package(path: &str, text: &str, manifest: &Table, shared: &Table) -> Option<Package> {
    let name = table(manifest, &["package"])?.get("name")?.as_str()?.to_owned();
    let lints = table(manifest, &["lints"]).and_then(|lints| lints.get("workspace"));
    Some(Package {
        path: path.to_owned(),
        name,
        dependencies: dependencies(text, manifest, shared),
        inherits_lints: lints.and_then(Value::as_bool) == Some(true),
        stands_alone: manifest.contains_key("workspace"),
    })
}

fn dependencies(text: &str, manifest: &Table, shared: &Table) -> Vec<Dependency> {
    let targets =
        table(manifest, &["target"]).into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for holder in std::iter::once(manifest).chain(targets) {
        for section in Section::ALL {
            for (key, value) in table(holder, &[section.key()]).into_iter().flatten() {
                let line = line_of(text, section.key(), key);
                let inherited = is_inherited(value).then(|| shared.get(key)).flatten();
                let entries: Vec<&Value> = std::iter::once(value).chain(inherited).collect();
                found.push(Dependency {
                    package: package_name(key, &entries),
                    section,
                    features: features(&entries),
                    line,
                });
            }
        }
    }
    found
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn package_name(key: &str, entries: &[&Value]) -> String {
    let renamed = entries.iter().find_map(|entry| entry.get("package")?.as_str());
    renamed.unwrap_or(key).to_owned()
}

fn features(entries: &[&Value]) -> Vec<String> {
    let lists = entries.iter().filter_map(|entry| entry.get("features")?.as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn table<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree_of;

    const ROOT: &str = "[workspace]\n[workspace.dependencies]\n\
        rt = { package = \"tokio\", version = \"1\", features = [\"net\"] }\n";

    #[test]
    fn dependencies_are_followed_into_the_workspace() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nrt = { workspace = true, features = [\"sync\"] }\n\
            [target.'cfg(unix)'.dev-dependencies]\nnix = \"1\"\n[build-dependencies.cc]\nversion = \"1\"\n";
        let (packages, violations) =
            packages(&tree_of(&[("Cargo.toml", ROOT), ("crates/a/Cargo.toml", manifest)]));
        assert!(violations.is_empty());
        let found: Vec<_> =
            packages[0].dependencies.iter().map(|d| (d.package.as_str(), d.section, d.line)).collect();
        assert_eq!(
            found,
            [("tokio", Section::Normal, 5), ("cc", Section::Build, 8), ("nix", Section::Dev, 7)]
        );
        assert_eq!(packages[0].dependencies[0].features, ["sync", "net"]);
        assert_eq!(packages[0].folder(), "crates/a");
    }

    #[test]
    fn a_manifest_that_is_not_toml_is_a_finding() {
        let (packages, violations) =
            packages(&tree_of(&[("crates/a/Cargo.toml", "[package]\nname = = 1\n")]));
        assert!(packages.is_empty());
        assert_eq!((violations[0].path.as_str(), violations[0].line), ("crates/a/Cargo.toml", 2));
    }
}
