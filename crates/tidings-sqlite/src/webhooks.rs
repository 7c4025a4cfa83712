//! The secrets of webhooks.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::directory::{DirectoryError, WebhookSecret};
use tidings_protocol::time::Timestamp;

use crate::change::{Answer, tenant_row};
use crate::row::damaged;

const WEBHOOK: &str = "SELECT webhook_secrets.public_id, tenants.name, webhook_secrets.provider, webhook_secrets.secret, \
                       webhook_secrets.created_at FROM webhook_secrets JOIN tenants ON tenants.id = webhook_secrets.tenant";

fn decode(row: &Row<'_>) -> rusqlite::Result<WebhookSecret> {
    let tenant: String = row.get(1)?;
    Ok(WebhookSecret {
        id: row.get(0)?,
        tenant: tenant.parse().map_err(|error| damaged(1, error))?,
        provider: row.get(2)?,
        secret: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
    })
}

/// Stores a secret.
pub(crate) fn add(connection: &Connection, webhook: &WebhookSecret) -> rusqlite::Result<Answer<()>> {
    let Some(tenant) = tenant_row(connection, &webhook.tenant)? else {
        return Ok(Err(DirectoryError::Missing));
    };
    let stored = connection.execute(
        "INSERT INTO webhook_secrets (public_id, tenant, provider, secret, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO NOTHING",
        params![webhook.id, tenant, webhook.provider, webhook.secret, webhook.created_at.0],
    )?;
    Ok(if stored == 1 { Ok(()) } else { Err(DirectoryError::Taken) })
}

/// A provider's secrets, oldest first.
pub(crate) fn list(connection: &Connection, provider: &str) -> rusqlite::Result<Vec<WebhookSecret>> {
    let text = format!("{WEBHOOK} WHERE webhook_secrets.provider = ?1 ORDER BY webhook_secrets.id");
    connection.prepare_cached(&text)?.query_map([provider], decode)?.collect()
}

/// Removes a secret; answers it.
pub(crate) fn remove(connection: &Connection, id: &str) -> rusqlite::Result<Answer<WebhookSecret>> {
    let text = format!("{WEBHOOK} WHERE webhook_secrets.public_id = ?1");
    let found = connection.query_row(&text, [id], decode).optional()?;
    connection.execute("DELETE FROM webhook_secrets WHERE public_id = ?1", [id])?;
    Ok(found.ok_or(DirectoryError::Missing))
}
