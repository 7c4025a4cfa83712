//! What all requests share: the core, storage, credentials, limits and counts of one server.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::feed::Frame;
use tidings_core::hub::Hub;
use tidings_core::pages::Pages;
use tidings_core::port::directory::ApiKey;
use tidings_core::port::users::UserId;
use tidings_core::port::{AuditLog, Directory, Store, Users};
use tidings_core::principal::Credential;
use tidings_core::session::SessionConfig;
use tidings_protocol::control::Control;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{EndReason, Retry};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Revocations;
use crate::audit::Audit;
use crate::auth::password::Verifiers;
use crate::auth::{Authenticator, Ended};
use crate::clock::{Clocks, wall_time};
use crate::config::Config;
use crate::jwt::Verifier;
use crate::metrics::Metrics;
use crate::module::Module;
use crate::rate::ConnectGates;
use crate::stream::registry::Registry;
use crate::tickets::Tickets;

/// The adapters and the core that the edge stands on.
pub struct Parts {
    /// Changes.
    pub store: Arc<dyn Store>,
    /// Tenants, keys and webhooks.
    pub directory: Arc<dyn Directory>,
    /// Users and their cookie sessions.
    pub users: Arc<dyn Users>,
    /// Where the audit log is written.
    pub audit: Arc<dyn AuditLog>,
    /// Who verifies tokens.
    pub tokens: Verifier,
    /// The apps that are served.
    pub modules: Vec<Arc<dyn Module>>,
    /// Who is told.
    pub hub: Arc<Hub>,
    /// Reading.
    pub pages: Arc<Pages>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// One server's shared state.
pub struct App {
    /// What the operator decided.
    pub config: Config,
    /// Changes.
    pub store: Arc<dyn Store>,
    /// Who is told.
    pub hub: Arc<Hub>,
    /// Reading.
    pub pages: Arc<Pages>,
    /// Credentials.
    pub auth: Authenticator,
    /// Passwords that are being verified.
    pub passwords: Verifiers,
    /// What happens, for the audit log.
    pub audit: Arc<Audit>,
    /// Where it is written.
    pub audit_log: Arc<dyn AuditLog>,
    /// The apps that are served.
    pub modules: Vec<Arc<dyn Module>>,
    /// Tickets.
    pub tickets: Tickets,
    /// Open streams.
    pub registry: Arc<Registry>,
    /// How often streams may be opened.
    pub gates: ConnectGates,
    /// Counts.
    pub metrics: Metrics,
    /// Time.
    pub clocks: Clocks,
    /// Cancelled when the server begins to leave.
    pub draining: CancellationToken,
    /// Streams and connections, waited for when leaving.
    pub tasks: TaskTracker,
    /// Sessions of streams.
    pub stream_session: Arc<SessionConfig>,
    /// Sessions of polls and history.
    pub poll_session: Arc<SessionConfig>,
    /// The description of the HTTP interface, once it was asked for.
    pub openapi: OnceLock<Bytes>,
    /// The description of the streams.
    pub asyncapi: OnceLock<Bytes>,
    /// Bytes that may wait in a mailbox.
    pub mailbox_bytes: usize,
    /// Bytes encoded and not written, past which no more frames are taken.
    pub stream_queue: usize,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Config, parts: Parts) -> Arc<Self> {
        // A connection's share: half for the kernel, the rest for mailbox, session and what is encoded.
        let buffer = config.limits.stream_buffer;
        let stream_session = stream_session(&config, buffer / 8);
        let poll_session = SessionConfig {
            heartbeat: None,
            lifetime: None,
            conflate: false,
            controls: false,
            page_events: config.limits.poll_events.clamp(1, 1_000),
            page_bytes: 256 * 1024,
            ..stream_session.clone()
        };
        Arc::new(Self {
            store: parts.store,
            hub: parts.hub,
            pages: parts.pages,
            auth: Authenticator::new(
                parts.directory,
                parts.users,
                parts.tokens,
                config.auth.user_grants.clone().into(),
            ),
            passwords: Verifiers::default(),
            audit: Arc::new(Audit::new(&config.audit)),
            audit_log: parts.audit,
            modules: parts.modules,
            tickets: Tickets::default(),
            registry: Arc::default(),
            gates: ConnectGates::new(&config.limits),
            metrics: Metrics::new(),
            clocks: Clocks::start(),
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            stream_session: Arc::new(stream_session),
            poll_session: Arc::new(poll_session),
            openapi: OnceLock::new(),
            asyncapi: OnceLock::new(),
            mailbox_bytes: buffer / 4,
            stream_queue: buffer / 8,
            config,
        })
    }

    /// How long until a wall-clock time.
    #[must_use]
    pub fn time_left(&self, at: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(at.0 - wall_time().0).unwrap_or(0))
    }

    /// How long clients are to wait before they come back, spread so that they do not come at once.
    #[must_use]
    pub fn spread(&self, streams: usize) -> Duration {
        // A thousand a second, over at most half a minute, and not before the next server has had a moment to start.
        let span = (streams as u64).clamp(1_000, 30_000);
        Duration::from_millis(rand::random_range(100..=100 + span))
    }

    /// Says in an `$end` that has no time yet when its client is to come back, so that those who end together do not come
    /// together.
    pub fn say_when(&self, frame: &mut Frame) {
        if let Frame::Control(control, _) = frame
            && let Control::End { reason, after } = &mut **control
            && reason.retry() == Retry::Later
            && after.is_none()
        {
            *after = Some(self.spread(self.registry.len()));
        }
    }

    /// Begins to leave: no new work, every stream is told to come back later.
    pub fn drain(&self) {
        self.draining.cancel();
        let streams = self.registry.len();
        self.registry.end_all(EndReason::ServerShutdown, || Some(self.spread(streams)));
        self.tasks.close();
    }
}

fn stream_session(config: &Config, page_bytes: usize) -> SessionConfig {
    let some = |duration: Duration| (!duration.is_zero()).then_some(duration);
    SessionConfig {
        heartbeat: some(config.stream.heartbeat),
        lifetime: some(config.stream.lifetime),
        write_timeout: config.stream.write_timeout,
        max_channels: match config.limits.channels_per_session {
            0 => usize::MAX,
            limit => limit,
        },
        page_bytes: page_bytes.max(1),
        ..SessionConfig::default()
    }
}

impl App {
    /// A credential or user has ended: what was opened with it ends now.
    pub fn end(&self, ended: &Ended, reason: EndReason) {
        self.auth.forget(ended.clone());
        self.tickets.void(ended);
        self.registry.end_of(ended, reason);
    }
}

impl Revocations for App {
    fn key_revoked(&self, id: &str) {
        self.end(&Ended::Credential(Credential::Key(id.into())), EndReason::Revoked);
    }

    fn key_regranted(&self, key: &ApiKey) {
        let principal = self.auth.regrant(key);
        self.tickets.regrant(&principal);
        self.registry.regrant(&principal);
    }

    fn user_disabled(&self, user: &UserId) {
        self.end(&Ended::User(user.clone()), EndReason::Revoked);
    }

    fn cookie_session_ended(&self, id: &str) {
        self.end(&Ended::Credential(Credential::CookieSession(id.into())), EndReason::SignedOut);
    }
}
