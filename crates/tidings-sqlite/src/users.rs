//! Users: who signs in with a password, and which ids of tokens are disabled.
//!
//! Owns: the table `users`. Leaves out: sign-ins (`cookie_sessions`). Invariants: emails stand in lower case; whoever is
//! disabled, or given a new password, has no cookie session from the same commit on.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::directory::DirectoryError;
use tidings_core::port::users::{CookieSession, PasswordHash, Role, User, UserId};
use tidings_core::port::{PortFuture, StorageError, Users, directory::KeyHash};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use crate::change::{Answer, tenant_row};
use crate::cookie_sessions;
use crate::row::damaged;
use crate::store::SqliteStore;

/// The columns that [`decode`] reads, in its order.
pub(crate) const COLUMNS: &str =
    "users.public_id, tenants.name, users.email, users.role, users.created_at, users.disabled_at";

fn select(condition: &str) -> String {
    format!(
        "SELECT {COLUMNS}, users.password FROM users JOIN tenants ON tenants.id = users.tenant WHERE {condition}"
    )
}

/// A text in the file that is no id or no role.
#[derive(Debug, thiserror::Error)]
#[error("it is not what was written there")]
struct Unreadable;

/// The id in a column.
pub(crate) fn user_id(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    UserId::new(row.get_ref(column)?.as_str()?).ok_or_else(|| damaged(column, Unreadable))
}

/// The user whose columns begin at `first`.
pub(crate) fn decode(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    let tenant: String = row.get(first + 1)?;
    let role = Role::parse(row.get_ref(first + 3)?.as_str()?);
    Ok(User {
        id: user_id(row, first)?,
        tenant: tenant.parse().map_err(|error| damaged(first + 1, error))?,
        email: row.get(first + 2)?,
        role: role.ok_or_else(|| damaged(first + 3, Unreadable))?,
        created_at: Timestamp(row.get(first + 4)?),
        disabled_at: row.get::<_, Option<i64>>(first + 5)?.map(Timestamp),
    })
}

/// The user with this id.
pub(crate) fn find(connection: &Connection, id: &UserId) -> rusqlite::Result<Option<User>> {
    connection
        .prepare_cached(&select("users.public_id = ?1"))?
        .query_row([id.as_str()], |row| decode(row, 0))
        .optional()
}

/// The user who signs in with this email.
pub(crate) fn find_login(
    connection: &Connection,
    email: &str,
) -> rusqlite::Result<Option<(User, PasswordHash)>> {
    connection
        .prepare_cached(&select("users.email = ?1 AND users.password IS NOT NULL"))?
        .query_row([email.to_lowercase()], |row| Ok((decode(row, 0)?, PasswordHash(row.get(6)?))))
        .optional()
}

/// The users of a tenant, or of all.
pub(crate) fn list(connection: &Connection, tenant: Option<&TenantId>) -> rusqlite::Result<Vec<User>> {
    let decode = |row: &Row<'_>| decode(row, 0);
    match tenant {
        None => {
            let mut statement = connection.prepare_cached(&select("true ORDER BY users.id"))?;
            statement.query_map([], decode)?.collect()
        }
        Some(tenant) => {
            let text = select("users.tenant = (SELECT id FROM tenants WHERE name = ?1) ORDER BY users.id");
            connection.prepare_cached(&text)?.query_map([tenant.as_str()], decode)?.collect()
        }
    }
}

/// Stores a user; false where the id or the email is in use.
fn insert(
    connection: &Connection,
    tenant: i64,
    user: &User,
    password: Option<&PasswordHash>,
) -> rusqlite::Result<bool> {
    let stored = connection.execute(
        "INSERT INTO users (public_id, tenant, email, password, role, created_at, disabled_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![
            user.id.as_str(),
            tenant,
            user.email.as_ref().map(|email| email.to_lowercase()),
            password.map(|password| &password.0),
            user.role.name(),
            user.created_at.0,
            user.disabled_at.map(|at| at.0),
        ],
    )?;
    Ok(stored == 1)
}

/// Makes a user.
pub(crate) fn add(
    connection: &Connection,
    user: &User,
    password: &PasswordHash,
) -> rusqlite::Result<Answer<()>> {
    let Some(tenant) = tenant_row(connection, &user.tenant)? else {
        return Ok(Err(DirectoryError::Missing));
    };
    let stored = insert(connection, tenant, user, Some(password))?;
    Ok(if stored { Ok(()) } else { Err(DirectoryError::Taken) })
}

fn set_password(
    connection: &Connection,
    id: &UserId,
    password: &PasswordHash,
    now: Timestamp,
) -> rusqlite::Result<Answer<Vec<String>>> {
    let set = connection
        .execute("UPDATE users SET password = ?2 WHERE public_id = ?1", params![id.as_str(), password.0])?;
    if set == 0 {
        return Ok(Err(DirectoryError::Missing));
    }
    cookie_sessions::end(connection, id, None, now).map(Ok)
}

