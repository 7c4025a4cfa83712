//! A server as a process of its own: started, killed, stopped and started again on the same directory and address.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::target::Target;
use crate::wait::{until, within};
use crate::{binary, http, report};

/// How long a start may take before it counts as failed.
const START: Duration = Duration::from_secs(20);
/// How much of the server's own words is shown when a test fails.
const SHOWN_BYTES: usize = 6_000;
/// Open files that a thousand clients and more need, in the test and in the server.
const OPEN_FILES: u64 = 20_000;
/// Below the ports that the system gives to clients: none of them can take the address of a server that is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What a server is started with, besides directory and address.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    variables: Vec<(String, String)>,
}

impl ServerOptions {
    /// Nothing but what every test needs: no limit on how many connections one key opens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
            .set("limits.connects_per_minute.api_key", "0")
            .set("limits.connects_per_minute.anonymous", "0")
    }

    /// Without limits on how often somebody signs in and opens streams, and on how many: for tests that ask much.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new()
            .set("limits.connects_per_minute.session", "0")
            .set("limits.logins_per_minute", "0")
            .set("limits.streams_per_user", "0")
            .set("limits.tickets", "100000")
    }

    /// Sets a configuration key, by its dotted name.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        let name = format!("TIDINGS_{}", key.replace('.', "__").to_uppercase());
        self.variable(&name, value)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A server: its directory, its address, and its process while there is one. Dropping it kills the process and removes
/// the directory; after a failed test it shows what the process said.
#[derive(Debug)]
pub struct Server {
    /// Its configuration; a change counts from the next start.
    pub options: ServerOptions,
    address: SocketAddr,
    child: Option<Child>,
    starts: usize,
    home: TempDir,
}

impl Server {
    /// A server that is not started, in a new directory at a free address.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn prepare(options: ServerOptions) -> Self {
        raise_open_files();
        let home = tempfile::Builder::new().prefix("tidings-").tempdir().expect("a temporary directory");
        Self { options, address: free_address(), child: None, starts: 0, home }
    }

    /// A server that runs, in a new directory.
    pub async fn start(options: ServerOptions) -> Self {
        let mut server = Self::prepare(options);
        server.run().await;
        server
    }

    /// Its data directory. What else is beside it is the harness's.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place for a test's own files, outside the data directory, that goes with the server.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.home.path()
    }

    /// The id of the process that runs.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("a process")
    }

    /// The same address for every start.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the process and waits until it serves.
    ///
    /// # Panics
    /// If it ends instead, or says nothing in time.
    pub async fn run(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Starts the process and does not wait.
    ///
    /// # Panics
    /// If one runs already, or the binary cannot be started.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        self.starts += 1;
        let mut command = self.command();
        command
            .arg("serve")
            .arg("--listen")
            .arg(self.address.to_string())
            .arg("--data-dir")
            .arg(self.data_dir());
        let file = |what| File::create(self.output(what)).expect("a file for the server's words");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr")).kill_on_drop(true);
        self.child = Some(command.spawn().expect("the server's process"));
    }

    /// Waits until the process serves.
    ///
    /// # Panics
    /// If it ends instead, or says nothing in time.
    pub async fn ready(&mut self) {
        let target = Target::new(self.address, "");
        let child = self.child.as_mut().expect("a process");
        let answers = until(START, "the server to be ready", async || {
            if let Some(status) = child.try_wait().expect("the process's state") {
                return Some(Err(status));
            }
            let answer = http::ask(&target, "GET", "/readyz", None).await.ok()?;
            (answer.status() == 200).then_some(Ok(()))
        })
        .await;
        if let Err(status) = answers {
            self.child = None;
            panic!("the server ended at its start: {status}\n{}", self.words());
        }
    }

    /// Kills the process as a crash would, and waits until it is gone.
    ///
    /// # Panics
    /// If there is none.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("a process to kill");
        child.kill().await.expect("the process can be killed");
    }

    /// Asks the process to leave, as a service manager does.
    ///
    /// # Panics
    /// If there is none.
    pub fn terminate(&self) {
        let id = self.child.as_ref().and_then(Child::id).expect("a process to end");
        let id = Pid::from_raw(i32::try_from(id).expect("a process id"));
        kill(id, Signal::SIGTERM).expect("the process can be signalled");
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Panics
    /// If there is none, or it has not ended in time.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("a process that ends");
        let status = within(limit, "the server to end", child.wait()).await.expect("the process's state");
        self.child = None;
        status
    }

    /// Asks it to leave and waits until it has.
    ///
    /// # Panics
    /// If it does not within half a minute, or ends with an error.
    pub async fn stop(&mut self) {
        self.terminate();
        let status = self.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "the server ended with {status}\n{}", self.words());
    }

    /// Makes an API key by the command line and returns a client's target.
    pub async fn key(&self, name: &str, grants: &[&str]) -> Target {
        let mut arguments = vec!["key", "create", "--name", name];
        arguments.extend(grants.iter().flat_map(|grant| ["--grant", grant]));
        let made = self.json(&arguments).await;
        let key = made["key"].as_str().unwrap_or_else(|| panic!("a key's text: {made}"));
        Target::new(self.address, key)
    }

    /// A target that may publish and subscribe to everything of the tenant `default`.
    pub async fn master(&self) -> Target {
        self.key("master", &["publish:*", "subscribe:*"]).await
    }

    /// Runs a command of the binary on the data directory; its output as JSON.
    ///
    /// # Panics
    /// If the command fails.
    pub async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut command = self.command();
        command.args(arguments).arg("--json").arg("--data-dir").arg(self.data_dir());
        let output = command.stdin(Stdio::null()).output().await.expect("the command runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}\n{out}{err}", output.status);
        serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Runs a command of the binary on the data directory that is to fail; what it says.
    ///
    /// # Panics
    /// If it succeeds.
    pub async fn fails(&self, arguments: &[&str]) -> String {
        let mut command = self.command();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        let output = command.stdin(Stdio::null()).output().await.expect("the command runs");
        assert!(!output.status.success(), "{arguments:?} was to fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// What the process of the last start has written.
    #[must_use]
    pub fn words(&self) -> String {
        let read = |what| std::fs::read_to_string(self.output(what)).unwrap_or_default();
        let (out, err) = (read("stdout"), read("stderr"));
        let tail = |text: &str| {
            let start = text.len().saturating_sub(SHOWN_BYTES);
            text.get(start..).unwrap_or(text).to_owned()
        };
        format!("--- stdout of start {}\n{}\n--- stderr\n{}", self.starts, tail(&out), tail(&err))
    }

    fn output(&self, what: &str) -> PathBuf {
        self.home.path().join(format!("{what}.{}", self.starts))
    }

    /// The binary without whatever is set for a server or client of the caller's own.
    fn command(&self) -> Command {
        let mut command = Command::new(binary::path());
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        command.envs(self.options.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() && self.starts > 0 {
            report(self.words());
        }
    }
}

/// Nobody listens there now, and no client's socket will be given the port.
fn free_address() -> SocketAddr {
    let candidates =
        std::iter::repeat_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(PORTS))));
    let mut free = candidates.take(1_000).filter(|address| TcpListener::bind(address).is_ok());
    free.next().expect("a free port")
}

fn raise_open_files() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < OPEN_FILES {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES.min(hard), hard);
    }
}
