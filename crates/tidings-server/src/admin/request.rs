//! What can be asked of the administration, and what it answers: JSON, one line each.
//!
//! A request is `{"op":"key_create","tenant":"default",…}`; the answer `{"ok":{…}}` or
//! `{"error":{"code","detail"}}`. Both ends are of one release: members that are not known are refused.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_core::port::audit::NumberedRow;
use tidings_core::port::directory::{ApiKey, Tenant, WebhookSecret};
use tidings_core::port::users::User;

use super::secret::SecretText;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Makes a tenant; answers a [`TenantRow`].
    TenantAdd {
        /// Its name.
        tenant: String,
    },
    /// Answers [`Tenants`].
    TenantList {},
    /// Makes a user; answers a [`Login`].
    UserAdd(UserAdd),
    /// Answers [`UserRows`], disabled ones too.
    UserList {
        /// Of this tenant alone.
        tenant: Option<String>,
    },
    /// Disables a user for good; answers its [`UserRow`].
    UserDisable {
        /// Its email or id.
        user: String,
        /// Its tenant; needed where only tokens name the id.
        tenant: Option<String>,
    },
    /// Sets another password, and signs the user out everywhere; answers a [`Login`].
    UserPassword {
        /// The user's email or id.
        user: String,
        /// Without, one is drawn.
        password: Option<SecretText>,
    },
    /// Makes an API key; answers a [`CreatedKey`].
    KeyCreate(KeyCreate),
    /// Answers [`Keys`], revoked ones too.
    KeyList {
        /// Of this tenant alone.
        tenant: Option<String>,
    },
    /// Adds grants to a service key's; answers its [`KeyRow`].
    KeyGrant {
        /// Its id.
        id: String,
        /// What it may do besides.
        grants: Vec<String>,
    },
    /// Takes grants from a service key, but never the last; answers its [`KeyRow`].
    KeyUngrant {
        /// Its id.
        id: String,
        /// What it may not do any more.
        grants: Vec<String>,
    },
    /// Revokes a key for good; answers its [`KeyRow`].
    KeyRevoke {
        /// Its id.
        id: String,
    },
    /// Adds a secret by which webhooks are verified; answers a [`CreatedWebhook`].
    WebhookAdd(WebhookAdd),
    /// Answers [`Webhooks`].
    WebhookList {
        /// Of this tenant alone.
        tenant: Option<String>,
    },
    /// Removes a webhook's secret; answers its [`WebhookRow`].
    WebhookRemove {
        /// Its id.
        id: String,
    },
    /// Answers an [`AuditPage`].
    AuditRead(AuditRead),
    /// Answers a [`Status`].
    Status {},
}

impl Request {
    /// Whether something new is made, which may be the first thing in a data directory.
    #[must_use]
    pub const fn begins(&self) -> bool {
        matches!(self, Self::TenantAdd { .. } | Self::UserAdd(_) | Self::KeyCreate(_) | Self::WebhookAdd(_))
    }
}

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdd {
    /// Whose.
    pub tenant: String,
    /// The email it signs in with, distinct over all tenants in any case.
    pub email: String,
    /// `member` or `admin`.
    pub role: String,
    /// Its password; without, one is drawn.
    pub password: Option<SecretText>,
}

/// A user whose password was just set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Its id.
    pub id: String,
    /// What it signs in with.
    pub email: String,
    /// The password, where it was drawn: the only time it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// What it signs in with; none where only tokens name it.
    pub email: Option<String>,
    /// `member` or `admin`.
    pub role: String,
    /// When it was made.
    pub created_at: String,
    /// Since when it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
}

/// A user that was disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisabledUser {
    /// The user.
    #[serde(flatten)]
    pub user: UserRow,
    /// Whether no user was stored under that id: tokens that name it are refused from now on, whether or not one ever has.
    pub entered: bool,
}

/// Users, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRows {
    /// One each.
    pub users: Vec<UserRow>,
}

/// A key to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCreate {
    /// Whose; without, the user's tenant, or for a service key `default`.
    pub tenant: Option<String>,
    /// What its owner calls it; distinct among the tenant's keys that are not revoked.
    pub name: String,
    /// The email or id of the user as whom it acts; without, it is a service key.
    pub user: Option<String>,
    /// What a service key may do: `publish:<pattern>`, `subscribe:<pattern>`; at least one. Of a user's key none.
    pub grants: Vec<String>,
    /// Seconds for which it works; without, until it is revoked.
    pub expires_in: Option<u64>,
}

