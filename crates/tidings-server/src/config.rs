//! What the operator decided, typed and checked: the edge takes it as it is.
//!
//! Reading files, variables and flags is the binary's part; the defaults stand here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidings_core::port::directory::Grant;

use crate::jwt::IssuerConfig;

/// All that the edge needs to know. Zero means no limit wherever a limit may be off.
#[derive(Debug, Clone)]
pub struct Config {
    /// `listen`: where to accept connections; at least one.
    pub listen: Vec<SocketAddr>,
    /// `public_url`: the origin under which browsers reach the server, e.g. `https://live.example.org`.
    pub public_url: Option<String>,
    /// `cors.origins`: other origins whose pages may use the server, compared exactly.
    pub cors_origins: Vec<String>,
    /// `behind_proxy`: whether a proxy in front ends TLS and names the client's address.
    pub behind_proxy: bool,
    /// `tls.*`: where every listener speaks TLS, what it shows.
    pub tls: Option<TlsFiles>,
    /// `auth.*`.
    pub auth: AuthConfig,
    /// `audit.*`.
    pub audit: AuditConfig,
    /// `auth.issuers`: whose tokens are believed.
    pub issuers: Vec<IssuerConfig>,
    /// `limits.*`.
    pub limits: Limits,
    /// `stream.*`.
    pub stream: StreamConfig,
    /// `drain.timeout`: leaving takes at most so long.
    pub drain_timeout: Duration,
}

/// How users sign in, and what they may do.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// `auth.session_lifetime`: how long a browser stays signed in.
    pub session_lifetime: Duration,
    /// `auth.cookie_same_site`: whether pages of other sites may use the cookie.
    pub cookie_same_site: SameSite,
    /// `auth.user_grants`: what every signed-in user may do besides what the apps allow.
    pub user_grants: Vec<Grant>,
}

/// To which pages' requests a browser adds the cookie (RFC 6265bis, 4.1.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Those of the same site.
    #[default]
    Lax,
    /// Those of every site; over TLS alone. The origin check still holds.
    None,
}

/// How the audit log is kept.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// `audit.queue`: rows that wait to be written, past which new streams wait.
    pub queue: usize,
    /// `audit.wait`: how long a new stream waits for room before it is refused.
    pub wait: Duration,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `tls.cert`: the certificate, then those between it and one that clients know.
    pub cert: PathBuf,
    /// `tls.key`: the certificate's key, without a passphrase.
    pub key: PathBuf,
}

/// Bounds on what clients may hold and send.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `limits.streams_per_user`: streams (SSE and WebSocket) a user may have open.
    pub streams_per_user: usize,
    /// `limits.streams_per_key`: streams a service key may have open.
    pub streams_per_key: usize,
    /// `limits.connects_per_minute.anonymous`: streams opened a minute without a valid credential, per address.
    pub connects_anonymous: u32,
    /// `limits.connects_per_minute.session`: streams opened a minute by one signed-in user.
    pub connects_session: u32,
    /// `limits.connects_per_minute.api_key`: streams opened a minute with one key.
    pub connects_api_key: u32,
    /// `limits.logins_per_minute`: passwords tried a minute, per address and per email.
    pub logins_per_minute: u32,
    /// `limits.stream_buffer`: bytes that may wait for one connection, the socket's send buffer counted in.
    pub stream_buffer: usize,
    /// `limits.channels_per_session`: channels and patterns one session may subscribe to.
    pub channels_per_session: usize,
    /// `limits.connections`: connections held at once; zero takes what the open-file limit allows.
    pub connections: usize,
    /// `limits.connections_per_address`: connections held at once by one address.
    pub connections_per_address: usize,
    /// `limits.header_timeout`: the head of a request must have come by then, also the first byte of the next one on
    /// a kept-alive connection.
    pub header_timeout: Duration,
    /// `limits.body_timeout`: the body of a request must have come by then.
    pub body_timeout: Duration,
    /// `limits.header_bytes`: the largest request head.
    pub header_bytes: usize,
    /// `limits.message_bytes`: the largest WebSocket message from a client.
    pub message_bytes: usize,
    /// `limits.tickets`: tickets that are out at once for one principal.
    pub tickets: usize,
    /// `limits.poll_events`: events in one answer of poll and history.
    pub poll_events: usize,
}

/// How streams behave.
#[derive(Debug, Clone)]
pub struct StreamConfig {
    /// `stream.heartbeat`: how often a sign of life is sent.
    pub heartbeat: Duration,
    /// `stream.write_timeout`: a connection that takes no byte for so long is reset.
    pub write_timeout: Duration,
    /// `stream.lifetime`: the longest life of a native stream.
    pub lifetime: Duration,
    /// `stream.pong_timeout`: a WebSocket client that answers no ping for so long is closed.
    pub pong_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            public_url: None,
            cors_origins: Vec::new(),
            behind_proxy: false,
            issuers: Vec::new(),
            tls: None,
            auth: AuthConfig::default(),
            audit: AuditConfig::default(),
            limits: Limits::default(),
            stream: StreamConfig::default(),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            session_lifetime: Duration::from_secs(7 * 24 * 3600),
            cookie_same_site: SameSite::Lax,
            user_grants: Vec::new(),
        }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { queue: 10_000, wait: Duration::from_secs(5) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_per_user: 10,
            streams_per_key: 0,
            connects_anonymous: 20,
            connects_session: 100,
            connects_api_key: 60,
            logins_per_minute: 10,
            stream_buffer: 256 * 1024,
            channels_per_session: 1_000,
            connections: 0,
            connections_per_address: 0,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            header_bytes: 32 * 1024,
            message_bytes: 1024 * 1024,
            tickets: 1_000,
            poll_events: 1_000,
        }
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            lifetime: Duration::ZERO,
            pong_timeout: Duration::from_secs(60),
        }
    }
}
