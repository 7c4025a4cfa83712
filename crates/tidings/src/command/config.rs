//! `tidings config`: what a server would be started with.

use clap::Subcommand;

use crate::cli::{LocalArgs, faulty};
use crate::config::{self, Sources, print};
use crate::failure::Failure;
use crate::output::{Output, say};

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is wrong, if anything
    Check {
        #[command(flatten)]
        local: LocalArgs,
    },
    /// Show every value and where it comes from, in the form of a configuration file
    Print {
        #[command(flatten)]
        local: LocalArgs,
    },
}

/// Carries it out.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub(crate) fn run(command: &Command, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    match command {
        Command::Check { local } => {
            let loaded = config::load(&local.flags(), sources).map_err(|faults| faulty(&faults))?;
            loaded.notes.iter().for_each(|note| say(&format!("note: {note}")));
            output.data(&serde_json::json!({"ok": true, "notes": loaded.notes}), |_| {
                "the configuration is good".to_owned()
            })
        }
        Command::Print { local } => {
            let loaded = config::read(&local.flags(), sources).map_err(|faults| faulty(&faults))?;
            output.data(&print::json(&loaded), |_| print::text(&loaded).trim_end().to_owned())
        }
    }
}
