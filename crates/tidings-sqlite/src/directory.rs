//! Tenants and API keys.
//!
//! Changes go through the writer, each in a transaction of its own; lists and look-ups through the readers.
//! Leaves out: webhook secrets (`webhooks`), users (`users`).

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::directory::{ApiKey, DirectoryError, Grant, KeyHash, Tenant, WebhookSecret};
use tidings_core::port::users::UserId;
use tidings_core::port::{Directory, PortFuture};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use crate::change::{Answer, tenant_row};
use crate::row::damaged;
use crate::store::SqliteStore;
use crate::{start, users, webhooks};

const KEY: &str = "SELECT api_keys.public_id, tenants.name, api_keys.name, api_keys.grants, api_keys.created_at, \
                   api_keys.expires_at, api_keys.revoked_at, users.public_id FROM api_keys \
                   JOIN tenants ON tenants.id = api_keys.tenant LEFT JOIN users ON users.id = api_keys.user";

fn key_of(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let tenant: String = row.get(1)?;
    let texts: Vec<String> =
        serde_json::from_str(row.get_ref(3)?.as_str()?).map_err(|error| damaged(3, error))?;
    let grants: Result<Vec<Grant>, _> = texts.iter().map(|text| text.parse()).collect();
    let acts_as = row.get_ref(7)? != rusqlite::types::ValueRef::Null;
    Ok(ApiKey {
        id: row.get(0)?,
        tenant: tenant.parse().map_err(|error| damaged(1, error))?,
        name: row.get(2)?,
        user: acts_as.then(|| users::user_id(row, 7)).transpose()?,
        grants: grants.map_err(|error| damaged(3, error))?,
        created_at: Timestamp(row.get(4)?),
        expires_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}

fn grants_text(grants: &[Grant]) -> String {
    serde_json::Value::from_iter(grants.iter().map(ToString::to_string)).to_string()
}

/// The row of a user of this tenant.
fn user_row(connection: &Connection, tenant: i64, user: &UserId) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row(
            "SELECT id FROM users WHERE public_id = ?1 AND tenant = ?2",
            params![user.as_str(), tenant],
            |row| row.get(0),
        )
        .optional()
}

fn insert_key(connection: &Connection, key: &ApiKey, hash: KeyHash) -> rusqlite::Result<Answer<()>> {
    let Some(tenant) = tenant_row(connection, &key.tenant)? else {
        return Ok(Err(DirectoryError::Missing));
    };
    let user = key.user.as_ref().map(|user| user_row(connection, tenant, user)).transpose()?;
    if user == Some(None) {
        return Ok(Err(DirectoryError::Missing));
    }
    // One statement: any of the three that are distinct (id, hash, name of a key in use) makes it a clash.
    let stored = connection.execute(
        "INSERT INTO api_keys (public_id, tenant, name, hash, grants, created_at, expires_at, revoked_at, user) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            key.id,
            tenant,
            key.name,
            hash.0,
            grants_text(&key.grants),
            key.created_at.0,
            key.expires_at.map(|at| at.0),
            key.revoked_at.map(|at| at.0),
            user.flatten(),
        ],
    )?;
    Ok(if stored == 1 { Ok(()) } else { Err(DirectoryError::Taken) })
}

fn revoke(connection: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<Answer<ApiKey>> {
    connection.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE public_id = ?1 AND revoked_at IS NULL",
        params![id, now.0],
    )?;
    Ok(by_id(connection, id)?.ok_or(DirectoryError::Missing))
}

fn by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<ApiKey>> {
    connection.query_row(&format!("{KEY} WHERE api_keys.public_id = ?1"), [id], key_of).optional()
}

fn set_grants(connection: &Connection, id: &str, grants: &str) -> rusqlite::Result<Answer<ApiKey>> {
    let changed = connection.execute(
        "UPDATE api_keys SET grants = ?2 WHERE public_id = ?1 AND revoked_at IS NULL AND user IS NULL",
        params![id, grants],
    )?;
    let found = if changed == 1 { by_id(connection, id)? } else { None };
    Ok(found.ok_or(DirectoryError::Missing))
}

impl Directory for SqliteStore {
    fn add_tenant<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Answer<Tenant>> {
        let (id, now) = (tenant.clone(), self.shared.options.clock.now());
        let shared = Arc::clone(&self.shared);
        let made = self.change(
            move |connection| Ok(start::add_tenant(connection, &id, now)?.ok_or(DirectoryError::Taken)),
            move |tenant| shared.tenants.insert(tenant),
        );
        Box::pin(async move {
            let made = made.await?;
            Ok(Tenant { id: made.id.clone(), created_at: now })
        })
    }

    fn tenants(&self) -> PortFuture<'_, Answer<Vec<Tenant>>> {
        Box::pin(self.list(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, created_at FROM tenants ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                let name: String = row.get(0)?;
                let id = name.parse().map_err(|error| damaged(0, error))?;
                Ok(Tenant { id, created_at: Timestamp(row.get(1)?) })
            })?;
            rows.collect()
        }))
    }

    fn add_key<'a>(&'a self, key: &'a ApiKey, hash: KeyHash) -> PortFuture<'a, Answer<()>> {
        let key = key.clone();
        Box::pin(self.change(move |connection| insert_key(connection, &key, hash), |()| ()))
    }

    fn keys<'a>(&'a self, tenant: Option<&'a TenantId>) -> PortFuture<'a, Answer<Vec<ApiKey>>> {
        let tenant = tenant.map(|tenant| tenant.as_str().to_owned());
        Box::pin(self.list(move |connection| {
            let text = format!("{KEY} WHERE ?1 IS NULL OR tenants.name = ?1 ORDER BY api_keys.id");
            let mut statement = connection.prepare_cached(&text)?;
            statement.query_map([tenant], key_of)?.collect()
        }))
    }

    fn find_key(&self, hash: KeyHash) -> PortFuture<'_, Answer<Option<ApiKey>>> {
        Box::pin(self.list(move |connection| {
            let text = format!("{KEY} WHERE api_keys.hash = ?1");
            connection.prepare_cached(&text)?.query_row([hash.0], key_of).optional()
        }))
    }

    fn revoke_key<'a>(&'a self, id: &'a str) -> PortFuture<'a, Answer<ApiKey>> {
        let (id, now) = (id.to_owned(), self.shared.options.clock.now());
        Box::pin(self.change(move |connection| revoke(connection, &id, now), |_| ()))
    }

    fn set_grants<'a>(&'a self, id: &'a str, grants: &'a [Grant]) -> PortFuture<'a, Answer<ApiKey>> {
        let (id, grants) = (id.to_owned(), grants_text(grants));
        Box::pin(self.change(move |connection| set_grants(connection, &id, &grants), |_| ()))
    }

    fn add_webhook<'a>(&'a self, webhook: &'a WebhookSecret) -> PortFuture<'a, Answer<()>> {
        let webhook = webhook.clone();
        Box::pin(self.change(move |connection| webhooks::add(connection, &webhook), |()| ()))
    }

    fn webhooks<'a>(&'a self, provider: &'a str) -> PortFuture<'a, Answer<Vec<WebhookSecret>>> {
        let provider = provider.to_owned();
        Box::pin(self.list(move |connection| webhooks::list(connection, &provider)))
    }

    fn remove_webhook<'a>(&'a self, id: &'a str) -> PortFuture<'a, Answer<WebhookSecret>> {
        let id = id.to_owned();
        Box::pin(self.change(move |connection| webhooks::remove(connection, &id), |_| ()))
    }
}
