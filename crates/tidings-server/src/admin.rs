//! Administration of a running server: who exists, changed by whoever may write to the data directory.
//!
//! Owns: what can be asked ([`request`]), how it is carried out ([`Admin`]), how keys are drawn ([`secret`]), what an
//! email looks like ([`email`]), what changes have to agree with ([`Configured`]), and the socket in the data directory ([`socket`]). Leaves out: command lines and their
//! output, and the directory's lock, which whoever binds the socket holds.
//!
//! Invariants: a secret that is drawn here leaves this module once, in the answer to its making; a change is durable,
//! and stands in the audit log, before it is answered; what has ended is told to whoever has it open before the answer
//! goes out.

mod audit;
mod configured;
pub mod email;
mod keys;
pub mod request;
pub mod secret;
pub mod socket;
mod tenants;
mod users;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tidings_core::port::directory::{ApiKey, DirectoryError};
use tidings_core::port::users::UserId;
use tidings_core::port::{AuditLog, Clock, Directory, Users};
use tidings_protocol::time::Timestamp;

use request::{Request, Status};

pub use audit::PAGE_ROWS;
pub use configured::Configured;
pub use keys::{GRANTS, NAME_BYTES};

/// Ends what has lost its right.
pub trait Revocations: Send + Sync {
    /// The key with this id works no longer: its streams end now, with `revoked`.
    fn key_revoked(&self, id: &str);

    /// The service key has these grants now: its streams keep what they take in.
    fn key_regranted(&self, key: &ApiKey);

    /// The user may not sign in any more, nor use what it has: its streams end now, with `revoked`.
    fn user_disabled(&self, user: &UserId);

    /// The cookie session with this id has ended, since its user was given another password: its streams end now, with
    /// `signed_out`.
    fn cookie_session_ended(&self, id: &str);
}

/// For a directory that no server serves from: nothing is open.
#[derive(Debug, Clone, Copy)]
pub struct NothingOpen;

impl Revocations for NothingOpen {
    fn key_revoked(&self, _id: &str) {}

    fn key_regranted(&self, _key: &ApiKey) {}

    fn user_disabled(&self, _user: &UserId) {}

    fn cookie_session_ended(&self, _id: &str) {}
}

/// Why a request was not carried out. The texts say what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdminError {
    /// The request itself.
    #[error("{0}")]
    Invalid(String),
    /// The name is in use.
    #[error("{0}")]
    Taken(String),
    /// There is no such tenant, user, key or webhook.
    #[error("{0}")]
    Missing(String),
    /// Storage, or the system's source of randomness.
    #[error("{0}")]
    Failed(String),
}

impl AdminError {
    /// The stable word that stands in the answer.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Taken(_) => "taken",
            Self::Missing(_) => "missing",
            Self::Failed(_) => "failed",
        }
    }
}

/// Carries requests out.
pub struct Admin {
    directory: Arc<dyn Directory>,
    users: Arc<dyn Users>,
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    revocations: Arc<dyn Revocations>,
    started_at: Timestamp,
    listen: Vec<SocketAddr>,
    configured: Configured,
    /// Held by changes that read first.
    changing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

impl Admin {
    /// Over this store, started now.
    #[must_use]
    pub fn new<S: Directory + Users + AuditLog>(
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        revocations: Arc<dyn Revocations>,
    ) -> Self {
        let started_at = clock.now();
        Self {
            directory: Arc::clone(&store) as _,
            users: Arc::clone(&store) as _,
            audit: store,
            clock,
            revocations,
            started_at,
            listen: Vec::new(),
            configured: Configured::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// The same, of a server that listens at these addresses.
    #[must_use]
    pub fn listening(self, listen: Vec<SocketAddr>) -> Self {
        Self { listen, ..self }
    }

    /// The same, where this much is known of the configuration.
    #[must_use]
    pub fn configured(self, configured: Configured) -> Self {
        Self { configured, ..self }
    }

    /// Carries one request out.
    ///
    /// # Errors
    /// [`AdminError`]; nothing was changed then, unless it is [`AdminError::Failed`].
    pub async fn carry_out(&self, request: Request) -> Result<Value, AdminError> {
        match request {
            Request::TenantAdd { tenant } => to_value(&self.add_tenant(&tenant).await?),
            Request::TenantList {} => to_value(&self.tenants().await?),
            Request::UserAdd(user) => to_value(&self.add_user(user).await?),
            Request::UserList { tenant } => to_value(&self.users(tenant.as_deref()).await?),
            Request::UserDisable { user, tenant } => {
                to_value(&self.disable_user(&user, tenant.as_deref()).await?)
            }
            Request::UserPassword { user, password } => to_value(&self.set_password(&user, password).await?),
            Request::KeyCreate(key) => to_value(&self.create_key(key).await?),
            Request::KeyList { tenant } => to_value(&self.keys(tenant.as_deref()).await?),
            Request::KeyGrant { id, grants } => to_value(&self.grant(&id, &grants).await?),
            Request::KeyUngrant { id, grants } => to_value(&self.ungrant(&id, &grants).await?),
            Request::KeyRevoke { id } => to_value(&self.revoke_key(&id).await?),
            Request::WebhookAdd(webhook) => to_value(&self.add_webhook(webhook).await?),
            Request::WebhookList { tenant } => to_value(&self.webhooks(tenant.as_deref()).await?),
            Request::WebhookRemove { id } => to_value(&self.remove_webhook(&id).await?),
            Request::AuditRead(query) => to_value(&self.read_audit(query).await?),
            Request::Status {} => to_value(&self.status().await?),
        }
    }

    async fn status(&self) -> Result<Status, AdminError> {
        let tenants = self.directory.tenants().await.map_err(|error| failed(&error))?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at.to_string(),
            listen: self.listen.clone(),
            tenants: tenants.len(),
        })
    }
}

fn to_value(answer: &impl Serialize) -> Result<Value, AdminError> {
    serde_json::to_value(answer).map_err(|error| AdminError::Failed(error.to_string()))
}

/// What storage, or the system, could not do.
fn failed(error: &dyn std::fmt::Display) -> AdminError {
    AdminError::Failed(error.to_string())
}

/// Why nothing was found or changed, where `missing` says what it means that something is not there.
fn refused(error: &DirectoryError, missing: impl FnOnce() -> AdminError) -> AdminError {
    match error {
        DirectoryError::Missing => missing(),
        other => failed(other),
    }
}

#[cfg(test)]
mod tests;
