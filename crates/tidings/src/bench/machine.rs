//! The machine and the command that figures belong to. Neither names the machine nor any path on it.

use std::fs;
use std::process::Command;

use serde::Serialize;
use tidings_server::clock::wall_time;

/// Where and how figures came to be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) date: String,
    version: &'static str,
    /// Of the source tree that the benchmark was started in, if it was.
    commit: Option<String>,
    command: String,
    cores: usize,
    model: String,
    memory_gib: f64,
    kernel: String,
    /// Whether server and driver had a core each.
    pub(super) pinned: bool,
}

impl Machine {
    /// This one; to be asked before anything is pinned.
    pub(super) fn find(pinned: bool) -> Self {
        Self {
            date: wall_time().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            command: command(std::env::args().skip(1)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            model: field("/proc/cpuinfo", "model name").unwrap_or_default(),
            memory_gib: memory().unwrap_or_default(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            pinned,
        }
    }

    /// The day.
    pub(super) fn day(&self) -> &str {
        self.date.split('T').next().unwrap_or_default()
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

fn memory() -> Option<f64> {
    let kib: f64 = field("/proc/meminfo", "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some((kib / 1024.0 / 1024.0 * 10.0).round() / 10.0)
}

fn commit() -> Option<String> {
    fs::metadata("crates/tidings/src/bench.rs").ok()?;
    let output =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as it can be repeated elsewhere: without what is secret or only here.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["tidings".to_owned()];
    let mut is_private = false;
    for argument in arguments {
        let name = argument.split('=').next().unwrap_or_default().to_owned();
        let private = ["--key", "--key-file", "--dir", "--server"].contains(&name.as_str());
        words.push(match (is_private, private && argument.contains('=')) {
            (true, _) => "…".to_owned(),
            (false, true) => format!("{name}=…"),
            (false, false) => argument.clone(),
        });
        is_private = private && !argument.contains('=');
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_kept_without_secrets() {
        let arguments = ["bench", "--key", "tdk_secret", "--dir=/here", "--idle", "7"].map(str::to_owned);
        assert_eq!(command(arguments.into_iter()), "tidings bench --key … --dir=… --idle 7");
    }
}
