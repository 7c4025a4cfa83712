//! What is measured, with which numbers.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::scan::Wire;
use crate::client::ServerArgs;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Events to many subscribers, beside bare writes of the same bytes.
    FanOut,
    /// Memory of idle connections.
    Idle,
    /// Durable publishes.
    Publish,
    /// From the start to being ready.
    Start,
    /// Subscribers that come back after the server was killed.
    Resume,
    /// What resuming costs with so many events stored (`--stored`).
    Stored,
}

/// What to measure. Without `--server`, a server of its own is started in a temporary directory; it and the driver get
/// a core each.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Process of the server that `--server` names, if it runs on this machine: its processor time is measured then
    #[arg(long, requires = "server")]
    pub(super) pid: Option<u32>,
    /// These parts alone; repeatable [default: all; fan-out and publish with --server]
    #[arg(long, value_delimiter = ',')]
    pub(super) only: Vec<Part>,
    /// How subscribers are connected; repeatable
    #[arg(long, value_delimiter = ',', default_values = ["sse", "websocket"])]
    pub(super) transport: Vec<Wire>,
    /// Subscribers of the fan-out
    #[arg(long, default_value_t = 1_000)]
    pub(super) subscribers: usize,
    /// Publishers of the fan-out, each waiting for its answer; repeatable
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pub(super) publishers: Vec<usize>,
    /// Bytes of an event's data
    #[arg(long, default_value_t = 200)]
    pub(super) bytes: usize,
    /// Length of a measured round
    #[arg(long, default_value_t = 5)]
    pub(super) seconds: u64,
    /// Rounds of which the cheapest counts (faults count in all), since others may use the machine meanwhile
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rounds: u64,
    /// Idle connections, and clients that come back
    #[arg(long, default_value_t = 10_000)]
    pub(super) idle: usize,
    /// Publishes in flight where nobody subscribes; repeatable
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub(super) in_flight: Vec<usize>,
    /// Stored events from among which streams are resumed, e.g. 10000,1000000; ascending
    #[arg(long, value_delimiter = ',')]
    pub(super) stored: Vec<u64>,
    /// Where the temporary directory is made, on the disk to be measured [default: the system's]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Keep the figures as `bench/results/<date>-<NAME>.json`
    #[arg(long, value_name = "NAME")]
    pub(super) save: Option<String>,
    /// Be the process that bare writes are measured with
    #[arg(long, hide = true)]
    pub(super) bare: bool,
}

impl Plan {
    /// Whether this part is to be measured.
    pub(super) fn has(&self, part: Part) -> bool {
        let by_default = match part {
            Part::FanOut | Part::Publish => true,
            Part::Stored => !self.stored.is_empty(),
            Part::Idle | Part::Start | Part::Resume => self.server.server.is_none(),
        };
        if self.only.is_empty() { by_default } else { self.only.contains(&part) }
    }

    /// The length of a measured round.
    pub(super) const fn round(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
