//! `tidings serve`: the server, put together, run, and left.

mod lock;
mod signals;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::json;
use tidings_core::Hub;
use tidings_core::hub::HubLimits;
use tidings_core::pages::{PageLimits, Pages};
use tidings_server::admin::socket::AdminSocket;
use tidings_server::admin::{Admin, NothingOpen};
use tidings_server::{Parts, Server};
use tidings_sqlite::SqliteStore;

use crate::cli::{LocalArgs, faulty};
use crate::config::{self, Flags, Settings, Sources};
use crate::failure::Failure;
use crate::output::Output;
use crate::parts::Relay;
use crate::{demo, logging, open_files, parts};
use signals::Signals;

/// After leaving, whatever still runs gets so long.
const GRACE: Duration = Duration::from_secs(1);

/// How a server is started.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    local: LocalArgs,
    /// Address to listen on; repeatable [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Draw a demo key and publish demo events, to have something to look at; on loopback only
    #[arg(long)]
    demo: bool,
}

/// Serves until a signal says to stop.
///
/// # Errors
/// The server could not be started.
pub(crate) fn run(args: &Args, sources: &dyn Sources, output: Output) -> Result<(), Failure> {
    let flags = Flags { listen: args.listen.clone(), demo: args.demo, ..args.local.flags() };
    let loaded = config::load(&flags, sources).map_err(|faults| faulty(&faults))?;
    logging::start(sources)?;
    loaded.notes.iter().for_each(|note| tracing::warn!("{note}"));
    let open_files = open_files::raise().now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tidings").build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(serve(&loaded.settings, open_files, output));
    runtime.shutdown_timeout(GRACE);
    outcome
}

async fn serve(settings: &Settings, open_files: usize, output: Output) -> Result<(), Failure> {
    let directory = settings.data_dir.as_path();
    let signals = Signals::listen()?;
    parts::make_directory(directory)?;
    let lock = lock::take(directory).await?;
    let relay = Arc::new(Relay::default());
    let store = parts::open_store(settings, Arc::clone(&relay) as _)?;
    let outcome = with_store(settings, &store, &relay, open_files, signals, output).await;
    // Closing waits for the writer's last commit; no more comes.
    let closing = Arc::clone(&store);
    let closed = tokio::task::spawn_blocking(move || closing.close()).await;
    drop(lock);
    closed.map_err(|error| Failure::new(format!("closing the database failed: {error}")))?;
    outcome
}

async fn with_store(
    settings: &Settings,
    store: &Arc<SqliteStore>,
    relay: &Relay,
    open_files: usize,
    signals: Signals,
    output: Output,
) -> Result<(), Failure> {
    let directory = settings.data_dir.as_path();
    let demo_key = prepare_demo(settings, store).await?;
    let server = Server::bind(settings.server.clone(), edge_parts(store, relay), open_files)
        .map_err(|error| cannot_listen(&error))?;
    let admin =
        Admin::new(Arc::clone(store) as _, parts::clock(), server.app()).listening(server.addresses());
    let socket = AdminSocket::bind(directory).map_err(|error| {
        Failure::new(format!("cannot make the admin socket in {}: {error}", directory.display()))
    })?;
    let administering = tokio::spawn(socket.serve(Arc::new(admin)));
    tell_ready(&server.addresses(), directory, demo_key.as_deref(), output);
    server.run(signals.first()).await;
    administering.abort();
    // Waited for, so that the socket's file is gone before the lock is.
    let _ = administering.await;
    Ok(())
}

fn edge_parts(store: &Arc<SqliteStore>, relay: &Relay) -> Parts {
    let hub = Hub::new(Arc::clone(store) as _, HubLimits::default());
    relay.connect(&hub);
    let pages = Pages::new(Arc::clone(store) as _, PageLimits::default());
    Parts { store: Arc::clone(store) as _, directory: Arc::clone(store) as _, hub, pages }
}

async fn prepare_demo(settings: &Settings, store: &Arc<SqliteStore>) -> Result<Option<PathBuf>, Failure> {
    if !settings.demo {
        return Ok(None);
    }
    // Nothing is open yet that revoking the earlier key would have to end.
    let admin = Admin::new(Arc::clone(store) as _, parts::clock(), Arc::new(NothingOpen));
    demo::prepare(&admin, &**store, &settings.data_dir).await.map(Some)
}

fn cannot_listen(error: &std::io::Error) -> Failure {
    let advice = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program has it: stop that one, or name another by --listen"
        }
        std::io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a right of their own: take a larger one"
        }
        _ => "",
    };
    Failure::new(format!("{error}{advice}"))
}

/// Says on stdout that requests are taken, and where. That nobody reads it is no reason to stop.
fn tell_ready(addresses: &[SocketAddr], directory: &Path, demo_key: Option<&Path>, output: Output) {
    let version = env!("CARGO_PKG_VERSION");
    let ready = json!({
        "ready": true,
        "version": version,
        "pid": std::process::id(),
        "listen": addresses,
        "dataDir": directory,
        "demoKey": demo_key,
    });
    let words = |_: &serde_json::Value| {
        let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        let ready =
            format!("tidings {version} is ready on {}, data in {}", urls.join(", "), directory.display());
        match (demo_key, addresses.first()) {
            (Some(key), Some(address)) => format!("{ready}\n\n{}", demo::lines(key, *address)),
            _ => ready,
        }
    };
    if let Err(error) = output.data(&ready, words) {
        tracing::debug!(%error, "nobody reads what the server says");
    }
    tracing::info!(version, listen = ?addresses, data_dir = %directory.display(), "ready");
}