/// A key that was just made: the only time its text is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// Its public id.
    pub id: String,
    /// Its text: the secret.
    pub key: String,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A tenant, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantRow {
    /// Its name.
    pub tenant: String,
    /// When it was made.
    pub created_at: String,
}

/// All tenants, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenants {
    /// One each.
    pub tenants: Vec<TenantRow>,
}

/// A key, as listed: never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRow {
    /// Its public id.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// What its owner calls it.
    pub name: String,
    /// The user as whom it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What a service key may do.
    pub grants: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it stops working by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// Keys, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// One each.
    pub keys: Vec<KeyRow>,
}

/// A webhook's secret to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookAdd {
    /// The tenant that the secret names.
    pub tenant: String,
    /// Who sends: `github`.
    pub provider: String,
    /// The secret; without, one is drawn.
    pub secret: Option<SecretText>,
}

/// A webhook's secret that was just added.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedWebhook {
    /// Its public id.
    pub id: String,
    /// The tenant that it names.
    pub tenant: String,
    /// Who sends.
    pub provider: String,
    /// The secret, where it was drawn: the only time it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl std::fmt::Debug for CreatedWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedWebhook").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A webhook, as listed: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRow {
    /// Its public id.
    pub id: String,
    /// The tenant that its secret names.
    pub tenant: String,
    /// Who sends.
    pub provider: String,
    /// When it was added.
    pub created_at: String,
}

/// Webhooks, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    /// One each.
    pub webhooks: Vec<WebhookRow>,
}

/// Which rows of the audit log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRead {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Of this user, by email or id, or of a service key, `key:<id>`.
    pub user: Option<String>,
    /// With this action, or, where it ends in `*`, with an action that begins so.
    pub action: Option<String>,
    /// Not before: milliseconds since 1970.
    pub since: Option<i64>,
    /// Before: milliseconds since 1970.
    pub until: Option<i64>,
    /// With a smaller number: the next page.
    pub before: Option<i64>,
    /// At most so many: 1 to [`super::PAGE_ROWS`].
    pub limit: usize,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLine {
    /// Its number, which grows with each.
    pub id: i64,
    /// Whose.
    pub tenant_id: Option<String>,
    /// Who: a user's id, or `key:<id>`.
    pub user_id: Option<String>,
    /// What happened.
    pub action: String,
    /// To what.
    pub resource_id: Option<String>,
    /// From where.
    pub ip_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// What else there is to say: an object.
    pub metadata: Value,
    /// When.
    pub created_at: String,
}

/// Rows of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// One each.
    pub rows: Vec<AuditLine>,
}

/// The server that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its release.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it runs.
    pub started_at: String,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// How many tenants there are.
    pub tenants: usize,
}

impl From<&Tenant> for TenantRow {
    fn from(tenant: &Tenant) -> Self {
        Self { tenant: tenant.id.to_string(), created_at: tenant.created_at.to_string() }
    }
}

impl From<&ApiKey> for KeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            tenant: key.tenant.to_string(),
            name: key.name.clone(),
            user: key.user.as_ref().map(ToString::to_string),
            grants: key.grants.iter().map(ToString::to_string).collect(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            tenant: user.tenant.to_string(),
            email: user.email.clone(),
            role: user.role.name().to_owned(),
            created_at: user.created_at.to_string(),
            disabled_at: user.disabled_at.map(|at| at.to_string()),
        }
    }
}

impl From<&WebhookSecret> for WebhookRow {
    fn from(webhook: &WebhookSecret) -> Self {
        Self {
            id: webhook.id.clone(),
            tenant: webhook.tenant.to_string(),
            provider: webhook.provider.clone(),
            created_at: webhook.created_at.to_string(),
        }
    }
}

impl From<NumberedRow> for AuditLine {
    fn from(NumberedRow { id, row }: NumberedRow) -> Self {
        Self {
            id,
            tenant_id: row.tenant_id.map(|tenant| tenant.to_string()),
            user_id: row.user_id,
            action: row.action,
            resource_id: row.resource_id,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            metadata: serde_json::from_str(&row.metadata).unwrap_or(Value::String(row.metadata)),
            created_at: row.created_at.to_string(),
        }
    }
}
