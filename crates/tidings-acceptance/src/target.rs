//! Where a client goes and what it shows there.

use std::net::SocketAddr;
use std::sync::Arc;

/// A server's address and a key for it. Stays good over restarts.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The text of an API key or token, or a session's cookie, `tidings_session=…`.
    pub key: Arc<str>,
}

impl Target {
    /// A server and a key.
    #[must_use]
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self { address, key: key.into() }
    }

    /// The header line that shows the credential, without its CRLF.
    #[must_use]
    pub fn credential(&self) -> String {
        if self.key.starts_with("tidings_session=") {
            format!("cookie: {}", self.key)
        } else {
            format!("authorization: Bearer {}", self.key)
        }
    }

    /// The same key at another address, a proxy's.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, key: self.key.clone() }
    }
}
