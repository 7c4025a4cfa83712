//! The Directory on a [`MemoryDisk`](super::MemoryDisk).

use std::collections::btree_map::Entry;

use tidings_core::port::directory::{ApiKey, DirectoryError, Grant, KeyHash, Tenant, WebhookSecret};
use tidings_core::port::{Directory, PortFuture, Store};
use tidings_protocol::TenantId;

use super::disk::Contents;
use super::store::MemoryStore;
use super::tenant::TenantState;

impl MemoryStore {
    /// Looks at what is stored, or changes it.
    pub(super) fn with_contents<T>(
        &self,
        work: impl FnOnce(&mut Contents) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        Store::health(self)?;
        work(&mut self.disk.lock().contents)
    }

    fn insert_key(&self, key: &ApiKey, hash: KeyHash) -> Result<(), DirectoryError> {
        self.with_contents(|contents| {
            if !contents.tenants.contains_key(&key.tenant) {
                return Err(DirectoryError::Missing);
            }
            let of_tenant = |id| contents.users.find(id).is_some_and(|user| user.tenant == key.tenant);
            if key.user.as_ref().is_some_and(|id| !of_tenant(id)) {
                return Err(DirectoryError::Missing);
            }
            let clashes = |(other_hash, other): &(KeyHash, ApiKey)| {
                let same_name =
                    other.tenant == key.tenant && other.name == key.name && other.revoked_at.is_none();
                same_name || other.id == key.id || *other_hash == hash
            };
            if contents.api_keys.iter().any(clashes) {
                return Err(DirectoryError::Taken);
            }
            contents.api_keys.push((hash, key.clone()));
            Ok(())
        })
    }

    fn revoke(&self, id: &str) -> Result<ApiKey, DirectoryError> {
        let now = self.clock.now();
        self.with_contents(|contents| {
            let mut keys = contents.api_keys.iter_mut().map(|(_, key)| key);
            let key = keys.find(|key| key.id == id).ok_or(DirectoryError::Missing)?;
            key.revoked_at.get_or_insert(now);
            Ok(key.clone())
        })
    }

    fn grant(&self, id: &str, grants: &[Grant]) -> Result<ApiKey, DirectoryError> {
        self.with_contents(|contents| {
            let mut keys = contents.api_keys.iter_mut().map(|(_, key)| key);
            let found = keys.find(|key| key.id == id && key.revoked_at.is_none() && key.user.is_none());
            let key = found.ok_or(DirectoryError::Missing)?;
            key.grants = grants.to_vec();
            Ok(key.clone())
        })
    }

    fn insert_webhook(&self, webhook: &WebhookSecret) -> Result<(), DirectoryError> {
        self.with_contents(|contents| {
            if !contents.tenants.contains_key(&webhook.tenant) {
                return Err(DirectoryError::Missing);
            }
            let clashes = |other: &WebhookSecret| {
                let same = other.provider == webhook.provider && other.secret == webhook.secret;
                same || other.id == webhook.id
            };
            if contents.webhooks.iter().any(clashes) {
                return Err(DirectoryError::Taken);
            }
            contents.webhooks.push(webhook.clone());
            Ok(())
        })
    }
}

impl Directory for MemoryStore {
    fn add_tenant<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Tenant, DirectoryError>> {
        Box::pin(async move {
            let now = self.clock.now();
            self.with_contents(|contents| match contents.tenants.entry(tenant.clone()) {
                Entry::Occupied(_) => Err(DirectoryError::Taken),
                Entry::Vacant(slot) => {
                    let created_at = slot.insert(TenantState::new(now)).created_at;
                    Ok(Tenant { id: tenant.clone(), created_at })
                }
            })
        })
    }

    fn tenants(&self) -> PortFuture<'_, Result<Vec<Tenant>, DirectoryError>> {
        Box::pin(async move {
            self.with_contents(|contents| {
                let tenants = contents.tenants.iter();
                Ok(tenants
                    .map(|(id, state)| Tenant { id: id.clone(), created_at: state.created_at })
                    .collect())
            })
        })
    }

    fn add_key<'a>(&'a self, key: &'a ApiKey, hash: KeyHash) -> PortFuture<'a, Result<(), DirectoryError>> {
        Box::pin(async move { self.insert_key(key, hash) })
    }

    fn keys<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Result<Vec<ApiKey>, DirectoryError>> {
        Box::pin(async move {
            self.with_contents(|contents| {
                let keys = contents.api_keys.iter().map(|(_, key)| key);
                Ok(keys.filter(|key| tenant.is_none_or(|tenant| key.tenant == *tenant)).cloned().collect())
            })
        })
    }

    fn find_key(&self, hash: KeyHash) -> PortFuture<'_, Result<Option<ApiKey>, DirectoryError>> {
        Box::pin(async move {
            self.with_contents(|contents| {
                let found = contents.api_keys.iter().find(|(other, _)| *other == hash);
                Ok(found.map(|(_, key)| key.clone()))
            })
        })
    }

    fn revoke_key<'a>(&'a self, id: &'a str) -> PortFuture<'a, Result<ApiKey, DirectoryError>> {
        Box::pin(async move { self.revoke(id) })
    }

    fn set_grants<'a>(
        &'a self,
        id: &'a str,
        grants: &'a [Grant],
    ) -> PortFuture<'a, Result<ApiKey, DirectoryError>> {
        Box::pin(async move { self.grant(id, grants) })
    }

    fn add_webhook<'a>(&'a self, webhook: &'a WebhookSecret) -> PortFuture<'a, Result<(), DirectoryError>> {
        Box::pin(async move { self.insert_webhook(webhook) })
    }

    fn webhooks<'a>(
        &'a self,
        provider: &'a str,
    ) -> PortFuture<'a, Result<Vec<WebhookSecret>, DirectoryError>> {
        Box::pin(async move {
            self.with_contents(|contents| {
                let found = contents.webhooks.iter().filter(|webhook| webhook.provider == provider);
                Ok(found.cloned().collect())
            })
        })
    }

    fn remove_webhook<'a>(&'a self, id: &'a str) -> PortFuture<'a, Result<WebhookSecret, DirectoryError>> {
        Box::pin(async move {
            self.with_contents(|contents| {
                let at = contents.webhooks.iter().position(|webhook| webhook.id == id);
                at.map(|at| contents.webhooks.remove(at)).ok_or(DirectoryError::Missing)
            })
        })
    }
}
