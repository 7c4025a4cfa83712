//! The audit log: a row for each change made here, and reading it page by page.

use serde_json::Value;
use tidings_core::port::audit::{AuditEntry, AuditQuery, AuditRow};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::request::{AuditLine, AuditPage, AuditRead};
use super::{Admin, AdminError, failed};

/// Most rows of one page.
pub const PAGE_ROWS: usize = 1_000;

impl Admin {
    /// Writes a row. It names no user: whoever may use the data directory has no name here.
    pub(super) async fn note(
        &self,
        tenant: &TenantId,
        action: &str,
        resource: &str,
        metadata: &Value,
    ) -> Result<(), AdminError> {
        let row = AuditRow {
            tenant_id: Some(tenant.clone()),
            user_id: None,
            action: action.to_owned(),
            resource_id: Some(resource.to_owned()),
            ip_address: None,
            user_agent: None,
            metadata: metadata.to_string(),
            created_at: self.clock.now(),
        };
        let written = self.audit.write(vec![AuditEntry::Row(row)]).await;
        written.map_err(|error| {
            let done = "what was asked was done, but the audit log could not be written";
            AdminError::Failed(format!("{done} ({action} of {resource}): {error}"))
        })
    }

    pub(super) async fn read_audit(&self, wanted: AuditRead) -> Result<AuditPage, AdminError> {
        if !(1..=PAGE_ROWS).contains(&wanted.limit) {
            return Err(AdminError::Invalid(format!("a page has 1 to {PAGE_ROWS} rows")));
        }
        let query = AuditQuery {
            tenant: self.tenant_if_named(wanted.tenant.as_deref()).await?,
            user: self.name_in_audit(wanted.user).await?,
            action: wanted.action,
            since: wanted.since.map(Timestamp),
            until: wanted.until.map(Timestamp),
            before: wanted.before,
            limit: wanted.limit,
        };
        let rows = self.audit.read(&query).await.map_err(|error| failed(&error))?;
        Ok(AuditPage { rows: rows.into_iter().map(AuditLine::from).collect() })
    }

    /// An email's user by its id, which is what rows have; anything else as it is: who is in the log need not exist.
    async fn name_in_audit(&self, name: Option<String>) -> Result<Option<String>, AdminError> {
        let Some(name) = name else { return Ok(None) };
        let user = self.find_user(&name).await?;
        Ok(Some(user.map_or(name, |user| user.id.to_string())))
    }
}
