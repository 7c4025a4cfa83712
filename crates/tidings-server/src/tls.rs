//! TLS on the listeners: the certificate, its renewal while the server runs, and the first moments of a connection.
//!
//! Owns: reading and judging the two files ([`files`]), what new handshakes take ([`Tls`]), the handshake and what a
//! client that speaks plain HTTP is told ([`handshake`]), and the socket with TLS above it ([`socket`]). Leaves out: what
//! is said over it, which is the same as over TCP, and catching signals.
//!
//! Invariants: there is always a certificate with its key, since new ones take the place of the old only once they have
//! been read whole and found good; a connection keeps the one with which it began.

pub mod files;
pub mod handshake;
pub mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;

use crate::config::TlsFiles;
use files::{Digest, Look, TlsFault};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What new handshakes take.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Arc<ServerConfig>>,
    /// The files as they were when they were last taken or refused: neither is done twice, nor said twice.
    judged: Mutex<Digest>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsFault> {
        let look = Look::at(&files);
        let judged = look.digest();
        let config = look.config(&files)?;
        if let Some(warning) = files::readable_by_others(&files) {
            tracing::warn!("{warning}");
        }
        Ok(Arc::new(Self { files, current: Mutex::new(config), judged: Mutex::new(judged) }))
    }

    /// What a handshake that begins now takes.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.lock().clone()
    }

    /// Reads the files again, at once. What is wrong with them goes to the log, and what was there stays.
    pub async fn reload(&self) {
        match self.look().await {
            Ok(look) => self.judge(look),
            Err(error) => {
                tracing::error!(%error, "the TLS files cannot be looked at; the old certificate stays")
            }
        }
    }

    /// Looks at the files every few seconds and takes what has changed. Does not end.
    ///
    /// Certificate and key are two files, written one after the other: they are taken once they have stayed the same from
    /// one look to the next.
    pub async fn watch(&self) {
        let mut unsettled = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Ok(look) = self.look().await else { continue };
            let digest = look.digest();
            if digest == *self.judged.lock() {
                unsettled = None;
            } else if unsettled.replace(digest) == Some(digest) {
                unsettled = None;
                self.judge(look);
            }
        }
    }

    async fn look(&self) -> io::Result<Look> {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || Look::at(&files)).await.map_err(io::Error::other)
    }

    fn judge(&self, look: Look) {
        *self.judged.lock() = look.digest();
        match look.config(&self.files) {
            Ok(config) => {
                *self.current.lock() = config;
                let cert = self.files.cert.display();
                tracing::info!(%cert, "new connections are shown the certificate as it is now");
            }
            Err(error) => tracing::error!(%error, "the TLS files have changed; the old certificate stays"),
        }
    }
}

#[cfg(test)]
mod tests;
