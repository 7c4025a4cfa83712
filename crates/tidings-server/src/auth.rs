//! From a request's credential to its principal.
//!
//! Owns: where a credential may stand, how keys are compared, and the cache of known keys. The tenant comes from the
//! credential alone. A key's text is hashed at once and never kept, logged or compared as text.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tidings_core::Principal;
use tidings_core::port::Directory;
use tidings_core::port::directory::{ApiKey, KeyHash};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use crate::problem::{Answer, Refusal};

/// Most keys remembered; past that the cache begins anew.
const CACHED_KEYS: usize = 10_000;

/// Longest credential that is looked at, in bytes.
const CREDENTIAL_BYTES: usize = 4 * 1024;

/// Most revoked keys remembered: more than are revoked while one request is on its way.
const REVOKED_KEYS: usize = 10_000;

/// What the principal's id of a key begins with.
const KEY_PRINCIPAL: &str = "key:";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The hash under which a key's text is stored.
#[must_use]
pub fn hash_key(text: &str) -> KeyHash {
    KeyHash(Sha256::digest(text.as_bytes()).into())
}

/// Knows keys.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    known: HashMap<KeyHash, Known>,
    revoked: Revoked,
}

/// Keys that were revoked lately, by id: whoever looked a key up just before learns of it here.
#[derive(Default)]
struct Revoked {
    ids: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Revoked {
    fn note(&mut self, id: Arc<str>) {
        if self.order.len() >= REVOKED_KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        if self.ids.insert(id.clone()) {
            self.order.push_back(id);
        }
    }
}

/// A key that was looked up: its id and its principal.
struct Known {
    id: Arc<str>,
    principal: Arc<Principal>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// Looks keys up in `directory`.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory, keys: Mutex::default() }
    }

    /// The principal of the credential in `Authorization: Bearer …` or `x-api-key`.
    ///
    /// # Errors
    /// `unauthenticated` without a valid credential, and where both headers stand and differ.
    pub async fn from_headers(&self, headers: &HeaderMap, now: Timestamp) -> Answer<Arc<Principal>> {
        let text = credential(headers)?;
        self.from_text(text, now).await
    }

    /// The principal of a credential's text.
    ///
    /// # Errors
    /// `unauthenticated` where it is not valid now.
    pub async fn from_text(&self, text: &str, now: Timestamp) -> Answer<Arc<Principal>> {
        let hash = hash_key(text);
        let known = self.keys.lock().known.get(&hash).map(|known| known.principal.clone());
        let principal = match known {
            Some(principal) => principal,
            None => self.look_up(hash).await?,
        };
        if principal.expires_at.is_some_and(|at| at <= now) {
            return Err(invalid("the key has expired"));
        }
        Ok(principal)
    }

    async fn look_up(&self, hash: KeyHash) -> Answer<Arc<Principal>> {
        let key = self.directory.find_key(hash).await.map_err(|error| {
            tracing::warn!(%error, "keys cannot be looked up");
            Refusal(Problem::of(ErrorCode::Capacity).retry_after(1))
        })?;
        let Some(key) = key.filter(|key| key.revoked_at.is_none()) else {
            return Err(invalid("the credential is not valid"));
        };
        let principal = Arc::new(principal_of(&key));
        let mut keys = self.keys.lock();
        if keys.revoked.ids.contains(&*key.id) {
            // Revoked since it was read: nobody will come to make it forgotten again.
            return Err(invalid("the credential is not valid"));
        }
        if keys.known.len() >= CACHED_KEYS {
            keys.known.clear();
        }
        keys.known.insert(hash, Known { id: key.id.into(), principal: principal.clone() });
        Ok(principal)
    }

    /// Whether the principal's key was revoked a moment ago. A stream that has been entered among the open ones asks
    /// this last: either it is told of a revocation, or it sees it here.
    #[must_use]
    pub fn is_revoked(&self, principal: &Principal) -> bool {
        let id = principal.id.strip_prefix(KEY_PRINCIPAL);
        id.is_some_and(|id| self.keys.lock().revoked.ids.contains(id))
    }

    /// Forgets a key that was revoked, so that its next use is looked up.
    pub fn forget(&self, id: &str) {
        let mut keys = self.keys.lock();
        keys.known.retain(|_, known| &*known.id != id);
        keys.revoked.note(id.into());
    }
}

fn principal_of(key: &ApiKey) -> Principal {
    Principal {
        tenant: key.tenant.clone(),
        id: format!("{KEY_PRINCIPAL}{}", key.id).into(),
        grants: key.grants.clone().into(),
        expires_at: key.expires_at,
        names_actors: true,
    }
}

fn credential(headers: &HeaderMap) -> Answer<&str> {
    let bearer = single(headers, &header::AUTHORIZATION)?.map(bearer_text).transpose()?;
    let api_key = single(headers, &API_KEY)?;
    match (bearer, api_key) {
        (Some(bearer), Some(api_key)) if bearer != api_key => {
            Err(invalid("two different credentials were sent"))
        }
        (Some(text), _) | (None, Some(text)) => Ok(text),
        (None, None) => Err(Refusal::of(ErrorCode::Unauthenticated)),
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Answer<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("a credential was sent twice"));
    }
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= CREDENTIAL_BYTES => Ok(Some(text)),
        _ => Err(invalid("the credential is not valid")),
    }
}

fn bearer_text(value: &str) -> Answer<&str> {
    // RFC 9110, 11.1: the scheme's case does not matter.
    match value.split_once(' ') {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") && !text.is_empty() => Ok(text),
        _ => Err(invalid("Authorization takes the scheme Bearer")),
    }
}

fn invalid(detail: &str) -> Refusal {
    Refusal(Problem::new(ErrorCode::Unauthenticated, detail))
}
