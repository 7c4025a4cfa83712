//! From a request's credential to its principal.
//!
//! Owns: how credentials are looked up, the caches of those that are known, and what is remembered of those that ended.
//! Leaves out: where a credential stands ([`credential`]), how passwords are kept ([`password`]), how tokens are
//! verified ([`crate::jwt`]), and what a page may do with a cookie ([`crate::origin`]).
//!
//! Invariants: the tenant comes from the credential alone; a secret's text is hashed at once and never kept, logged or
//! compared as text; a credential that has ended is not known any more when [`Authenticator::forget`] returns, and
//! whoever looked it up just before learns of it from [`Authenticator::has_ended`].

pub mod credential;
pub mod password;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tidings_core::port::directory::{ApiKey, Grant, KeyHash};
use tidings_core::port::users::{CookieSession, User, UserId};
use tidings_core::port::{Directory, Users};
use tidings_core::principal::{Account, Credential, Principal};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use crate::jwt::{Invalid, Verified, Verifier};
use crate::problem::{Answer, Refusal};

use credential::{Sent, invalid};

/// Most credentials remembered; past that the cache begins anew.
const CACHED: usize = 10_000;

/// How often a credential is read anew because another one changed meanwhile.
const LOOKS: usize = 5;

/// Most ended credentials remembered: more than end while one request is on its way.
const ENDED: usize = 10_000;

/// What a token that was good is refused with; other reasons would tell a stranger which issuers and keys there are.
const EXPIRED: &str = "the token has expired";

/// What the text of every cookie session begins with.
pub const COOKIE_PREFIX: &str = "tds_";

/// The hash under which a secret's text is stored.
#[must_use]
pub fn hash_key(text: &str) -> KeyHash {
    KeyHash(Sha256::digest(text.as_bytes()).into())
}

/// What has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ended {
    /// A key, a cookie session.
    Credential(Credential),
    /// All that a user has.
    User(UserId),
}

impl Ended {
    /// Whether the principal is known by it.
    #[must_use]
    pub fn is_of(&self, principal: &Principal) -> bool {
        match self {
            Self::Credential(credential) => principal.credential == *credential,
            Self::User(user) => principal.user() == Some(user),
        }
    }
}

/// What has ended lately.
#[derive(Default)]
struct Memory {
    ended: HashSet<Ended>,
    order: VecDeque<Ended>,
}

impl Memory {
    fn note(&mut self, ended: Ended) {
        if self.order.len() >= ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        if self.ended.insert(ended.clone()) {
            self.order.push_back(ended);
        }
    }

    fn holds(&self, principal: &Principal) -> bool {
        let user = principal.user().map(|user| Ended::User(user.clone()));
        self.ended.contains(&Ended::Credential(principal.credential.clone()))
            || user.is_some_and(|user| self.ended.contains(&user))
    }
}

#[derive(Default)]
struct Known {
    principals: HashMap<KeyHash, Arc<Principal>>,
    /// Whether users that tokens name were disabled here.
    disabled: HashMap<UserId, bool>,
    memory: Memory,
    /// How often a credential, a user or a key's grants changed: what was read before that is read again.
    changes: u64,
}

