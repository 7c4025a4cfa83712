//! `tidings simulate`: something happens, by the API alone, as a backend would tell of it.

mod casts;
mod script;

use clap::Subcommand;

use crate::config::Sources;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) use script::{Ending, Step, script};

/// What can be simulated.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Casts that are queued, run and end; with more than three, some fail and one in five is cancelled
    Casts(casts::Args),
}

/// Carries it out.
///
/// # Errors
/// What did not work, or was refused.
pub(crate) async fn run(command: &Command, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    match command {
        Command::Casts(args) => casts::run(args, sources, output).await,
    }
}
