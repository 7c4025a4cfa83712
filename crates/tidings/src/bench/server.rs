//! The server that is measured: one of the benchmark's own, or one that runs already.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tidings_server::admin::request::{CreatedKey, KeyCreate, Request};
use tidings_server::clock::Clocks;

use super::child::Child;
use super::dial::Dial;
use super::process::Cores;
use super::workspace::Workspace;
use crate::client::target::Target;
use crate::config::Settings;
use crate::failure::Failure;

/// What the server says when it is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    listen: Vec<SocketAddr>,
}

/// How a server of the benchmark's own is set: as by default, but for limits that a load driver is meant to pass.
const VARIABLES: [(&str, &str); 3] = [
    ("TIDINGS_LIMITS__STREAMS_PER_KEY", "0"),
    ("TIDINGS_LIMITS__CONNECTS_PER_MINUTE__API_KEY", "0"),
    ("TIDINGS_LOG", "warn"),
];

/// A server of the benchmark's own, with a data directory that lives as long.
#[derive(Debug)]
pub(super) struct OwnServer {
    child: Child,
    /// From its start to when it said that it was ready.
    pub(super) ready_after: Duration,
    /// Where it listens.
    pub(super) target: Target,
    /// Its data directory.
    pub(super) workspace: Workspace,
    cores: Option<Cores>,
}

impl OwnServer {
    /// Makes a data directory and a key, and starts the server there.
    ///
    /// # Errors
    /// What did not work.
    pub(super) fn start(workspace: Workspace, cores: Option<Cores>) -> Result<Self, Failure> {
        let key = make_key(&workspace)?;
        let (child, ready_after, address) = start(&workspace, cores, "127.0.0.1:0")?;
        let target = Target {
            host: address.ip().to_string(),
            port: address.port(),
            authority: address.to_string(),
            prefix: String::new(),
            key,
            trust: None,
        };
        Ok(Self { child, ready_after, target, workspace, cores })
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends the server as `end` does and starts it again on the same data and at the same address.
    ///
    /// # Errors
    /// What did not work.
    pub(super) fn restart(self, end: fn(Child)) -> Result<Self, Failure> {
        let Self { child, target, workspace, cores, .. } = self;
        end(child);
        let (child, ready_after, _) = start(&workspace, cores, &target.authority)?;
        Ok(Self { child, ready_after, target, workspace, cores })
    }

    /// How to connect to it.
    ///
    /// # Errors
    /// The address is none.
    pub(super) fn dial(&self) -> Result<Dial, Failure> {
        Dial::find(&self.target.host, self.target.port)
    }
}

fn start(
    workspace: &Workspace,
    cores: Option<Cores>,
    listen: &str,
) -> Result<(Child, Duration, SocketAddr), Failure> {
    let directory = workspace.path().to_string_lossy();
    let arguments = ["--json", "serve", "--data-dir", &directory, "--listen", listen];
    let clock = Clocks::start();
    let (child, line) = Child::start(cores, &arguments, &VARIABLES)?;
    let took = clock.now();
    let ready: Ready = serde_json::from_str(&line)
        .map_err(|error| Failure::new(format!("the server's first line: {error}")))?;
    let address = ready.listen.first().ok_or_else(|| Failure::new("the server listens nowhere"))?;
    Ok((child, took, *address))
}

/// A key that may do what the benchmark does.
fn make_key(workspace: &Workspace) -> Result<String, Failure> {
    let settings = Settings { data_dir: workspace.path().to_owned(), ..Settings::default() };
    let grants = ["publish:*", "subscribe:*"].map(str::to_owned).to_vec();
    let key = KeyCreate { name: "bench".to_owned(), grants, ..KeyCreate::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let made: CreatedKey = runtime.block_on(crate::local::ask(&settings, Request::KeyCreate(key)))?;
    Ok(made.key)
}
