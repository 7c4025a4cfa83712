//! Users and their cookie sessions: who signs in with a password, and where they are signed in.
//!
//! A cookie session is one sign-in of a browser, kept until it ends or is ended; not to be confused with a session of
//! the core, which is one open stream.

use std::fmt;
use std::sync::Arc;

use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::directory::{DirectoryError, KeyHash};
use super::{PortFuture, StorageError};

/// Names a user over all tenants: `usr_…`, or `<issuer name>|<sub>` where a token says who it is. 1 to 300 bytes without
/// control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The longest, in bytes.
    pub const MAX_BYTES: usize = 300;

    /// The id of that text; `None` where it is empty, too long, or has control characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::MAX_BYTES && !text.chars().any(char::is_control);
        fits.then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.0)
    }
}

/// What a user may do within the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Sees its own records and what it is a member of.
    #[default]
    Member,
    /// Sees and does everything within its tenant.
    Admin,
}

impl Role {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Member, Self::Admin].into_iter().find(|role| role.name() == word)
    }
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Whose.
    pub tenant: TenantId,
    /// The address it signs in with, in lower case; distinct over all tenants. `None` for a user who is known by tokens
    /// alone and stands here because it was disabled.
    pub email: Option<String>,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it may not sign in, nor use what it has.
    pub disabled_at: Option<Timestamp>,
}

/// A password as it is kept: a PHC string of a slow hash. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// One sign-in of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSession {
    /// Its public id, `ses_…`.
    pub id: String,
    /// Who signed in.
    pub user: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// From which address.
    pub ip_address: Option<String>,
    /// With what, at most 512 bytes.
    pub user_agent: Option<String>,
}

/// Most cookie sessions of one user; a further one takes the oldest one's place.
pub const COOKIE_SESSIONS: usize = 100;

/// Users and their cookie sessions. Changes are durable before they are answered.
///
/// A cookie session whose time is over is not given any more, and removed some time later.
pub trait Users: Send + Sync + 'static {
    /// Makes a user with a password. `Taken` where the id or the email is in use, in whatever tenant; `Missing` where
    /// there is no such tenant.
    fn add_user<'a>(
        &'a self,
        user: &'a User,
        password: &'a PasswordHash,
    ) -> PortFuture<'a, Result<(), DirectoryError>>;

    /// The users of a tenant, or of all, oldest first.
    fn users<'a>(&'a self, tenant: Option<&'a TenantId>)
    -> PortFuture<'a, Result<Vec<User>, DirectoryError>>;

    /// The user with this id.
    fn find_user<'a>(&'a self, id: &'a UserId) -> PortFuture<'a, Result<Option<User>, DirectoryError>>;

    /// The user with this email (any case) and how its password is kept; `None` for the hash where it has no password.
    fn find_login<'a>(
        &'a self,
        email: &'a str,
    ) -> PortFuture<'a, Result<Option<(User, PasswordHash)>, DirectoryError>>;

    /// Sets a new password, and ends every cookie session of the user in the same commit; answers their ids. `Missing`
    /// without such a user.
    fn set_password<'a>(
        &'a self,
        id: &'a UserId,
        password: &'a PasswordHash,
    ) -> PortFuture<'a, Result<Vec<String>, DirectoryError>>;

    /// Disables a user and removes its cookie sessions, in one commit; answers the user. A second time changes nothing.
    /// Where there is no such user and `tenant` is given, the id is one that tokens of the tenant name: it is entered as
    /// disabled, without email. Without a tenant `Missing`; `Taken` where the id is a user of another tenant.
    fn disable_user<'a>(
        &'a self,
        id: &'a UserId,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Result<User, DirectoryError>>;

    /// Stores a cookie session by the hash of its token. Past [`COOKIE_SESSIONS`] of the user, its oldest go; answers
    /// their ids. `Missing` where there is no such user, or it is disabled.
    fn add_cookie_session<'a>(
        &'a self,
        session: &'a CookieSession,
        token: KeyHash,
    ) -> PortFuture<'a, Result<Vec<String>, DirectoryError>>;

    /// The cookie session of a token, with its user as it is now; `None` where it has ended or its time is over.
    fn find_cookie_session(
        &self,
        token: KeyHash,
    ) -> PortFuture<'_, Result<Option<(CookieSession, User)>, DirectoryError>>;

    /// The cookie sessions of a user whose time is not over, newest first.
    fn cookie_sessions<'a>(
        &'a self,
        user: &'a UserId,
    ) -> PortFuture<'a, Result<Vec<CookieSession>, DirectoryError>>;

    /// Ends cookie sessions of a user: the one with this id, or all; answers the ids of those that were ended.
    fn end_cookie_sessions<'a>(
        &'a self,
        user: &'a UserId,
        id: Option<&'a str>,
    ) -> PortFuture<'a, Result<Vec<String>, DirectoryError>>;

    /// Whether users can be looked up.
    fn health(&self) -> Result<(), StorageError>;
}