/// Disables a user, or an id that only tokens name.
pub(crate) fn disable(
    connection: &Connection,
    id: &UserId,
    tenant: Option<&TenantId>,
    now: Timestamp,
) -> rusqlite::Result<Answer<User>> {
    let Some(found) = find(connection, id)? else {
        return enter_disabled(connection, id, tenant, now);
    };
    if tenant.is_some_and(|tenant| *tenant != found.tenant) {
        return Ok(Err(DirectoryError::Taken));
    }
    connection.execute(
        "UPDATE users SET disabled_at = ?2 WHERE public_id = ?1 AND disabled_at IS NULL",
        params![id.as_str(), now.0],
    )?;
    cookie_sessions::end_all(connection, id)?;
    Ok(find(connection, id)?.ok_or(DirectoryError::Missing))
}

/// An id that only tokens name.
fn enter_disabled(
    connection: &Connection,
    id: &UserId,
    tenant: Option<&TenantId>,
    now: Timestamp,
) -> rusqlite::Result<Answer<User>> {
    let Some(tenant) = tenant else { return Ok(Err(DirectoryError::Missing)) };
    let Some(row) = tenant_row(connection, tenant)? else { return Ok(Err(DirectoryError::Missing)) };
    let user = User {
        id: id.clone(),
        tenant: tenant.clone(),
        email: None,
        role: Role::default(),
        created_at: now,
        disabled_at: Some(now),
    };
    insert(connection, row, &user, None)?;
    Ok(Ok(user))
}

impl Users for SqliteStore {
    fn add_user<'a>(&'a self, user: &'a User, password: &'a PasswordHash) -> PortFuture<'a, Answer<()>> {
        let (user, password) = (user.clone(), password.clone());
        Box::pin(self.change(move |connection| add(connection, &user, &password), |()| ()))
    }

    fn users<'a>(&'a self, tenant: Option<&'a TenantId>) -> PortFuture<'a, Answer<Vec<User>>> {
        let tenant = tenant.cloned();
        Box::pin(self.list(move |connection| list(connection, tenant.as_ref())))
    }

    fn find_user<'a>(&'a self, id: &'a UserId) -> PortFuture<'a, Answer<Option<User>>> {
        let id = id.clone();
        Box::pin(self.list(move |connection| find(connection, &id)))
    }

    fn find_login<'a>(&'a self, email: &'a str) -> PortFuture<'a, Answer<Option<(User, PasswordHash)>>> {
        let email = email.to_owned();
        Box::pin(self.list(move |connection| find_login(connection, &email)))
    }

    fn set_password<'a>(
        &'a self,
        id: &'a UserId,
        password: &'a PasswordHash,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        let (id, password, now) = (id.clone(), password.clone(), self.shared.options.clock.now());
        Box::pin(self.change(move |connection| set_password(connection, &id, &password, now), |_| ()))
    }

    fn disable_user<'a>(
        &'a self,
        id: &'a UserId,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Answer<User>> {
        let (id, tenant, now) = (id.clone(), tenant.cloned(), self.shared.options.clock.now());
        Box::pin(self.change(move |connection| disable(connection, &id, tenant.as_ref(), now), |_| ()))
    }

    fn add_cookie_session<'a>(
        &'a self,
        session: &'a CookieSession,
        token: KeyHash,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        let (session, now) = (session.clone(), self.shared.options.clock.now());
        Box::pin(
            self.change(move |connection| cookie_sessions::add(connection, &session, token, now), |_| ()),
        )
    }

    fn find_cookie_session(&self, token: KeyHash) -> PortFuture<'_, Answer<Option<(CookieSession, User)>>> {
        let now = self.shared.options.clock.now();
        Box::pin(self.list(move |connection| cookie_sessions::find(connection, token, now)))
    }

    fn cookie_sessions<'a>(&'a self, user: &'a UserId) -> PortFuture<'a, Answer<Vec<CookieSession>>> {
        let (user, now) = (user.clone(), self.shared.options.clock.now());
        Box::pin(self.list(move |connection| cookie_sessions::list(connection, &user, now)))
    }

    fn end_cookie_sessions<'a>(
        &'a self,
        user: &'a UserId,
        id: Option<&'a str>,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        let (user, id, now) = (user.clone(), id.map(str::to_owned), self.shared.options.clock.now());
        Box::pin(self.change(
            move |connection| cookie_sessions::end(connection, &user, id.as_deref(), now).map(Ok),
            |_| (),
        ))
    }

    fn health(&self) -> Result<(), StorageError> {
        self.readers.health()
    }
}
