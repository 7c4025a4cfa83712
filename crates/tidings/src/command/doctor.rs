//! `tidings doctor`: what keeps a server on this machine from running well, and what to do about it.

mod check;
mod data_dir;
mod database;
mod machine;
mod server;

use clap::Args as ClapArgs;
use serde_json::json;

use crate::cli::LocalArgs;
use crate::config::{self, Sources};
use crate::failure::Failure;
use crate::output::Output;
use check::{Check, State};

/// Which server is looked at.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    local: LocalArgs,
}

/// Looks, and shows what was found.
///
/// # Errors
/// Something is wrong that keeps a server from running.
pub(crate) async fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let checks = look(args, sources).await;
    let failed = checks.iter().filter(|check| check.state == State::Fail).count();
    output.data(&json!({"ok": failed == 0, "checks": checks}), |_| {
        checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new("one check failed")),
        more => Err(Failure::new(format!("{more} checks failed"))),
    }
}

async fn look(args: &Args, sources: &dyn Sources) -> Vec<Check> {
    let flags = args.local.flags();
    let mut checks = match config::load(&flags, sources) {
        Ok(loaded) => {
            loaded.notes.into_iter().fold(vec![Check::ok("configuration", "good")], |mut checks, note| {
                checks.push(Check::warn(
                    "configuration",
                    note,
                    "set it otherwise, or leave it if that is meant",
                ));
                checks
            })
        }
        Err(faults) => {
            let advice = "correct it; docs/reference/configuration.md has every key";
            vec![Check::fail("configuration", faults.to_string(), advice)]
        }
    };
    checks.extend([machine::open_files(), machine::clock()]);
    // What cannot be read names no directory to look at.
    let Ok(loaded) = config::read(&flags, sources) else { return checks };
    checks.extend(loaded.settings.server.tls.as_ref().map(server::certificate));
    let directory = loaded.settings.data_dir.as_path();
    checks.push(data_dir::permissions(directory));
    if directory.is_dir() {
        checks.push(machine::disk(directory));
        checks.push(database::check(directory));
        checks.extend(server::check(&loaded.settings).await);
    }
    checks
}
