//! The binary: command line, configuration, and the one place where adapters are chosen.
//!
//! Owns: what a person types and reads, what is configured, and how the parts are put together. Leaves out: everything
//! that serves a client, which is `tidings-server` and below.
//!
//! Reading order: [`cli`] (what can be typed), [`config`] (what can be set), [`parts`] (which adapters), [`local`] (how
//! a running server is administered), then [`command`], a file each, with [`client`] for those that use the API.

#![warn(missing_docs)]

mod bench;
mod cli;
mod client;
mod command;
mod config;
mod demo;
mod failure;
mod local;
mod logging;
mod modules;
mod open_files;
mod output;
mod parts;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run(&config::Process) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let message = failure.to_string();
            if !message.is_empty() {
                output::say(&format!("tidings: {message}"));
            }
            failure.code()
        }
    }
}
