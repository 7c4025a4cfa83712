//! Tenants and API keys.
//!
//! Changes go through the writer, each in a transaction of its own; lists and look-ups through the readers.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::directory::{ApiKey, DirectoryError, Grant, KeyHash, Tenant};
use tidings_core::port::{Directory, PortFuture, StorageError};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;
use tokio::sync::oneshot;

use crate::error::Step;
use crate::inbox::{Change, Chore};
use crate::start;
use crate::store::SqliteStore;

type Answer<T> = Result<T, DirectoryError>;

/// A change as two closures, and who waits for it.
struct Work<T, F, G> {
    work: F,
    /// Called on the writer's thread once the change is committed.
    after: G,
    result: Option<Answer<T>>,
    reply: oneshot::Sender<Answer<T>>,
}

impl<T, F, G> Change for Work<T, F, G>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<Answer<T>> + Send,
    G: FnOnce(&T) + Send,
{
    fn apply(&mut self, connection: &Connection) -> Step<()> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let lost = || Err(StorageError::Unavailable("the change was not carried out".into()).into());
        let answer = match committed {
            Ok(()) => self.result.unwrap_or_else(lost),
            Err(why) => Err(why.into()),
        };
        if let Ok(value) = &answer {
            (self.after)(value);
        }
        let _ = self.reply.send(answer);
    }
}

impl SqliteStore {
    /// Queues a change. What it refuses, it must not have written.
    fn change<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<Answer<T>> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> impl Future<Output = Answer<T>> + Send {
        let (reply, answer) = oneshot::channel();
        let work = Work { work, after, result: None, reply };
        let queued =
            self.shared.health().and_then(|()| self.shared.inbox.push_chore(Chore::Change(Box::new(work))));
        async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(self.lost().into()))
        }
    }

    /// Reads a list.
    fn list<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Answer<T>> + Send {
        let read = self.readers.read(read);
        async move { Ok(read.await?) }
    }
}

const KEY: &str = "SELECT api_keys.public_id, tenants.name, api_keys.name, api_keys.grants, api_keys.created_at, \
                   api_keys.expires_at, api_keys.revoked_at FROM api_keys JOIN tenants ON tenants.id = api_keys.tenant";

fn damaged(column: usize, why: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(why))
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let tenant: String = row.get(1)?;
    let texts: Vec<String> =
        serde_json::from_str(row.get_ref(3)?.as_str()?).map_err(|error| damaged(3, error))?;
    let grants: Result<Vec<Grant>, _> = texts.iter().map(|text| text.parse()).collect();
    Ok(ApiKey {
        id: row.get(0)?,
        tenant: tenant.parse().map_err(|error| damaged(1, error))?,
        name: row.get(2)?,
        grants: grants.map_err(|error| damaged(3, error))?,
        created_at: Timestamp(row.get(4)?),
        expires_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}

fn insert_key(connection: &Connection, key: &ApiKey, hash: KeyHash) -> rusqlite::Result<Answer<()>> {
    let tenant: Option<i64> = connection
        .query_row("SELECT id FROM tenants WHERE name = ?1", [key.tenant.as_str()], |row| row.get(0))
        .optional()?;
    let Some(tenant) = tenant else { return Ok(Err(DirectoryError::Missing)) };
    let grants: Vec<String> = key.grants.iter().map(ToString::to_string).collect();
    // One statement: any of the three that are distinct (id, hash, name of a key in use) makes it a clash.
    let stored = connection.execute(
        "INSERT INTO api_keys (public_id, tenant, name, hash, grants, created_at, expires_at, revoked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![
            key.id,
            tenant,
            key.name,
            hash.0,
            serde_json::Value::from(grants).to_string(),
            key.created_at.0,
            key.expires_at.map(|at| at.0),
            key.revoked_at.map(|at| at.0),
        ],
    )?;
    Ok(if stored == 1 { Ok(()) } else { Err(DirectoryError::Taken) })
}

fn revoke(connection: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<Answer<ApiKey>> {
    connection.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE public_id = ?1 AND revoked_at IS NULL",
        params![id, now.0],
    )?;
    let found =
        connection.query_row(&format!("{KEY} WHERE api_keys.public_id = ?1"), [id], key_of).optional()?;
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
}
