//! Tenants and API keys: who exists.

use tidings_protocol::time::Timestamp;
use tidings_protocol::{Pattern, TenantId};

use super::users::UserId;
use super::{PortFuture, StorageError};

/// SHA-256 of an API key's secret text. The text itself is shown once and never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What may be done with a grant's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Publish to them.
    Publish,
    /// Subscribe to them and read their history.
    Subscribe,
}

impl Right {
    /// The word before the colon of a grant.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// One right to some channels, written `publish:<pattern>` or `subscribe:<pattern>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// What.
    pub right: Right,
    /// Where.
    pub pattern: Pattern,
}

/// The text is not a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a grant is publish:<pattern> or subscribe:<pattern>, e.g. publish:* or subscribe:cast:*")]
pub struct InvalidGrant;

impl std::str::FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let (right, pattern) = text.split_once(':').ok_or(InvalidGrant)?;
        let right = match right {
            "publish" => Right::Publish,
            "subscribe" => Right::Subscribe,
            _ => return Err(InvalidGrant),
        };
        Ok(Self { right, pattern: pattern.parse().map_err(|_| InvalidGrant)? })
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.right.name(), self.pattern)
    }
}

/// An API key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id, `key_…`; names it in lists, logs and the audit.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// What its owner calls it; distinct within the tenant.
    pub name: String,
    /// The user as whom it acts, with all that the user may do; such a key has no grants of its own.
    pub user: Option<UserId>,
    /// What a service key, which acts as nobody, may do.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A secret by which webhooks are verified. The secret itself is needed for that, so it is kept as it is; not shown by
/// `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    /// Its public id, `whk_…`.
    pub id: String,
    /// The tenant that it names.
    pub tenant: TenantId,
    /// Who sends: `github`.
    pub provider: String,
    /// The secret, 1 to 200 bytes.
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSecret")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// A tenant as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a change of the directory was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DirectoryError {
    /// The name is taken.
    #[error("the name is taken")]
    Taken,
    /// There is no such tenant or key.
    #[error("there is no such tenant or key")]
    Missing,
    /// Storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Who exists. Changes are durable before they are answered. A tenant `default` exists from the first start.
pub trait Directory: Send + Sync + 'static {
    /// Makes a tenant.
    fn add_tenant<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Tenant, DirectoryError>>;

    /// All tenants, by name.
    fn tenants(&self) -> PortFuture<'_, Result<Vec<Tenant>, DirectoryError>>;

    /// Stores a key: its hash, never its text. `Missing` where there is no such tenant, or its user is not of it. `Taken` where the tenant has a key of that name that is not revoked.
    fn add_key<'a>(&'a self, key: &'a ApiKey, hash: KeyHash) -> PortFuture<'a, Result<(), DirectoryError>>;

    /// The keys of a tenant, or of all, oldest first, revoked ones too.
    fn keys<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Result<Vec<ApiKey>, DirectoryError>>;

    /// The key with this hash, whatever its state.
    fn find_key(&self, hash: KeyHash) -> PortFuture<'_, Result<Option<ApiKey>, DirectoryError>>;

    /// Revokes a key by its id; answers the key. Revoking twice changes nothing.
    fn revoke_key<'a>(&'a self, id: &'a str) -> PortFuture<'a, Result<ApiKey, DirectoryError>>;

    /// Gives a service key other grants; answers the key as it is now. `Missing` without such a key, and where it was
    /// revoked or acts as a user.
    fn set_grants<'a>(
        &'a self,
        id: &'a str,
        grants: &'a [Grant],
    ) -> PortFuture<'a, Result<ApiKey, DirectoryError>>;

    /// Stores a webhook's secret. `Taken` where the provider has that secret already, in whatever tenant.
    fn add_webhook<'a>(&'a self, webhook: &'a WebhookSecret) -> PortFuture<'a, Result<(), DirectoryError>>;

    /// The webhook secrets of a provider, of all tenants, oldest first.
    fn webhooks<'a>(
        &'a self,
        provider: &'a str,
    ) -> PortFuture<'a, Result<Vec<WebhookSecret>, DirectoryError>>;

    /// Removes a webhook's secret; answers it.
    fn remove_webhook<'a>(&'a self, id: &'a str) -> PortFuture<'a, Result<WebhookSecret, DirectoryError>>;
}