/// Knows credentials.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    users: Arc<dyn Users>,
    tokens: Verifier,
    /// What every signed-in user is granted.
    user_grants: Arc<[Grant]>,
    known: Mutex<Known>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// Looks credentials up in `directory` and `users`, and verifies tokens by `tokens`.
    #[must_use]
    pub fn new(
        directory: Arc<dyn Directory>,
        users: Arc<dyn Users>,
        tokens: Verifier,
        user_grants: Arc<[Grant]>,
    ) -> Self {
        Self { directory, users, tokens, user_grants, known: Mutex::default() }
    }

    /// Users and their cookie sessions.
    #[must_use]
    pub fn users(&self) -> &Arc<dyn Users> {
        &self.users
    }

    /// Tenants, keys and webhooks.
    #[must_use]
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// The principal of a credential as it was sent.
    ///
    /// # Errors
    /// `unauthenticated` where it is not valid now, `capacity` where that cannot be told.
    pub async fn principal(&self, sent: Sent<'_>, now: Timestamp) -> Answer<Arc<Principal>> {
        match sent {
            Sent::Header(text) => self.by_text(text, now).await,
            Sent::Cookie(text) => self.by_secret(text, COOKIE_PREFIX, now).await,
        }
    }

    /// The principal of a key's or token's text.
    ///
    /// # Errors
    /// As [`Self::principal`].
    pub async fn by_text(&self, text: &str, now: Timestamp) -> Answer<Arc<Principal>> {
        if Verifier::looks_like_token(text) {
            self.by_token(text, now).await
        } else {
            self.by_secret(text, "", now).await
        }
    }

    /// The principal of a secret that is stored by its hash: a cookie session's where `prefix` says so, else a key's.
    async fn by_secret(&self, text: &str, prefix: &str, now: Timestamp) -> Answer<Arc<Principal>> {
        // A cookie's text is no key, nor a key's a cookie: each counts only where it belongs.
        if text.starts_with(COOKIE_PREFIX) != (prefix == COOKIE_PREFIX) {
            return Err(invalid("the credential is not valid"));
        }
        let hash = hash_key(text);
        let known = self.known.lock().principals.get(&hash).cloned();
        let principal = match known {
            Some(principal) => principal,
            None => self.look_up(hash, prefix == COOKIE_PREFIX).await?,
        };
        if principal.expires_at.is_some_and(|at| at <= now) {
            return Err(invalid("the credential has expired"));
        }
        Ok(principal)
    }

    async fn look_up(&self, hash: KeyHash, is_cookie: bool) -> Answer<Arc<Principal>> {
        for _ in 0..LOOKS {
            let before = self.known.lock().changes;
            let found =
                if is_cookie { self.look_up_cookie(hash).await? } else { self.look_up_key(hash).await? };
            let principal = found.ok_or_else(|| invalid("the credential is not valid"))?;
            if let Some(known) = self.keep(hash, Arc::new(principal), before) {
                return Ok(known);
            }
        }
        Err(Refusal(Problem::of(ErrorCode::Capacity).retry_after(1)))
    }

    /// Remembers what was read, unless anything has changed since: nobody would come to make it forgotten again.
    fn keep(&self, hash: KeyHash, principal: Arc<Principal>, before: u64) -> Option<Arc<Principal>> {
        let mut known = self.known.lock();
        if known.changes != before {
            return None;
        }
        if known.principals.len() >= CACHED {
            known.principals.clear();
        }
        known.principals.insert(hash, principal.clone());
        Some(principal)
    }

    async fn look_up_cookie(&self, hash: KeyHash) -> Answer<Option<Principal>> {
        let found = self.users.find_cookie_session(hash).await.map_err(|error| unavailable(&error))?;
        let found = found.filter(|(_, user)| user.disabled_at.is_none());
        Ok(found.map(|(session, user)| self.of_cookie_session(&session, &user)))
    }

    fn of_cookie_session(&self, session: &CookieSession, user: &User) -> Principal {
        let credential = Credential::CookieSession(session.id.as_str().into());
        self.of_user(user, credential, Some(session.expires_at))
    }

    fn of_user(&self, user: &User, credential: Credential, expires_at: Option<Timestamp>) -> Principal {
        Principal {
            tenant: user.tenant.clone(),
            id: user_principal(&user.id),
            credential,
            account: Some(Account { id: user.id.clone(), role: user.role }),
            grants: self.user_grants.clone(),
            only: None,
            expires_at,
        }
    }

    async fn look_up_key(&self, hash: KeyHash) -> Answer<Option<Principal>> {
        let key = self.directory.find_key(hash).await.map_err(|error| unavailable(&error))?;
        let Some(key) = key.filter(|key| key.revoked_at.is_none()) else { return Ok(None) };
        let Some(user) = &key.user else { return Ok(Some(of_service_key(&key))) };
        let user = self.users.find_user(user).await.map_err(|error| unavailable(&error))?;
        let user = user.filter(|user| user.disabled_at.is_none() && user.tenant == key.tenant);
        let credential = Credential::Key(key.id.as_str().into());
        Ok(user.map(|user| self.of_user(&user, credential, key.expires_at)))
    }

    async fn by_token(&self, text: &str, now: Timestamp) -> Answer<Arc<Principal>> {
        let verified = self.tokens.verify(text, now).await.map_err(|invalid_token| match invalid_token {
            Invalid::Token(why) => {
                // Said to the operator alone: it would tell a stranger which issuers and keys there are.
                tracing::debug!(why, "a token is not valid");
                invalid(if why == EXPIRED { EXPIRED } else { "the token is not valid" })
            }
            Invalid::KeysUnavailable => {
                let why = "the token's keys cannot be fetched now; try again";
                Refusal(Problem::new(ErrorCode::Capacity, why).retry_after(5))
            }
        })?;
        if self.is_disabled(&verified).await? {
            return Err(invalid("the credential is not valid"));
        }
        let grants = self.user_grants.iter().cloned().chain(verified.grants).collect();
        Ok(Arc::new(Principal {
            tenant: verified.tenant,
            id: user_principal(&verified.user),
            credential: Credential::Token(verified.issuer),
            account: Some(Account { id: verified.user, role: verified.role }),
            grants,
            only: None,
            expires_at: Some(verified.expires_at),
        }))
    }

    async fn is_disabled(&self, verified: &Verified) -> Answer<bool> {
        let known = self.known.lock().disabled.get(&verified.user).copied();
        if let Some(disabled) = known {
            return Ok(disabled);
        }
        let user = self.users.find_user(&verified.user).await.map_err(|error| unavailable(&error))?;
        let disabled = user.is_some_and(|user| user.disabled_at.is_some() || user.tenant != verified.tenant);
        let mut known = self.known.lock();
        if known.disabled.len() >= CACHED {
            known.disabled.clear();
        }
        let ended = known.memory.ended.contains(&Ended::User(verified.user.clone()));
        known.disabled.insert(verified.user.clone(), disabled || ended);
        Ok(disabled || ended)
    }

    /// Whether the principal's credential, or its user, ended a moment ago. A stream that has been entered among the
    /// open ones asks this last: either it is told of the end, or it sees it here.
    #[must_use]
    pub fn has_ended(&self, principal: &Principal) -> bool {
        self.known.lock().memory.holds(principal)
    }

    /// What the service key of the principal may do now, where that is known to be something else.
    #[must_use]
    pub fn changed(&self, principal: &Principal) -> Option<Arc<Principal>> {
        if !principal.is_service() {
            return None;
        }
        let known = self.known.lock();
        let now = known.principals.values().find(|known| known.credential == principal.credential)?;
        (now.grants != principal.grants).then(|| narrowed(now, principal))
    }

    /// Forgets what has ended, so that its next use is looked up.
    pub fn forget(&self, ended: Ended) {
        let mut known = self.known.lock();
        known.changes += 1;
        known.principals.retain(|_, principal| !ended.is_of(principal));
        if let Ended::User(user) = &ended {
            known.disabled.insert(user.clone(), true);
        }
        known.memory.note(ended);
    }

    /// Takes note of a service key's grants as they are now; answers its principal.
    pub fn regrant(&self, key: &ApiKey) -> Arc<Principal> {
        let principal = Arc::new(of_service_key(key));
        let mut known = self.known.lock();
        known.changes += 1;
        for known in known.principals.values_mut().filter(|known| known.credential == principal.credential) {
            *known = principal.clone();
        }
        principal
    }
}

/// A key's principal as a ticket of `earlier` narrows it.
#[must_use]
pub fn narrowed(now: &Principal, earlier: &Principal) -> Arc<Principal> {
    Arc::new(Principal { only: earlier.only.clone(), ..now.clone() })
}

fn unavailable(error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, "credentials cannot be looked up");
    Refusal(Problem::of(ErrorCode::Capacity).retry_after(1))
}

fn user_principal(user: &UserId) -> Arc<str> {
    format!("user:{user}").into()
}

fn of_service_key(key: &ApiKey) -> Principal {
    Principal {
        tenant: key.tenant.clone(),
        id: format!("key:{}", key.id).into(),
        credential: Credential::Key(key.id.as_str().into()),
        account: None,
        grants: key.grants.clone().into(),
        only: None,
        expires_at: key.expires_at,
    }
}
