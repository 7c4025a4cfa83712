//! Tenants: made and listed.

use serde_json::json;
use tidings_core::port::directory::DirectoryError;
use tidings_protocol::TenantId;

use super::request::{TenantRow, Tenants};
use super::{Admin, AdminError, failed};

/// The tenant where none is named.
pub(super) const DEFAULT: &str = "default";

impl Admin {
    pub(super) async fn add_tenant(&self, name: &str) -> Result<TenantRow, AdminError> {
        let tenant = parse(name)?;
        let added = self.directory.add_tenant(&tenant).await.map_err(|error| match error {
            DirectoryError::Taken => AdminError::Taken(format!("there is a tenant `{name}` already")),
            other => failed(&other),
        })?;
        self.note(&tenant, "tenant.created", name, &json!({})).await?;
        Ok(TenantRow::from(&added))
    }

    pub(super) async fn tenants(&self) -> Result<Tenants, AdminError> {
        let tenants = self.directory.tenants().await.map_err(|error| failed(&error))?;
        Ok(Tenants { tenants: tenants.iter().map(TenantRow::from).collect() })
    }

    /// The tenant of that name, which must be there.
    pub(super) async fn tenant(&self, name: &str) -> Result<TenantId, AdminError> {
        let tenant = parse(name)?;
        let tenants = self.directory.tenants().await.map_err(|error| failed(&error))?;
        tenants.iter().any(|other| other.id == tenant).then_some(tenant).ok_or_else(|| missing(name))
    }

    /// The same, where one is named.
    pub(super) async fn tenant_if_named(&self, name: Option<&str>) -> Result<Option<TenantId>, AdminError> {
        match name {
            Some(name) => self.tenant(name).await.map(Some),
            None => Ok(None),
        }
    }
}

pub(super) fn missing(name: &str) -> AdminError {
    AdminError::Missing(format!("there is no tenant `{name}`: make it with `tidings tenant add {name}`"))
}

fn parse(text: &str) -> Result<TenantId, AdminError> {
    text.parse().map_err(|why| AdminError::Invalid(format!("`{text}`: {why}")))
}
