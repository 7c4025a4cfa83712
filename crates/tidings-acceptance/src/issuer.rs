//! Issuers of tokens as a server is told of them, and as they make their tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::forged::Forger;
use crate::token_key::TokenKey;

/// Whom all tokens are for.
const AUDIENCE: &str = "https://tidings.example";

/// An issuer with one key.
#[derive(Debug)]
pub struct Issuer {
    /// What its users' ids begin with.
    pub name: &'static str,
    /// The tenant of its users.
    pub tenant: &'static str,
    /// Its key.
    pub key: TokenKey,
    /// Its key's name.
    pub kid: Option<&'static str>,
}

impl Issuer {
    /// How it is configured: a member of `auth.issuers`.
    ///
    /// # Panics
    /// If its secret is no text.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let mut key = json!({"algorithm": self.key.alg()});
        match (&self.key, self.key.public_pem()) {
            (TokenKey::Hs256(secret), _) => key["secret"] = String::from_utf8_lossy(secret).into(),
            (_, pem) => key["public_key"] = pem.expect("a public half").into(),
        }
        if let Some(kid) = self.kid {
            key["kid"] = kid.into();
        }
        json!({
            "tenant": self.tenant, "name": self.name, "issuer": self.url(), "audience": AUDIENCE,
            "algorithms": [self.key.alg()], "keys": [key],
        })
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}.example", self.name)
    }

    /// Makes tokens for an admin, good for an hour, and others near to them.
    #[must_use]
    pub fn forger(&self, sub: &str) -> Forger<'_> {
        let now = now();
        let claims = json!({
            "iss": self.url(), "sub": sub, "aud": AUDIENCE, "exp": now + 3_600, "tidings": {"role": "admin"},
        });
        Forger { key: &self.key, kid: self.kid, claims, now }
    }

    /// A good token for an admin.
    #[must_use]
    pub fn token(&self, sub: &str) -> String {
        self.forger(sub).with_claims(&json!({}))
    }
}

#[allow(clippy::disallowed_methods, reason = "tokens are made for the server's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
