//! Administration of a running server: who exists, changed by whoever may write to the data directory.
//!
//! Owns: what can be asked ([`request`]), how it is carried out ([`Admin`]), how keys are drawn ([`secret`]), and the
//! socket in the data directory ([`socket`]). Leaves out: command lines and their output, and the directory's lock,
//! which whoever binds the socket holds.
//!
//! Invariants: a key's text leaves this module once, in the answer to its making; a change is durable before it is
//! answered; a revoked key's streams are told before the answer goes out.

pub mod request;
pub mod secret;
pub mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tidings_core::port::directory::{ApiKey, DirectoryError, Grant};
use tidings_core::port::{Clock, Directory};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use request::{CreatedKey, KeyCreate, KeyRow, Keys, Request, Status, TenantRow, Tenants};
use secret::{KeyText, draw_id};

/// The longest name of a key, in bytes.
pub const NAME_BYTES: usize = 100;
/// The most grants of one key.
pub const GRANTS: usize = 100;
/// The longest time for which a key may be made to work: a hundred years.
const LONGEST_LIFE: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Ends what a revoked key has open.
pub trait Revocations: Send + Sync {
    /// The key with this id works no longer: its streams end now, with `revoked`.
    fn key_revoked(&self, id: &str);
}

/// For a directory that no server serves from: a key has nothing open.
#[derive(Debug, Clone, Copy)]
pub struct NothingOpen;

impl Revocations for NothingOpen {
    fn key_revoked(&self, _id: &str) {}
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
    /// There is no such tenant or key.
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
    clock: Arc<dyn Clock>,
    revocations: Arc<dyn Revocations>,
    started_at: Timestamp,
    listen: Vec<SocketAddr>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

impl Admin {
    /// Over this directory, started now.
    #[must_use]
    pub fn new(
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
        revocations: Arc<dyn Revocations>,
    ) -> Self {
        let started_at = clock.now();
        Self { directory, clock, revocations, started_at, listen: Vec::new() }
    }

    /// The same, of a server that listens at these addresses.
    #[must_use]
    pub fn listening(self, listen: Vec<SocketAddr>) -> Self {
        Self { listen, ..self }
    }

    /// Carries one request out.
    ///
    /// # Errors
    /// [`AdminError`]; nothing was changed then, unless it is [`AdminError::Failed`].
    pub async fn carry_out(&self, request: Request) -> Result<Value, AdminError> {
        match request {
            Request::TenantAdd { tenant } => to_value(&self.add_tenant(&tenant).await?),
            Request::TenantList {} => to_value(&self.tenants().await?),
            Request::KeyCreate(key) => to_value(&self.create_key(key).await?),
            Request::KeyList { tenant } => to_value(&self.keys(tenant.as_deref()).await?),
            Request::KeyRevoke { id } => to_value(&self.revoke_key(&id).await?),
            Request::Status {} => to_value(&self.status().await?),
        }
    }

    async fn add_tenant(&self, name: &str) -> Result<TenantRow, AdminError> {
        let tenant = parse_tenant(name)?;
        match self.directory.add_tenant(&tenant).await {
            Ok(tenant) => Ok(TenantRow::from(&tenant)),
            Err(DirectoryError::Taken) => {
                Err(AdminError::Taken(format!("there is a tenant `{name}` already")))
            }
            Err(other) => Err(failed(&other)),
        }
    }

    async fn tenants(&self) -> Result<Tenants, AdminError> {
        let tenants = self.directory.tenants().await.map_err(|error| failed(&error))?;
        Ok(Tenants { tenants: tenants.iter().map(TenantRow::from).collect() })
    }

    async fn create_key(&self, wanted: KeyCreate) -> Result<CreatedKey, AdminError> {
        let text = KeyText::draw().map_err(|error| AdminError::Failed(error.to_string()))?;
        let key = self.new_key(&wanted)?;
        match self.directory.add_key(&key, text.hash()).await {
            Ok(()) => Ok(CreatedKey { id: key.id, key: text.into_string() }),
            Err(DirectoryError::Taken) => Err(AdminError::Taken(format!(
                "tenant `{}` has a key named `{}` already: revoke that one first, or choose another name",
                wanted.tenant, wanted.name
            ))),
            Err(DirectoryError::Missing) => Err(no_tenant(&wanted.tenant)),
            Err(other) => Err(failed(&other)),
        }
    }

    fn new_key(&self, wanted: &KeyCreate) -> Result<ApiKey, AdminError> {
        let created_at = self.clock.now();
        Ok(ApiKey {
            id: draw_id().map_err(|error| AdminError::Failed(error.to_string()))?,
            tenant: parse_tenant(&wanted.tenant)?,
            name: check_name(&wanted.name)?,
            grants: parse_grants(&wanted.grants)?,
            created_at,
            expires_at: wanted.expires_in.map(|seconds| expiry(created_at, seconds)).transpose()?,
            revoked_at: None,
        })
    }

    async fn keys(&self, tenant: Option<&str>) -> Result<Keys, AdminError> {
        let tenant = tenant.map(parse_tenant).transpose()?;
        let keys = self.directory.keys(tenant.as_ref()).await.map_err(|error| match (&error, &tenant) {
            (DirectoryError::Missing, Some(tenant)) => no_tenant(tenant.as_str()),
            _ => failed(&error),
        })?;
        Ok(Keys { keys: keys.iter().map(KeyRow::from).collect() })
    }

    async fn revoke_key(&self, id: &str) -> Result<KeyRow, AdminError> {
        match self.directory.revoke_key(id).await {
            Ok(key) => {
                self.revocations.key_revoked(&key.id);
                Ok(KeyRow::from(&key))
            }
            Err(DirectoryError::Missing) => Err(AdminError::Missing(format!(
                "there is no key `{id}`: `tidings key list` shows their ids"
            ))),
            Err(other) => Err(failed(&other)),
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

fn failed(error: &DirectoryError) -> AdminError {
    AdminError::Failed(error.to_string())
}

fn no_tenant(name: &str) -> AdminError {
    AdminError::Missing(format!("there is no tenant `{name}`: make it with `tidings tenant add {name}`"))
}

fn parse_tenant(text: &str) -> Result<TenantId, AdminError> {
    text.parse().map_err(|why| AdminError::Invalid(format!("`{text}`: {why}")))
}

fn check_name(name: &str) -> Result<String, AdminError> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        let why = format!("a key's name is 1 to {NAME_BYTES} bytes without control characters");
        return Err(AdminError::Invalid(why));
    }
    Ok(name.to_owned())
}

fn parse_grants(texts: &[String]) -> Result<Vec<Grant>, AdminError> {
    if texts.is_empty() || texts.len() > GRANTS {
        let why = format!("a key has 1 to {GRANTS} grants, e.g. publish:* or subscribe:cast:*");
        return Err(AdminError::Invalid(why));
    }
    let parse = |text: &String| text.parse().map_err(|why| AdminError::Invalid(format!("`{text}`: {why}")));
    let mut grants: Vec<Grant> = Vec::with_capacity(texts.len());
    for text in texts {
        let grant = parse(text)?;
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(grants)
}

fn expiry(now: Timestamp, seconds: u64) -> Result<Timestamp, AdminError> {
    if seconds == 0 || seconds > LONGEST_LIFE.as_secs() {
        return Err(AdminError::Invalid(
            "a key works for a second to a hundred years, or without end".into(),
        ));
    }
    let millis = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    Ok(Timestamp(now.0.saturating_add(millis)))
}

#[cfg(test)]
mod tests;
