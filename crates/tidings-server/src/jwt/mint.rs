//! Signs tokens, for scripts and tests: what the configured issuer would say.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use data_encoding::BASE64URL_NOPAD;
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde_json::{Map, Value, json};
use tidings_core::port::directory::{Grant, Right};
use tidings_core::port::users::Role;
use tidings_protocol::time::Timestamp;

use super::claims::is_subject;
use super::key::Key;
use super::{Algorithm, IssuerConfig, KeySource, Material};

/// What a token is to say, besides what its issuer says in every one.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `sub`: 1 to 200 bytes without control characters.
    pub subject: String,
    /// `tidings.role`; left out where it is `None`.
    pub role: Option<Role>,
    /// `tidings.subscribe` and `tidings.publish`.
    pub grants: Vec<Grant>,
    /// `iat`; the part of a second is dropped.
    pub issued_at: Timestamp,
    /// `exp`; the part of a second is dropped.
    pub expires_at: Timestamp,
}

/// What signs. Not shown by `Debug`.
pub struct Signer {
    algorithm: Algorithm,
    kid: Option<String>,
    secret: Secret,
}

enum Secret {
    Shared(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {:?})", self.algorithm, self.kid)
    }
}

impl Signer {
    /// Signs with the issuer's first HS256 key; with the one named `kid` where that is said.
    ///
    /// # Errors
    /// The configuration has no such key; what to do.
    pub fn of_config(issuer: &IssuerConfig, kid: Option<&str>) -> Result<Self, String> {
        let KeySource::Static(keys) = &issuer.keys else {
            return Err(
                "its keys come from a URL, which has no private ones: name yours by --key-file".to_owned()
            );
        };
        let meant = |key: &&super::StaticKey| kid.is_none() || key.kid.as_deref() == kid;
        let secrets = keys.iter().filter(meant).find_map(|key| match &key.material {
            Material::Secret(secret) => Some((key.kid.clone(), secret)),
            Material::PublicKeyPem(_) => None,
        });
        let (kid, secret) =
            secrets.ok_or("it has no such key with a secret: name a private key by --key-file")?;
        let secret = Secret::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Ok(Self { algorithm: Algorithm::Hs256, kid, secret })
    }

    /// Signs with a private key: PEM, unencrypted. Where the issuer's keys are configured it must be the other half of
    /// one of them, whose name is taken; where they come from a URL, `kid` is its name there.
    ///
    /// # Errors
    /// It is no private key, or not this issuer's.
    pub fn of_pem(issuer: &IssuerConfig, pem: &str, kid: Option<&str>) -> Result<Self, String> {
        let (algorithm, secret) = private_key(pem)?;
        let mut signer = Self { algorithm, kid: kid.map(str::to_owned), secret };
        if !issuer.algorithms.contains(&algorithm) {
            return Err(format!("it is a key for {algorithm}, which is not among the issuer's algorithms"));
        }
        if let KeySource::Static(keys) = &issuer.keys {
            let probe = b"whose key is this?";
            let signature = signer.sign(probe)?;
            let mut named = keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid);
            let own = named.find(|key| {
                Key::of_config(key)
                    .is_ok_and(|key| key.algorithm == algorithm && key.verifies(probe, &signature))
            });
            let own = own.ok_or("none of the issuer's configured public keys belongs to it")?;
            signer.kid.clone_from(&own.kid);
        }
        Ok(signer)
    }

    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |_| "signing failed".to_owned();
        let random: &dyn rand::SecureRandom = &SystemRandom::new();
        match &self.secret {
            Secret::Shared(key) => Ok(hmac::sign(key, bytes).as_ref().to_vec()),
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, random, bytes, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Secret::Ecdsa(key) => Ok(key.sign(random, bytes).map_err(failed)?.as_ref().to_vec()),
            Secret::Ed25519(key) => Ok(key.try_sign(bytes).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

/// Signs a token of the issuer.
///
/// # Errors
/// A subject or a time that no token may have.
pub fn mint(issuer: &IssuerConfig, signer: &Signer, claims: &Claims) -> Result<String, String> {
    if !is_subject(&claims.subject) {
        return Err("a subject has 1 to 200 bytes and no control characters".to_owned());
    }
    let audience = issuer.audience.first().ok_or("the issuer has no audience")?;
    let mut header = json!({"alg": signer.algorithm.name(), "typ": "JWT"});
    if let Some(kid) = &signer.kid {
        header["kid"] = json!(kid);
    }
    let seconds = |at: Timestamp| at.0.div_euclid(1_000);
    let mut body = json!({
        "iss": issuer.issuer,
        "sub": claims.subject,
        "aud": audience,
        "iat": seconds(claims.issued_at),
        "exp": seconds(claims.expires_at),
    });
    let own = own_claims(claims);
    if !own.is_empty() {
        body["tidings"] = Value::Object(own);
    }
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&body));
    let signature = signer.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

fn own_claims(claims: &Claims) -> Map<String, Value> {
    let mut own = Map::new();
    if let Some(role) = claims.role {
        own.insert("role".to_owned(), json!(role.name()));
    }
    for right in [Right::Subscribe, Right::Publish] {
        let grants = claims.grants.iter().filter(|grant| grant.right == right);
        let patterns: Vec<String> = grants.map(|grant| grant.pattern.to_string()).collect();
        if !patterns.is_empty() {
            own.insert(right.name().to_owned(), json!(patterns));
        }
    }
    own
}

fn private_key(pem: &str) -> Result<(Algorithm, Secret), String> {
    let how = "a private key is unencrypted PEM, as `openssl genpkey` writes it: RSA of 2048 bits or more, P-256, or Ed25519";
    let Ok((kind, der)) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()) else {
        return Err(format!("this is no PEM: {how}"));
    };
    let rsa = || match kind {
        SectionKind::RsaPrivateKey => RsaKeyPair::from_der(&der),
        _ => RsaKeyPair::from_pkcs8(&der),
    };
    if let Ok(key) = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
        Ok((Algorithm::Es256, Secret::Ecdsa(Box::new(key))))
    } else if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
        Ok((Algorithm::EdDsa, Secret::Ed25519(Box::new(key))))
    } else if let Ok(key) = rsa() {
        Ok((Algorithm::Rs256, Secret::Rsa(Box::new(key))))
    } else {
        Err(format!("this key is of no kind that is understood: {how}"))
    }
}
