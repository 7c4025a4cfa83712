//! Listening, accepting, and leaving without hurting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{App, Parts};
use crate::clock::Clocks;
use crate::config::Config;
use crate::connection;
use crate::guard::{ConnectionGuard, Slots};
use crate::routes;
use crate::tls::{Tls, handshake};

/// Connections the kernel holds until they are accepted. Less makes clients of a burst wait a second for their next
/// try (TCP's retransmission of the first segment).
const BACKLOG: i32 = 4_096;

/// How long a listener is still accepted from when the server leaves.
const HELD: Duration = Duration::from_millis(20);

/// Files that connections must leave for everything else.
const RESERVED_FILES: usize = 128;

/// How long the last rows of the audit log may take to be written.
const LAST_ROWS: Duration = Duration::from_secs(5);

/// How long the hub waits before it reads again what it could not read.
const REFILL_PAUSE: Duration = Duration::from_millis(200);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    listeners: Vec<TcpListener>,
    slots: Arc<Slots>,
    tls: Option<Arc<Tls>>,
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Server {
    /// Binds every address. Everything that requests need must be ready by now: a connection that is accepted is
    /// served. `open_files` is the process's limit of open files.
    ///
    /// # Errors
    /// Where the certificate cannot be used or an address not be bound; the message names it.
    pub fn bind(config: Config, parts: Parts, open_files: usize) -> io::Result<Self> {
        let room = open_files.saturating_sub(RESERVED_FILES).max(1);
        let connections = match config.limits.connections {
            0 => room,
            limit => limit.min(room),
        };
        let tls = config.tls.clone().map(Tls::load).transpose();
        let tls = tls.map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?;
        let mut listeners = Vec::new();
        for address in &config.listen {
            let listener = listen(*address).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?;
            listeners.push(listener);
        }
        let slots = Slots::new(connections, config.limits.connections_per_address);
        Ok(Self { app: App::new(config, parts), listeners, slots, tls })
    }

    /// Where it listens; with port 0 in the configuration, the port that was chosen.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The certificate, where listeners speak TLS: to read it again.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// The shared state, for the administration socket.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        self.app.clone()
    }

    /// Serves until `shutdown`, then leaves: no more is accepted, streams are told to come back later and when,
    /// requests under way are answered. Done within `drain.timeout`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, listeners, slots, tls } = self;
        let router = routes::router(app.clone());
        let hub = tokio::spawn({
            let hub = app.hub.clone();
            async move { hub.run(|| tokio::time::sleep(REFILL_PAUSE)).await }
        });
        let auditing = tokio::spawn({
            let (audit, log) = (app.audit.clone(), app.audit_log.clone());
            async move { audit.run(log).await }
        });
        let watching = tls.clone().map(|tls| tokio::spawn(async move { tls.watch().await }));
        for listener in listeners {
            app.tasks.spawn(accept(listener, app.clone(), router.clone(), slots.clone(), tls.clone()));
        }
        shutdown.await;
        tracing::info!(streams = app.registry.len(), "leaving: streams are told to come back later");
        let began = Clocks::start();
        app.drain();
        if tokio::time::timeout(app.config.drain_timeout, app.tasks.wait()).await.is_err() {
            tracing::warn!(streams = app.registry.len(), "some connections did not end in time and are cut");
        }
        // The rows of what did not end in time are written by the next start, as after a crash.
        app.audit.close();
        if tokio::time::timeout(LAST_ROWS, auditing).await.is_err() {
            tracing::error!(rows = app.audit.len(), "the audit log could not be written to its end");
        }
        tracing::info!(took = ?began.now(), "left");
        hub.abort();
        watching.inspect(tokio::task::JoinHandle::abort);
    }
}

async fn accept(
    listener: TcpListener,
    app: Arc<App>,
    router: axum::Router,
    slots: Arc<Slots>,
    tls: Option<Arc<Tls>>,
) {
    let accepting = async {
        loop {
            if let Some((stream, peer, guard)) = next(&listener, &app, &slots).await {
                let (shared, router) = (app.clone(), router.clone());
                match tls.clone() {
                    None => app.tasks.spawn(connection::serve(stream, peer, shared, router, guard)),
                    Some(tls) => app.tasks.spawn(handshake::serve(stream, peer, shared, router, guard, tls)),
                };
            }
        }
    };
    tokio::pin!(accepting);
    tokio::select! {
        () = app.draining.cancelled() => {}
        () = &mut accepting => {}
    }
    // Who has connected already is answered: closing the listener would reset what the kernel holds.
    let _ = tokio::time::timeout(HELD, accepting).await;
}

/// Options of every connection. Where one cannot be set the connection is gone, and reading will say so.
fn settle(stream: &TcpStream, user_timeout: Duration) {
    // Small frames are to leave at once; without it they wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    // RFC 5482: unacknowledged bytes end the connection after this.
    let _ = SockRef::from(stream).set_tcp_user_timeout((!user_timeout.is_zero()).then_some(user_timeout));
}

/// The next connection, once there is a slot for it.
async fn next(
    listener: &TcpListener,
    app: &Arc<App>,
    slots: &Arc<Slots>,
) -> Option<(TcpStream, SocketAddr, ConnectionGuard)> {
    let permit = slots.wait().await?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            settle(&stream, app.config.stream.write_timeout);
            slots.enter(app, peer.ip(), permit).map(|guard| (stream, peer, guard))
        }
        Err(error) => {
            // Out of files or memory: nothing is lost by waiting, the kernel holds the connection.
            tracing::warn!(%error, "a connection cannot be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}
