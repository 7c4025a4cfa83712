//! Who a token says it is.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_core::port::directory::Grant;
use tidings_core::port::users::{Role, UserId};
use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::fetch::{self, Address};
use super::header::Header;
use super::issuer::{self, IssuerConfig, KeySource};
use super::key::Key;
use super::key_set::KeySet;
use super::parts::{self, Parts};
use super::remote::{RemoteKeys, Unavailable};
use super::{Algorithm, claims, json};

/// Who a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The issuer's tenant.
    pub tenant: TenantId,
    /// `<issuer's name>|<sub>`.
    pub user: UserId,
    /// What it may do within its tenant.
    pub role: Role,
    /// What it may do besides: at most 100.
    pub grants: Vec<Grant>,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The issuer's name.
    pub issuer: Arc<str>,
}

/// Why a token stands for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not good. The reason is for logs and the audit; it contains none of the token.
    #[error("{0}")]
    Token(&'static str),
    /// Whether it is good cannot be said now, because its issuer's keys cannot be fetched.
    #[error("the issuer's keys cannot be fetched now")]
    KeysUnavailable,
}

impl From<Unavailable> for Invalid {
    fn from(_: Unavailable) -> Self {
        Self::KeysUnavailable
    }
}

/// Knows the issuers.
#[derive(Debug, Default)]
pub struct Verifier {
    /// By `iss`.
    issuers: HashMap<String, Issuer>,
}

/// An issuer that is believed.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) tenant: TenantId,
    pub(super) name: Arc<str>,
    pub(super) audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Fixed(KeySet),
    Remote(RemoteKeys),
}

impl Verifier {
    /// Believes these issuers. Key sets are fetched when the first token comes, not here.
    ///
    /// # Errors
    /// The first thing that is wrong, with the issuer's name and what to do.
    pub fn new(issuers: Vec<IssuerConfig>) -> Result<Self, String> {
        issuer::check_together(&issuers).map_err(|(index, why)| format!("auth.issuers[{index}].{why}"))?;
        let read = issuers.into_iter().map(|config| {
            let named = |why: String| format!("auth.issuers, the issuer named {:?}: {why}", config.name);
            Issuer::of(&config).map(|issuer| (config.issuer.clone(), issuer)).map_err(named)
        });
        Ok(Self { issuers: read.collect::<Result<_, _>>()? })
    }

    /// Whether no issuer is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether a credential's text has the shape of a token: three parts of base64url. An API key never has.
    #[must_use]
    pub fn looks_like_token(text: &str) -> bool {
        parts::has_shape(text)
    }

    /// Who the token stands for. Cost: one signature, at most four where keys have no names; now and then one fetch of
    /// the issuer's keys, 5 s at most.
    ///
    /// # Errors
    /// [`Invalid`].
    pub async fn verify(&self, text: &str, now: Timestamp) -> Result<Verified, Invalid> {
        let parts = Parts::of(text)?;
        let header = Header::read(&parts.header)?;
        let said =
            json::object(&parts.claims).ok_or(Invalid::Token("the claims are no plain JSON object"))?;
        let issuer = self.issuers.get(claims::issuer(&said)?);
        let issuer = issuer.ok_or(Invalid::Token("the issuer is not one that is believed"))?;
        issuer.check_signature(&header, &parts, now).await?;
        claims::judge(&said, issuer, now)
    }
}

impl Issuer {
    fn of(config: &IssuerConfig) -> Result<Self, String> {
        config.check()?;
        let name: Arc<str> = config.name.as_str().into();
        let keys = match &config.keys {
            KeySource::Static(keys) => {
                Keys::Fixed(KeySet::of(keys.iter().map(Key::of_config).collect::<Result<_, _>>()?))
            }
            KeySource::Jwks(url) => {
                let address =
                    Address::of(url, fetch::system_trust).map_err(|why| format!("jwks_url: {why}"))?;
                Keys::Remote(RemoteKeys::new(Arc::clone(&name), config.algorithms.clone(), address))
            }
        };
        let (audience, algorithms) = (config.audience.clone(), config.algorithms.clone());
        Ok(Self { tenant: config.tenant.clone(), name, audience, algorithms, keys })
    }

    async fn check_signature(
        &self,
        header: &Header,
        parts: &Parts<'_>,
        now: Timestamp,
    ) -> Result<(), Invalid> {
        if !self.algorithms.contains(&header.algorithm) {
            return Err(Invalid::Token("the algorithm is not one of the issuer's"));
        }
        match &self.keys {
            Keys::Fixed(keys) => judge(keys, header, parts),
            Keys::Remote(remote) => {
                let keys = remote.current(now).await?;
                match judge(&keys, header, parts) {
                    Err(UNKNOWN_KEY) if header.kid.is_some() => match remote.after(&keys, now).await? {
                        Some(newer) => judge(&newer, header, parts),
                        None => Err(UNKNOWN_KEY),
                    },
                    judged => judged,
                }
            }
        }
    }
}

const UNKNOWN_KEY: Invalid = Invalid::Token("the issuer has no such key");

/// Whether one of the keys that the header may mean has signed. A key verifies with its own algorithm or not at all.
fn judge(keys: &KeySet, header: &Header, parts: &Parts<'_>) -> Result<(), Invalid> {
    let mut named = keys.named(header.kid.as_deref()).peekable();
    if named.peek().is_none() {
        return Err(UNKNOWN_KEY);
    }
    let mut fitting = named.filter(|key| key.algorithm == header.algorithm).peekable();
    if fitting.peek().is_none() {
        return Err(Invalid::Token("the algorithm is not the key's"));
    }
    let signed = fitting.any(|key| key.verifies(parts.signed, &parts.signature));
    if signed { Ok(()) } else { Err(Invalid::Token("the signature is not the issuer's")) }
}
