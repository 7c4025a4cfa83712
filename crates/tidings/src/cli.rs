//! What can be typed.

use std::future::Future;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bench;
use crate::command::{
    audit, config, doctor, history, key, publish, serve, simulate, tail, tenant, token, user, webhook,
};
use crate::config::{Faults, Flags, Loaded, Sources};
use crate::failure::Failure;
use crate::output::Output;

/// Tells everyone who may know, the moment something changes.
///
/// Exit codes: 0 done, 1 it did not work, 2 the command or the configuration is wrong, 3 the credential is missing or not
/// enough.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Write data as JSON, a line each
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Make and list tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Make, list and disable users; set passwords
    #[command(subcommand)]
    User(user::Command),
    /// Make, list and revoke API keys; change what they may do
    #[command(subcommand)]
    Key(key::Command),
    /// Sign tokens as a configured issuer does
    #[command(subcommand)]
    Token(token::Command),
    /// Add, list and remove secrets of webhooks
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Show or export the audit log
    Audit(audit::Args),
    /// Publish an event
    Publish(publish::Args),
    /// Follow channels
    Tail(tail::Args),
    /// Read what channels have retained
    History(history::Args),
    /// Let something happen on a server, by its API
    #[command(subcommand)]
    Simulate(simulate::Command),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Look for what keeps a server on this machine from running well
    Doctor(doctor::Args),
    /// Measure what this server costs here, beside bare writes of the same bytes
    Bench(bench::Args),
}

/// Which local server, or data directory, is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LocalArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the database, the admin socket and the demo key [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl LocalArgs {
    /// What these flags say.
    pub(crate) fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Flags::default() }
    }

    /// The configuration, as far as it concerns the data directory.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn load(&self, sources: &dyn Sources) -> Result<Loaded, Failure> {
        crate::config::read(&self.flags(), sources).map_err(|faults| faulty(&faults))
    }
}

/// The configuration is wrong.
pub(crate) fn faulty(faults: &Faults) -> Failure {
    Failure::usage(format!("the configuration is wrong\n{faults}"))
}

impl Cli {
    /// Carries the command out.
    ///
    /// # Errors
    /// What did not work.
    pub(crate) fn run(self, sources: &dyn Sources) -> Result<(), Failure> {
        let output = Output { json: self.json };
        match self.command {
            Command::Serve(args) => serve::run(&args, sources, output),
            Command::Tenant(command) => alone(tenant::run(&command, sources, output)),
            Command::User(command) => alone(user::run(&command, sources, output)),
            Command::Key(command) => alone(key::run(&command, sources, output)),
            Command::Token(command) => alone(token::run(&command, sources, output)),
            Command::Webhook(command) => alone(webhook::run(&command, sources, output)),
            Command::Audit(args) => alone(audit::run(&args, sources, output)),
            Command::Publish(args) => alone(publish::run(&args, sources, output)),
            Command::Tail(args) => alone(tail::run(&args, sources, output)),
            Command::History(args) => alone(history::run(&args, sources, output)),
            Command::Simulate(command) => alone(simulate::run(&command, sources, output)),
            Command::Config(command) => config::run(&command, sources, output),
            Command::Doctor(args) => alone(doctor::run(&args, sources, output)),
            Command::Bench(args) => bench::run(&args, sources, output),
        }
    }
}

/// Runs a command that needs no more than its own thread.
fn alone(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?.block_on(command)
}

#[cfg(test)]
mod tests;
