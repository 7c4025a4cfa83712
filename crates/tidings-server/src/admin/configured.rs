//! What the configuration says that changes have to agree with: the directory alone does not tell.
//!
//! Owns: which ids tokens may name, and which webhooks' secrets are given. Leaves out: the configuration itself.

use tidings_protocol::TenantId;

use super::AdminError;
use super::secret::SecretText;
use crate::jwt::{IssuerConfig, issuer};

/// Whose `webhooks.github.secret` is.
const DEFAULT_TENANT: &str = "default";

/// What is known of the configuration; by default nothing.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    /// `auth.issuers`, by name, with their tenants; `None` where it is not known who is believed.
    issuers: Option<Vec<(String, TenantId)>>,
    /// `webhooks.github.secret`, of the tenant `default`.
    github_secret: Option<SecretText>,
}

impl Configured {
    /// These issuers are believed, and no others.
    #[must_use]
    pub fn issuers(self, issuers: &[IssuerConfig]) -> Self {
        let named = issuers.iter().map(|issuer| (issuer.name.clone(), issuer.tenant.clone()));
        Self { issuers: Some(named.collect()), ..self }
    }

    /// GitHub's webhooks of the tenant `default` may be signed with this secret.
    #[must_use]
    pub fn github_secret(self, secret: Option<String>) -> Self {
        Self { github_secret: secret.map(SecretText::new), ..self }
    }

    /// Checks that tokens of the tenant may name a user that is not stored.
    pub(super) fn check_token_user(&self, id: &str, tenant: &TenantId) -> Result<(), AdminError> {
        let named = id.split_once('|').filter(|(name, sub)| issuer::is_name(name) && !sub.is_empty());
        let Some((name, _)) = named else {
            return Err(AdminError::Missing(format!(
                "there is no user `{id}`: `tidings user list` shows them; an id that only tokens name is the issuer's \
                 name, `|` and the token's `sub`"
            )));
        };
        let Some(issuers) = &self.issuers else { return Ok(()) };
        match issuers.iter().find(|(known, _)| known == name) {
            Some((_, own)) if own == tenant => Ok(()),
            Some((_, own)) => Err(AdminError::Invalid(format!(
                "the users of issuer `{name}` are of tenant `{own}`: say --tenant {own}"
            ))),
            None => Err(AdminError::Missing(format!(
                "there is no user `{id}`, and tokens cannot name it: auth.issuers has no issuer named `{name}`"
            ))),
        }
    }

    /// Checks that a webhook's secret would not name two tenants.
    pub(super) fn check_webhook(&self, secret: &str, tenant: &TenantId) -> Result<(), AdminError> {
        let is_configured = self.github_secret.as_ref().is_some_and(|own| own.is(secret));
        if is_configured && tenant.as_str() != DEFAULT_TENANT {
            return Err(AdminError::Taken(format!(
                "that secret is `webhooks.github.secret`, which names the tenant `{DEFAULT_TENANT}`: give each tenant its \
                 own"
            )));
        }
        Ok(())
    }
}
