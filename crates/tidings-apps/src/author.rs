//! Who makes a change, and what the audit log says of it.

use serde_json::Value;
use tidings_core::port::audit::AuditRow;
use tidings_core::port::users::UserId;
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

/// As what somebody makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A user with the rights of a member: over its own records.
    Member(UserId),
    /// A user with the rights of an admin: over all of the tenant's.
    Admin(UserId),
    /// A service key whose grant takes in the record.
    Service,
    /// A webhook whose signature was verified.
    Webhook,
}

impl Standing {
    /// The user; `None` for a service key and a webhook.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Member(user) | Self::Admin(user) => Some(user),
            Self::Service | Self::Webhook => None,
        }
    }

    /// The word in the audit log's `by`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Admin(_) => "admin",
            Self::Service => "service_key",
            Self::Webhook => "webhook",
        }
    }
}

/// Who makes a change, and from where: made by the server from a verified credential or signature.
#[derive(Debug, Clone)]
pub struct Author {
    /// Whose data it is.
    pub tenant: TenantId,
    /// As what.
    pub standing: Standing,
    /// What stands in the audit log for it: the user, `key:<id>`, or nothing for a webhook.
    pub audit_name: Option<String>,
    /// The `actor` of the events.
    pub actor: Option<Box<str>>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`, as [`AuditRow::user_agent`] takes it.
    pub user_agent: Option<String>,
}

impl Author {
    /// A row for the audit log: what this author did to a record.
    #[must_use]
    pub fn audit(&self, action: &str, resource_id: &str, metadata: &Value, now: Timestamp) -> AuditRow {
        AuditRow {
            tenant_id: Some(self.tenant.clone()),
            user_id: self.audit_name.clone(),
            action: action.to_owned(),
            resource_id: Some(resource_id.to_owned()),
            ip_address: self.ip_address.clone(),
            user_agent: self.user_agent.clone(),
            metadata: metadata.to_string(),
            created_at: now,
        }
    }
}
