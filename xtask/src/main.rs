//! The repository's own tool, run as `cargo xtask <command>`.
//!
//! Layout: [`tree`] reads the repository, [`tidy`] holds the house rules, one a file, [`ts_types`] writes the packages'
//! types, and [`rust_tokens`], [`markdown`] and [`manifest`] read the three languages that the rules look at.

mod manifest;
mod markdown;
mod rust_tokens;
mod tidy;
mod tree;
mod ts_types;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use tree::Tree;

const USAGE: &str = "\
usage: cargo xtask <command>

  tidy        check the house rules; every finding names a file, a line and what to do
  ts-types    write the TypeScript packages' types of the wire, generated from the Rust ones
  wire-lock   note that PROTOCOL.md was reviewed against the wire types as they are now
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy_command(),
        ["ts-types"] => ts_types_command(),
        ["wire-lock"] => wire_lock_command(),
        _ => return say(&mut io::stderr(), USAGE, ExitCode::from(2)),
    };
    outcome.unwrap_or_else(|error| say(&mut io::stderr(), &format!("xtask: {error}\n"), ExitCode::FAILURE))
}

fn tidy_command() -> io::Result<ExitCode> {
    let report = tidy::report(&tidy::check(&Tree::read(&repository_root()?)?));
    let code = if report.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(say(&mut io::stderr(), &report, code))
}

fn wire_lock_command() -> io::Result<ExitCode> {
    let root = repository_root()?;
    let lock = tidy::wire_lock::render(&Tree::read(&root)?);
    let lock =
        lock.ok_or_else(|| io::Error::other("there is no PROTOCOL.md to compare the wire types with"))?;
    std::fs::write(root.join(tidy::wire_lock::LOCK), lock)?;
    Ok(say(&mut io::stdout(), &format!("{} written\n", tidy::wire_lock::LOCK), ExitCode::SUCCESS))
}

fn ts_types_command() -> io::Result<ExitCode> {
    let root = repository_root()?;
    let mut said = String::new();
    for ts_types::Generated { path, text } in ts_types::files() {
        let full = root.join(path);
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(full, text)?;
        said = said + path + " written\n";
    }
    Ok(say(&mut io::stdout(), &said, ExitCode::SUCCESS))
}

/// The folder above this crate. Cargo names it at run time, so that a binary built elsewhere is not misled.
fn repository_root() -> io::Result<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|folder| PathBuf::from(folder).parent().map(PathBuf::from))
        .ok_or_else(|| io::Error::other("run it through cargo: `cargo xtask tidy`"))
}

/// Prints; a reader that has gone away is no reason to fail differently.
fn say(out: &mut dyn Write, text: &str, code: ExitCode) -> ExitCode {
    match out.write_all(text.as_bytes()) {
        Ok(()) | Err(_) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let tree = Tree::read(&repository_root().unwrap()).unwrap();
        let report = tidy::report(&tidy::check(&tree));
        assert!(report.is_empty(), "\n{report}");
    }
}
