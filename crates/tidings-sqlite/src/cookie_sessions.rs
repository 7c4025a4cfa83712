//! Cookie sessions: where users are signed in.
//!
//! Owns: the table `cookie_sessions`. Invariants: one whose time is over is given to nobody, whether or not it was swept
//! already; no user has more than [`COOKIE_SESSIONS`].

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::directory::{DirectoryError, KeyHash};
use tidings_core::port::users::{COOKIE_SESSIONS, CookieSession, User, UserId};
use tidings_protocol::time::Timestamp;

use crate::change::Answer;
use crate::row::sql;
use crate::users;

/// The columns that [`decode`] reads, in its order.
const COLUMNS: &str = "cookie_sessions.public_id, cookie_sessions.created_at, cookie_sessions.expires_at, \
                       cookie_sessions.ip_address, cookie_sessions.user_agent";

fn decode(row: &Row<'_>, user: UserId) -> rusqlite::Result<CookieSession> {
    Ok(CookieSession {
        id: row.get(0)?,
        user,
        created_at: Timestamp(row.get(1)?),
        expires_at: Timestamp(row.get(2)?),
        ip_address: row.get(3)?,
        user_agent: row.get(4)?,
    })
}

/// The row of a user, and whether it is disabled.
fn user_row(connection: &Connection, user: &UserId) -> rusqlite::Result<Option<(i64, bool)>> {
    connection
        .prepare_cached("SELECT id, disabled_at IS NOT NULL FROM users WHERE public_id = ?1")?
        .query_row([user.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Stores a session; answers the ids of those that gave way to it.
pub(crate) fn add(
    connection: &Connection,
    session: &CookieSession,
    token: KeyHash,
    now: Timestamp,
) -> rusqlite::Result<Answer<Vec<String>>> {
    let Some((user, false)) = user_row(connection, &session.user)? else {
        return Ok(Err(DirectoryError::Missing));
    };
    let stored = connection
        .prepare_cached(
            "INSERT INTO cookie_sessions (public_id, token, user, created_at, expires_at, ip_address, user_agent) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            session.id,
            token.0,
            user,
            session.created_at.0,
            session.expires_at.0,
            session.ip_address,
            session.user_agent,
        ])?;
    if stored != 1 {
        return Ok(Err(DirectoryError::Taken));
    }
    connection
        .prepare_cached("DELETE FROM cookie_sessions WHERE user = ?1 AND expires_at <= ?2")?
        .execute([user, now.0])?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM cookie_sessions WHERE id IN \
         (SELECT id FROM cookie_sessions WHERE user = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2) RETURNING public_id",
    )?;
    let gone = statement.query_map([user, sql(COOKIE_SESSIONS as u64)], |row| row.get(0))?;
    gone.collect::<rusqlite::Result<_>>().map(Ok)
}

/// The session of a token, with its user.
pub(crate) fn find(
    connection: &Connection,
    token: KeyHash,
    now: Timestamp,
) -> rusqlite::Result<Option<(CookieSession, User)>> {
    let text = format!(
        "SELECT {COLUMNS}, {} FROM cookie_sessions JOIN users ON users.id = cookie_sessions.user \
         JOIN tenants ON tenants.id = users.tenant WHERE cookie_sessions.token = ?1 AND cookie_sessions.expires_at > ?2",
        users::COLUMNS
    );
    connection
        .prepare_cached(&text)?
        .query_row(params![token.0, now.0], |row| {
            let user = users::decode(row, 5)?;
            Ok((decode(row, user.id.clone())?, user))
        })
        .optional()
}

/// A user's sessions, newest first.
pub(crate) fn list(
    connection: &Connection,
    user: &UserId,
    now: Timestamp,
) -> rusqlite::Result<Vec<CookieSession>> {
    let Some((row, _)) = user_row(connection, user)? else { return Ok(Vec::new()) };
    let text = format!(
        "SELECT {COLUMNS} FROM cookie_sessions WHERE user = ?1 AND +expires_at > ?2 ORDER BY id DESC"
    );
    let mut statement = connection.prepare_cached(&text)?;
    statement.query_map([row, now.0], |found| decode(found, user.clone()))?.collect()
}

/// Ends one session of a user, or all; answers the ids of those that were still good.
pub(crate) fn end(
    connection: &Connection,
    user: &UserId,
    id: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Vec<String>> {
    let Some((row, _)) = user_row(connection, user)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "DELETE FROM cookie_sessions WHERE user = ?1 AND (?2 IS NULL OR public_id = ?2) \
         RETURNING public_id, expires_at > ?3",
    )?;
    let ended = statement.query_map(params![row, id, now.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ended = ended.collect::<rusqlite::Result<Vec<(String, bool)>>>()?;
    Ok(ended.into_iter().filter(|(_, good)| *good).map(|(id, _)| id).collect())
}

/// Ends all sessions of a user.
pub(crate) fn end_all(connection: &Connection, user: &UserId) -> rusqlite::Result<()> {
    let Some((row, _)) = user_row(connection, user)? else { return Ok(()) };
    connection.prepare_cached("DELETE FROM cookie_sessions WHERE user = ?1")?.execute([row])?;
    Ok(())
}

/// Removes up to `limit` sessions whose time is over. Answers how many.
pub(crate) fn forget(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM cookie_sessions WHERE id IN \
             (SELECT id FROM cookie_sessions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.0, sql(limit as u64)])
}
