//! What is understood, and what is not.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("tidings").chain(line.split(' ')))
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn documented_lines_are_understood() {
    for line in [
        "serve",
        "serve --config tidings.toml --listen 127.0.0.1:0 --listen [::1]:0 --data-dir d --demo",
        "serve --json",
        "--json serve",
        "tenant add acme --data-dir d",
        "tenant list --json",
        "key create --tenant default --name ci --grant publish:* --grant subscribe:* --json",
        "key create --name ci --grant publish:* --expires 30d --config t.toml",
        "key list --tenant acme",
        "key revoke key_x",
        "publish demo --type hello --data {} --key tdk_x --server http://h:1",
        "publish demo --type t --data - --key-file f --idempotency-key i --conflation-key k --terminal --also a",
        "tail demo cast:* --since start --type t --category C --count 3 --json",
        "history demo --after x --limit 5 --json",
        "config check --config t.toml",
        "config print --json",
        "doctor --data-dir d --json",
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn other_lines_are_usage_errors() {
    for (line, kind) in [
        ("", ErrorKind::InvalidSubcommand),
        ("sing", ErrorKind::InvalidSubcommand),
        ("serve --lisen x", ErrorKind::UnknownArgument),
        ("key create --name ci", ErrorKind::MissingRequiredArgument),
        ("key create --name ci --grant publish:* --expires soon", ErrorKind::ValueValidation),
        ("publish demo --type t", ErrorKind::MissingRequiredArgument),
        ("publish demo --type t --data 1 --key a --key-file b", ErrorKind::ArgumentConflict),
        ("tail", ErrorKind::MissingRequiredArgument),
        ("tail demo --count 0", ErrorKind::ValueValidation),
        ("history demo --limit 0", ErrorKind::ValueValidation),
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}");
    }
}
