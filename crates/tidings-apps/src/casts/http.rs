//! The routes of casts, and what the server asks of them.
//!
//! Owns: who may do what with a cast over HTTP, and how its streams begin. Leaves out: what comes of a request
//! ([`mod@super::decide`]) and how streams run (the server).
//!
//! Invariants: a decision sees the record inside the transaction that writes it; a stream's state and what follows it
//! are one, by the cursor of the snapshot; a cast of another tenant is as unknown as none.

mod access;
mod describe;
mod list;
mod records;
mod several;
mod shared;
mod stream;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::routing::{get, post};
use tidings_core::Principal;
use tidings_core::port::PortFuture;
use tidings_core::session::SessionConfig;
use tidings_protocol::Pattern;
use tidings_server::App;
use tidings_server::module::{Claim, Description, Module};
use tidings_server::problem::Answer;
use tokio::sync::Semaphore;

use super::id::Territory;

/// What the operator decided about casts.
#[derive(Debug, Clone)]
pub struct CastsConfig {
    /// `stream.casts_lifetime`: the longest life of a stream under `/api/casts`; zero for no end.
    pub lifetime: Duration,
    /// `webhooks.github.secret`: a secret of GitHub's webhooks for the tenant `default`, besides those that are stored.
    pub github_secret: Option<String>,
}

/// The app.
pub struct Casts {
    config: CastsConfig,
}

impl std::fmt::Debug for Casts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Casts").field("lifetime", &self.config.lifetime).finish_non_exhaustive()
    }
}

/// What the handlers share besides the server's own.
#[derive(Debug, Clone)]
struct Shared {
    /// Sessions of the casts' streams: as the server's, with a lifetime of their own.
    session: Arc<SessionConfig>,
    github_secret: Option<Arc<str>>,
    /// Places for deliveries that are being read.
    deliveries: Arc<Semaphore>,
}

impl Casts {
    /// Casts as the operator wants them.
    #[must_use]
    pub fn new(config: CastsConfig) -> Arc<Self> {
        Arc::new(Self { config })
    }
}

impl Module for Casts {
    fn name(&self) -> &'static str {
        "casts"
    }

    fn routes(&self, app: &Arc<App>) -> Router {
        let lifetime = Some(self.config.lifetime).filter(|lifetime| !lifetime.is_zero());
        let session = Arc::new(SessionConfig { lifetime, ..(*app.stream_session).clone() });
        let github_secret = self.config.github_secret.as_deref().map(Into::into);
        let deliveries = Arc::new(Semaphore::new(webhook::AT_ONCE));
        Router::new()
            .route("/api/casts", get(list::list).post(records::create))
            .route("/api/casts/events", get(several::events))
            .route("/api/casts/{id}", get(records::read).patch(records::change))
            .route("/api/casts/{id}/cancel", post(records::cancel))
            .route("/api/casts/{id}/events", get(stream::events).post(records::tell))
            .route("/api/webhooks/github", post(webhook::deliver))
            .layer(Extension(Shared { session, github_secret, deliveries }))
            .with_state(app.clone())
    }

    fn claims(&self, pattern: &Pattern) -> Claim {
        match Territory::of(pattern) {
            None => Claim::Nothing,
            Some(Territory::Cast(_) | Territory::OfUser(_)) => Claim::All,
            Some(Territory::Wide) if is_within_casts(pattern) => Claim::All,
            Some(Territory::Wide) => Claim::Some,
        }
    }

    fn may_read<'a>(
        &'a self,
        app: &'a App,
        principal: &'a Principal,
        pattern: &'a Pattern,
    ) -> PortFuture<'a, Answer<bool>> {
        Box::pin(access::may_read_channel(app, principal, pattern))
    }

    fn describe(&self) -> Description {
        describe::description()
    }
}

/// Whether the pattern takes in casts' channels alone.
fn is_within_casts(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Exact(name) => name.as_str().starts_with("cast:"),
        Pattern::Prefix(prefix) => prefix.starts_with("cast:"),
        Pattern::All => false,
    }
}
