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
        "key create --name cli --user ada@example.org --json",
        "key list --tenant acme",
        "key grant key_x publish:a subscribe:b",
        "key ungrant key_x publish:a --data-dir d",
        "key revoke key_x",
        "token mint --issuer id --subject ada",
        "token mint --issuer id --subject ada --subscribe a:* --subscribe b --publish c --role admin --expires 5m --json",
        "token mint --issuer id --subject ada --key-file k.pem --kid a --config t.toml",
        "user add ada@example.org --generate --json",
        "user add ada@example.org --tenant acme --role admin --password-file f --data-dir d",
        "user add ada@example.org",
        "user list --tenant acme",
        "user disable sso|ada --tenant acme",
        "user password usr_x --generate",
        "webhook add --tenant acme --provider github --generate",
        "webhook add --tenant acme --secret-file f",
        "webhook list --tenant acme --json",
        "webhook remove whk_x",
        "audit",
        "audit --tenant t --user ada@example.org --action key.* --since 1h --until 2026-01-31T00:00:00Z --limit 5",
        "audit --export csv log.csv --data-dir d",
        "audit --export jsonl -",
        "simulate casts --server http://h:1 --key tdk_x --user usr_x --count 3 --duration 10s --id cast_1",
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
        ("token mint --issuer id", ErrorKind::MissingRequiredArgument),
        ("token mint --issuer id --subject a --role root", ErrorKind::ValueValidation),
        ("token mint --issuer id --subject a --expires 0", ErrorKind::ValueValidation),
        ("token mint --issuer id --subject a --publish a:*:b", ErrorKind::ValueValidation),
        ("key create --name ci --user u --grant publish:*", ErrorKind::ArgumentConflict),
        ("key grant key_x", ErrorKind::MissingRequiredArgument),
        ("user add", ErrorKind::MissingRequiredArgument),
        ("user add a@b --role owner", ErrorKind::InvalidValue),
        ("user add a@b --generate --password-file f", ErrorKind::ArgumentConflict),
        ("webhook add --generate", ErrorKind::MissingRequiredArgument),
        ("audit --since yesterday", ErrorKind::ValueValidation),
        ("audit --export csv", ErrorKind::WrongNumberOfValues),
        ("simulate casts --count 0", ErrorKind::ValueValidation),
        ("simulate casts --id a/b", ErrorKind::ValueValidation),
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
