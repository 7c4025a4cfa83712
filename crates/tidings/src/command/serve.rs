//! `tidings serve`: the server, put together, run, and left.

mod lock;
mod signals;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::json;
use tidings_core::Hub;
use tidings_core::hub::HubLimits;
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::{AuditLog, Directory};
use tidings_server::admin::socket::AdminSocket;
use tidings_server::admin::{Admin, Configured, NothingOpen};
use tidings_server::jwt::Verifier;
use tidings_server::{Parts, Server};
use tidings_sqlite::SqliteStore;
use tokio::task::JoinHandle;

use crate::cli::{LocalArgs, faulty};
use crate::config::{self, Flags, Settings, Sources};
use crate::demo::Demo;
use crate::failure::Failure;
use crate::modules::modules;
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
    /// Make demo users, keys, events and casts, to have something to look at; on loopback only
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
    close_abandoned(store).await?;
    check_webhook_secret(settings, store).await?;
    let demo = prepare_demo(settings, store).await?;
    let server = Server::bind(settings.server.clone(), edge_parts(settings, store, relay)?, open_files)
        .map_err(|error| cannot_listen(&error))?;
    let configured =
        Configured::default().issuers(&settings.server.issuers).github_secret(settings.github_secret.clone());
    let admin = Admin::new(Arc::clone(store), parts::clock(), server.app())
        .listening(server.addresses())
        .configured(configured);
    let socket = AdminSocket::bind(directory).map_err(|error| {
        Failure::new(format!("cannot make the admin socket in {}: {error}", directory.display()))
    })?;
    let administering = tokio::spawn(socket.serve(Arc::new(admin)));
    let reloading = server.tls().map(signals::reload_on_hangup).transpose()?;
    let (addresses, is_secure) = (server.addresses(), server.tls().is_some());
    let welcome = async {
        let demo = match (demo, addresses.first()) {
            (Some(demo), Some(address)) if !is_secure => Some(demo.tell_of_casts(*address).await),
            (demo, _) => demo,
        };
        tell_ready(is_secure, &addresses, directory, demo.as_ref(), output);
    };
    // The demo tells of its casts by the API, so that it has to be served by then.
    tokio::join!(server.run(signals.first()), welcome);
    reloading.inspect(JoinHandle::abort);
    administering.abort();
    // Waited for, so that the socket's file is gone before the lock is.
    let _ = administering.await;
    Ok(())
}

/// One secret in two tenants would not say whose a webhook is.
async fn check_webhook_secret(settings: &Settings, store: &SqliteStore) -> Result<(), Failure> {
    let Some(secret) = &settings.github_secret else { return Ok(()) };
    let known = store.webhooks("github").await;
    let known = known.map_err(|error| Failure::new(format!("cannot read the webhooks: {error}")))?;
    match known.iter().find(|webhook| webhook.secret == *secret && webhook.tenant.as_str() != "default") {
        Some(other) => Err(Failure::usage(format!(
            "webhooks.github.secret is the secret of webhook {} of tenant `{}` too: give each its own",
            other.id, other.tenant
        ))),
        None => Ok(()),
    }
}

/// Streams that a crash cut off get their row in the audit log, before new ones can be opened.
async fn close_abandoned(store: &SqliteStore) -> Result<(), Failure> {
    let closed = store.close_abandoned().await;
    let closed = closed.map_err(|error| Failure::new(format!("cannot write the audit log: {error}")))?;
    if closed > 0 {
        tracing::warn!(streams = closed, "the server before this one ended without closing its streams");
    }
    Ok(())
}

fn edge_parts(settings: &Settings, store: &Arc<SqliteStore>, relay: &Relay) -> Result<Parts, Failure> {
    let tokens = Verifier::new(settings.server.issuers.clone())
        .map_err(|why| Failure::usage(format!("the configuration is wrong\n{why}")))?;
    let hub = Hub::new(Arc::clone(store) as _, HubLimits::default());
    relay.connect(&hub);
    let pages = Pages::new(Arc::clone(store) as _, PageLimits::default());
    Ok(Parts {
        store: Arc::clone(store) as _,
        directory: Arc::clone(store) as _,
        users: Arc::clone(store) as _,
        audit: Arc::clone(store) as _,
        tokens,
        modules: modules(settings),
        hub,
        pages,
    })
}

async fn prepare_demo(settings: &Settings, store: &Arc<SqliteStore>) -> Result<Option<Demo>, Failure> {
    if !settings.demo {
        return Ok(None);
    }
    // Nothing is open yet that voiding the earlier credentials would have to end.
    let admin = Admin::new(Arc::clone(store), parts::clock(), Arc::new(NothingOpen));
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
fn tell_ready(
    is_secure: bool,
    addresses: &[SocketAddr],
    directory: &Path,
    demo: Option<&Demo>,
    output: Output,
) {
    let scheme = if is_secure { "https" } else { "http" };
    let version = env!("CARGO_PKG_VERSION");
    let urls: Vec<String> = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
    let ready = json!({
        "ready": true,
        "version": version,
        "pid": std::process::id(),
        "listen": addresses,
        "urls": urls,
        "dataDir": directory,
        "demoKey": demo.map(Demo::key_file),
        "demo": demo.map(Demo::describe),
    });
    let words = |_: &serde_json::Value| {
        let ready =
            format!("tidings {version} is ready on {}, data in {}", urls.join(", "), directory.display());
        match (demo, urls.first()) {
            (Some(demo), Some(url)) => format!("{ready}\n\n{}", demo.lines(url)),
            _ => ready,
        }
    };
    if let Err(error) = output.data(&ready, words) {
        tracing::debug!(%error, "nobody reads what the server says");
    }
    tracing::info!(version, listen = ?addresses, data_dir = %directory.display(), "ready");
}
