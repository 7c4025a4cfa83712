//! Webhook secrets.

use tidings_core::port::Directory;
use tidings_core::port::directory::WebhookSecret;
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::Harness;
use super::directory::{is_missing, is_taken};
use super::kit::{Bench, tenant};

fn webhook(id: &str, of: &TenantId, provider: &str, secret: &str) -> WebhookSecret {
    WebhookSecret {
        id: id.into(),
        tenant: of.clone(),
        provider: provider.into(),
        secret: secret.into(),
        created_at: Timestamp(1_700_000_000_001),
    }
}

/// A provider's secrets are listed oldest first, of all tenants, until they are removed.
pub async fn secrets_are_listed_by_provider_until_removed(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    bench.node().add_tenant(&other).await.unwrap();
    let secrets = [
        webhook("whk_3", &other, "github", "b é"),
        webhook("whk_1", &own, "github", "a"),
        webhook("whk_2", &own, "gitlab", "a"),
    ];
    for secret in &secrets {
        bench.node().add_webhook(secret).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(bench.node().webhooks("github").await.unwrap(), secrets[..2]);
        assert_eq!(bench.node().webhooks("gitlab").await.unwrap(), secrets[2..]);
        assert_eq!(bench.node().webhooks("none").await.unwrap(), []);
        bench.restart().await;
    }
    assert_eq!(bench.node().remove_webhook("whk_3").await.unwrap(), secrets[0]);
    assert!(is_missing(&bench.node().remove_webhook("whk_3").await));
    bench.restart().await;
    assert_eq!(bench.node().webhooks("github").await.unwrap(), secrets[1..2]);
}

/// A provider has a secret once over all tenants, since it tells whose a request is; then it is free again.
pub async fn a_secret_names_one_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let (own, other) = (tenant("default"), tenant("other"));
    let node = bench.node();
    node.add_tenant(&other).await.unwrap();
    node.add_webhook(&webhook("whk_1", &own, "github", "a")).await.unwrap();
    for of in [&own, &other] {
        assert!(is_taken(&node.add_webhook(&webhook("whk_2", of, "github", "a")).await));
    }
    assert!(is_missing(&node.add_webhook(&webhook("whk_3", &tenant("nobody"), "github", "b")).await));
    assert_eq!(node.webhooks("github").await.unwrap().len(), 1);
    node.add_webhook(&webhook("whk_2", &other, "github", "A")).await.unwrap();
    node.remove_webhook("whk_1").await.unwrap();
    node.add_webhook(&webhook("whk_4", &other, "github", "a")).await.unwrap();
}
