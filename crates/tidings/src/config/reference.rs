//! The reference page of the configuration, made from the table of keys.

use super::key::{Field, Key};
use super::members::Member;
use super::{Settings, issuers, keys, units, variables};

/// Where the page lies, from the repository's root.
pub(crate) const PAGE: &str = "docs/reference/configuration.md";

const HEAD: &str = "\
# Configuration

<!-- Made from the table of keys in crates/tidings/src/config/keys.rs by `cargo test -p tidings` with \
UPDATE_DOCS=1; changes made here are lost. -->

Everything has a default: `tidings serve` runs without any configuration.
What is set comes from a TOML file (`--config tidings.toml`), from environment variables, and from flags.
Flags win over variables, variables over the file.

```toml
listen = [\"127.0.0.1:8080\"]

[log.retention]
age = \"30d\"
```

The variable of a key is `TIDINGS_` and its name in capitals, with `__` for each dot: `TIDINGS_LOG__RETENTION__AGE=30d`.
In a variable, a list is written with commas.

- A *duration* is a number with its unit: `250ms`, `30s`, `5m`, `2h`, `7d`.
- A *size* is a number of bytes, or a number with its unit: `64KiB`, `1MiB`, `2GiB`.
- An *origin* is written as browsers do: `https://app.example.org`, without a path, with the port only if it is not the scheme's own.
- Where a limit may be off, zero switches it off.

A key that is not known, and a variable that begins with `TIDINGS_` and is not known, is an error: a limit that was mistyped is no limit.
`tidings config check` says what is wrong, `tidings config print` shows every value and where it comes from.

The server listens off loopback only where TLS covers it: with `tls.cert` and `tls.key`, or with `behind_proxy = true`, said by \
whoever has put the proxy there.
";

const ISSUERS: &str = "
```toml
[[auth.issuers]]
name = \"id\"
issuer = \"https://id.example.org\"
audience = \"https://live.example.org\"
algorithms = [\"RS256\"]
jwks_url = \"https://id.example.org/.well-known/jwks.json\"

[[auth.issuers]]
tenant = \"acme\"
name = \"backend\"
issuer = \"backend\"
audience = \"tidings\"
algorithms = [\"HS256\"]
keys = [{ algorithm = \"HS256\", secret_file = \"/etc/tidings/backend.secret\" }]
```

An issuer:

";

/// The whole page.
pub(crate) fn page() -> String {
    let defaults = Settings::default();
    let mut out = HEAD.to_owned();
    for group in keys::GROUPS {
        out.push_str(&format!("\n## {}\n", group.title));
        for key in group.keys {
            out.push_str(&section(key, &defaults));
        }
    }
    out.push_str("\n## Variables that are no keys\n\n");
    for (name, meaning) in variables::OTHERS {
        out.push_str(&format!("- `{name}`: {meaning}\n"));
    }
    out.push_str("\nWhat Kubernetes sets for a service named `tidings` (`TIDINGS_PORT`, `TIDINGS_PORT_…`, `TIDINGS_SERVICE_…`) is ignored.\n");
    out
}

fn section(key: &Key, defaults: &Settings) -> String {
    let default = key.show(defaults).map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
    let zero = key.zero.map_or_else(String::new, |meaning| format!(" · zero: {meaning}"));
    let least = if key.least > 1 { format!(" · at least {}", least(key)) } else { String::new() };
    let tables = if matches!(key.field, Field::Issuers(_)) { issuers() } else { String::new() };
    format!(
        "\n### `{}`\n\n{} · default {default}{zero}{least} · `{}`\n\n{}\n{tables}",
        key.name,
        key.kind(),
        key.variable(),
        key.meaning
    )
}

fn issuers() -> String {
    format!("{ISSUERS}{}\nA key in `keys`:\n\n{}", members(issuers::ISSUER), members(issuers::KEY))
}

fn members(members: &[Member]) -> String {
    let line = |member: &Member| {
        let needed = if member.needed { " (needed)" } else { "" };
        format!("- `{}`{needed}: {}\n", member.name, member.meaning)
    };
    members.iter().map(line).collect()
}

fn least(key: &Key) -> String {
    match key.kind() {
        "size" => units::show_size(key.least),
        "duration" => units::show_duration(std::time::Duration::from_millis(key.least)),
        _ => key.least.to_string(),
    }
}
