//! Webhook secrets: added, listed without the secrets, removed.

use serde_json::json;
use tidings_core::port::directory::{DirectoryError, WebhookSecret};

use super::request::{CreatedWebhook, WebhookAdd, WebhookRow, Webhooks};
use super::secret::SecretText;
use super::tenants;
use super::{Admin, AdminError, failed, refused};
use crate::ids::random_text;

/// Who may send webhooks.
const PROVIDERS: [&str; 1] = ["github"];
/// The shortest secret, in bytes: it says whose a delivery is, and deliveries change casts.
const SHORTEST: usize = 16;
/// The longest secret, in bytes.
const SECRET_BYTES: usize = 200;

impl Admin {
    pub(super) async fn add_webhook(&self, wanted: WebhookAdd) -> Result<CreatedWebhook, AdminError> {
        let tenant = self.tenant(&wanted.tenant).await?;
        let provider = check_provider(&wanted.provider)?;
        let drawn = wanted.secret.is_none();
        let secret = match wanted.secret {
            Some(secret) => check_secret(secret)?,
            None => random_text::<32>().map_err(|error| failed(&error))?,
        };
        self.configured.check_webhook(&secret, &tenant)?;
        let id = random_text::<10>().map_err(|error| failed(&error))?;
        let webhook = WebhookSecret {
            id: format!("whk_{id}"),
            tenant,
            provider,
            secret: secret.clone(),
            created_at: self.clock.now(),
        };
        self.directory.add_webhook(&webhook).await.map_err(|error| match error {
            DirectoryError::Taken => AdminError::Taken(
                "that secret is in use already: it says whose a webhook is, so each is given once".to_owned(),
            ),
            other => refused(&other, || tenants::missing(&wanted.tenant)),
        })?;
        let metadata = json!({ "provider": webhook.provider });
        self.note(&webhook.tenant, "webhook.added", &webhook.id, &metadata).await?;
        Ok(CreatedWebhook {
            id: webhook.id,
            tenant: webhook.tenant.to_string(),
            provider: webhook.provider,
            secret: drawn.then_some(secret),
        })
    }

    pub(super) async fn webhooks(&self, tenant: Option<&str>) -> Result<Webhooks, AdminError> {
        let tenant = self.tenant_if_named(tenant).await?;
        let mut rows = Vec::new();
        for provider in PROVIDERS {
            let found = self.directory.webhooks(provider).await.map_err(|error| failed(&error))?;
            let own =
                found.iter().filter(|webhook| tenant.as_ref().is_none_or(|tenant| webhook.tenant == *tenant));
            rows.extend(own.map(WebhookRow::from));
        }
        Ok(Webhooks { webhooks: rows })
    }

    pub(super) async fn remove_webhook(&self, id: &str) -> Result<WebhookRow, AdminError> {
        let webhook = self.directory.remove_webhook(id).await.map_err(|error| {
            refused(&error, || {
                AdminError::Missing(format!(
                    "there is no webhook `{id}`: `tidings webhook list` shows their ids"
                ))
            })
        })?;
        let metadata = json!({ "provider": webhook.provider });
        self.note(&webhook.tenant, "webhook.removed", &webhook.id, &metadata).await?;
        Ok(WebhookRow::from(&webhook))
    }
}

fn check_provider(provider: &str) -> Result<String, AdminError> {
    let known = PROVIDERS.contains(&provider).then(|| provider.to_owned());
    known.ok_or_else(|| {
        AdminError::Invalid(format!(
            "`{provider}` sends no webhooks here: it is one of {}",
            PROVIDERS.join(", ")
        ))
    })
}

fn check_secret(secret: SecretText) -> Result<String, AdminError> {
    let secret = secret.into_string();
    let fits = (SHORTEST..=SECRET_BYTES).contains(&secret.len());
    if !fits || secret.chars().any(char::is_control) {
        let why =
            format!("a webhook's secret is {SHORTEST} to {SECRET_BYTES} bytes without control characters");
        return Err(AdminError::Invalid(why));
    }
    Ok(secret)
}
