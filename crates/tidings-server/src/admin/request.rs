//! What can be asked of the administration, and what it answers: JSON, one line each.
//!
//! A request is `{"op":"key_create","tenant":"default",…}`; the answer `{"ok":{…}}` or
//! `{"error":{"code","detail"}}`. Both ends are of one release: members that are not known are refused.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tidings_core::port::directory::{ApiKey, Tenant};

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
    /// Makes an API key; answers a [`CreatedKey`].
    KeyCreate(KeyCreate),
    /// Answers [`Keys`], revoked ones too.
    KeyList {
        /// Of this tenant alone.
        tenant: Option<String>,
    },
    /// Revokes a key for good; answers its [`KeyRow`].
    KeyRevoke {
        /// Its id.
        id: String,
    },
    /// Answers a [`Status`].
    Status {},
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCreate {
    /// Whose.
    pub tenant: String,
    /// What its owner calls it; distinct among the tenant's keys that are not revoked.
    pub name: String,
    /// What it may do: `publish:<pattern>`, `subscribe:<pattern>`; at least one.
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
    /// What it may do.
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
            grants: key.grants.iter().map(ToString::to_string).collect(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}
