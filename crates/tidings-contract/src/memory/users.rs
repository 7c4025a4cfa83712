//! The Users on a [`MemoryDisk`](super::MemoryDisk).

use tidings_core::port::directory::{DirectoryError, KeyHash};
use tidings_core::port::users::{COOKIE_SESSIONS, CookieSession, PasswordHash, Role, User, UserId};
use tidings_core::port::{PortFuture, StorageError, Users};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::disk::Contents;
use super::store::MemoryStore;

type Answer<T> = Result<T, DirectoryError>;

/// Users and where they are signed in; both oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct UserState {
    users: Vec<(User, Option<PasswordHash>)>,
    sessions: Vec<(KeyHash, CookieSession)>,
}

impl UserState {
    pub(super) fn find(&self, id: &UserId) -> Option<&User> {
        self.users.iter().map(|(user, _)| user).find(|user| user.id == *id)
    }

    /// Removes the sessions whose time is over.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.sessions.retain(|(_, session)| session.expires_at > now);
    }

    /// Removes sessions of a user; answers their ids.
    fn end(&mut self, user: &UserId, id: Option<&str>) -> Vec<String> {
        let ends = |session: &CookieSession| session.user == *user && id.is_none_or(|id| session.id == id);
        let gone = self.sessions.extract_if(.., |(_, session)| ends(session));
        gone.map(|(_, session)| session.id).collect()
    }

    fn sign_in(&mut self, session: &CookieSession, token: KeyHash) -> Answer<Vec<String>> {
        if self.find(&session.user).is_none_or(|user| user.disabled_at.is_some()) {
            return Err(DirectoryError::Missing);
        }
        if self.sessions.iter().any(|(other, one)| *other == token || one.id == session.id) {
            return Err(DirectoryError::Taken);
        }
        self.sessions.push((token, session.clone()));
        let own = self.sessions.iter().filter(|(_, one)| one.user == session.user);
        let ids: Vec<String> = own.map(|(_, one)| one.id.clone()).collect();
        let oldest = &ids[..ids.len().saturating_sub(COOKIE_SESSIONS)];
        Ok(oldest.iter().flat_map(|id| self.end(&session.user, Some(id))).collect())
    }
}

fn add(contents: &mut Contents, user: User, password: Option<PasswordHash>) -> Answer<()> {
    if !contents.tenants.contains_key(&user.tenant) {
        return Err(DirectoryError::Missing);
    }
    let email = user.email.as_ref().map(|email| email.to_lowercase());
    let clashes = |(other, _): &(User, _)| other.id == user.id || email.is_some() && other.email == email;
    if contents.users.users.iter().any(clashes) {
        return Err(DirectoryError::Taken);
    }
    contents.users.users.push((User { email, ..user }, password));
    Ok(())
}

fn set_password(contents: &mut Contents, id: &UserId, password: &PasswordHash) -> Answer<Vec<String>> {
    let found = contents.users.users.iter_mut().find(|(user, _)| user.id == *id);
    let (_, old) = found.ok_or(DirectoryError::Missing)?;
    *old = Some(password.clone());
    Ok(contents.users.end(id, None))
}

fn disable(contents: &mut Contents, id: &UserId, tenant: Option<&TenantId>, now: Timestamp) -> Answer<User> {
    let found = contents.users.users.iter_mut().map(|(user, _)| user).find(|user| user.id == *id);
    let Some(user) = found else {
        let tenant = tenant.ok_or(DirectoryError::Missing)?.clone();
        let (id, role, disabled_at) = (id.clone(), Role::default(), Some(now));
        let user = User { id, tenant, email: None, role, created_at: now, disabled_at };
        return add(contents, user.clone(), None).map(|()| user);
    };
    if tenant.is_some_and(|tenant| user.tenant != *tenant) {
        return Err(DirectoryError::Taken);
    }
    user.disabled_at.get_or_insert(now);
    let user = user.clone();
    contents.users.end(id, None);
    Ok(user)
}

impl MemoryStore {
    /// Looks at users and sessions, those gone whose time is over.
    fn with_users<T>(&self, work: impl FnOnce(&mut UserState) -> Answer<T>) -> Answer<T> {
        let now = self.clock.now();
        self.with_contents(|contents| {
            contents.users.sweep(now);
            work(&mut contents.users)
        })
    }
}

impl Users for MemoryStore {
    fn add_user<'a>(&'a self, user: &'a User, password: &'a PasswordHash) -> PortFuture<'a, Answer<()>> {
        Box::pin(
            async move { self.with_contents(|contents| add(contents, user.clone(), Some(password.clone()))) },
        )
    }

    fn users<'a>(&'a self, tenant: Option<&'a TenantId>) -> PortFuture<'a, Answer<Vec<User>>> {
        Box::pin(async move {
            self.with_users(|state| {
                let users = state.users.iter().map(|(user, _)| user);
                Ok(users.filter(|user| tenant.is_none_or(|tenant| user.tenant == *tenant)).cloned().collect())
            })
        })
    }

    fn find_user<'a>(&'a self, id: &'a UserId) -> PortFuture<'a, Answer<Option<User>>> {
        Box::pin(async move { self.with_users(|state| Ok(state.find(id).cloned())) })
    }

    fn find_login<'a>(&'a self, email: &'a str) -> PortFuture<'a, Answer<Option<(User, PasswordHash)>>> {
        Box::pin(async move {
            let email = Some(email.to_lowercase());
            self.with_users(|state| {
                let found = state.users.iter().find(|(user, _)| user.email == email);
                Ok(found.and_then(|(user, password)| Some((user.clone(), password.clone()?))))
            })
        })
    }

    fn set_password<'a>(
        &'a self,
        id: &'a UserId,
        password: &'a PasswordHash,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        Box::pin(async move { self.with_contents(|contents| set_password(contents, id, password)) })
    }

    fn disable_user<'a>(
        &'a self,
        id: &'a UserId,
        tenant: Option<&'a TenantId>,
    ) -> PortFuture<'a, Answer<User>> {
        let now = self.clock.now();
        Box::pin(async move { self.with_contents(|contents| disable(contents, id, tenant, now)) })
    }

    fn add_cookie_session<'a>(
        &'a self,
        session: &'a CookieSession,
        token: KeyHash,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        Box::pin(async move { self.with_users(|state| state.sign_in(session, token)) })
    }

    fn find_cookie_session(&self, token: KeyHash) -> PortFuture<'_, Answer<Option<(CookieSession, User)>>> {
        Box::pin(async move {
            self.with_users(|state| {
                let found = state.sessions.iter().find(|(other, _)| *other == token);
                Ok(found.and_then(|(_, one)| Some((one.clone(), state.find(&one.user)?.clone()))))
            })
        })
    }

    fn cookie_sessions<'a>(&'a self, user: &'a UserId) -> PortFuture<'a, Answer<Vec<CookieSession>>> {
        Box::pin(async move {
            self.with_users(|state| {
                let own = state.sessions.iter().map(|(_, one)| one).filter(|one| one.user == *user);
                Ok(own.rev().cloned().collect())
            })
        })
    }

    fn end_cookie_sessions<'a>(
        &'a self,
        user: &'a UserId,
        id: Option<&'a str>,
    ) -> PortFuture<'a, Answer<Vec<String>>> {
        Box::pin(async move { self.with_users(|state| Ok(state.end(user, id))) })
    }

    fn health(&self) -> Result<(), StorageError> {
        tidings_core::port::Store::health(self)
    }
}
