//! Environment variables: `TIDINGS_` and the key in capitals, `__` for each dot.

use super::raw::{Said, Statement};
use super::{Fault, Origin, Sources};

/// Names the configuration file where `--config` does not.
pub(crate) const CONFIG: &str = "TIDINGS_CONFIG";

const PREFIX: &str = "TIDINGS_";

/// Variables that begin as keys do and are none, with what they are for.
pub(crate) const OTHERS: &[(&str, &str)] = &[
    (CONFIG, "The configuration file, where `--config` names none."),
    (
        "TIDINGS_LOG",
        "What the server writes to stderr: `error`, `warn`, `info` (the default), `debug`, `trace`, or a filter such as `info,tidings_server=debug`.",
    ),
    ("TIDINGS_LOG_FORMAT", "`text` (the default) or `json`, a line each."),
    (
        "TIDINGS_URL",
        "For `publish`, `tail`, `history` and `simulate`: the server, where `--server` names none.",
    ),
    (
        "TIDINGS_API_KEY",
        "For `publish`, `tail`, `history` and `simulate`: the API key, where `--key` and `--key-file` name none.",
    ),
    ("TIDINGS_BIN", "For test suites: the binary they drive. The binary itself does not look at it."),
];

/// What Kubernetes sets by itself for a service named `tidings`: not meant as configuration.
const SERVICE_LINKS: [&str; 3] = ["TIDINGS_PORT", "TIDINGS_PORT_", "TIDINGS_SERVICE_"];

/// Everything that the environment says.
///
/// # Errors
/// Values that are not UTF-8.
pub(crate) fn statements(sources: &dyn Sources) -> Result<Vec<Statement>, Vec<Fault>> {
    let mut statements = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in sources.variables() {
        let Some(name) = name.to_str().filter(|name| is_key(name)) else { continue };
        let origin = Origin::Variable(name.to_owned());
        match value.into_string() {
            Ok(text) => statements.push(Statement { name: key_of(name), said: Said::Text(text), origin }),
            Err(_) => faults.push(Fault::new(&origin, "its value is not UTF-8")),
        }
    }
    if faults.is_empty() { Ok(statements) } else { Err(faults) }
}

fn is_key(name: &str) -> bool {
    let is_link = |link: &&str| if link.ends_with('_') { name.starts_with(*link) } else { name == *link };
    name.starts_with(PREFIX)
        && !OTHERS.iter().any(|(other, _)| name == *other)
        && !SERVICE_LINKS.iter().any(is_link)
}

fn key_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".")
}
