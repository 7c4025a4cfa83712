//! Signals: the first that ends says to leave, the second to leave now; SIGHUP to read the certificate again.

use std::sync::Arc;

use tidings_server::tls::Tls;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// SIGTERM and SIGINT, caught from when this is made.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for the first signal. The second ends the process at once: what was answered is on disk.
    pub(super) async fn first(mut self) {
        let name = self.next().await;
        tracing::info!(signal = name, "leaving; a second signal ends the process at once");
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "ending at once");
            std::process::exit(1);
        });
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn catch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(format!("cannot catch signals: {error}")))
}

/// From now on SIGHUP makes the server read its certificate again, as other servers do. Without TLS it ends the process,
/// as it does where nobody catches it.
///
/// # Errors
/// The system refuses.
pub(super) fn reload_on_hangup(tls: Arc<Tls>) -> Result<JoinHandle<()>, Failure> {
    let mut hangups = catch(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            tls.reload().await;
        }
    }))
}
