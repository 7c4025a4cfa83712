//! Who is believed, as the operator has decided it.

use std::fmt;

use tidings_protocol::TenantId;

use super::Algorithm;
use super::fetch;
use super::key::Key;

/// Most keys of one issuer in the configuration.
pub const STATIC_KEYS: usize = 16;

/// The longest name of an issuer, in bytes.
const NAME_BYTES: usize = 40;

/// The longest `iss`, audience, and name of a key, in bytes.
const TEXT_BYTES: usize = 256;

/// `[[auth.issuers]]`: whose tokens are believed, for which tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The tenant in which its users live.
    pub tenant: TenantId,
    /// What its users' ids begin with: `[a-z0-9_-]{1,40}`, distinct over all issuers.
    pub name: String,
    /// The exact `iss` of its tokens, distinct over all issuers.
    pub issuer: String,
    /// What `aud` must name one of.
    pub audience: Vec<String>,
    /// The algorithms that its keys may have.
    pub algorithms: Vec<Algorithm>,
    /// Its keys.
    pub keys: KeySource,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// From the configuration: 1 to 16.
    Static(Vec<StaticKey>),
    /// From a JSON Web Key Set (RFC 7517) at this URL: `https`, or `http` on loopback.
    Jwks(String),
}

/// A key in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticKey {
    /// Its name in tokens' headers.
    pub kid: Option<String>,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// The key itself.
    pub material: Material,
}

/// What a signature is verified with. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Material {
    /// The secret of HS256: at least 32 bytes (RFC 7518 section 3.2).
    Secret(Vec<u8>),
    /// A public key: PEM, `PUBLIC KEY` (RFC 7468 section 13).
    PublicKeyPem(String),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::PublicKeyPem(_) => "PublicKeyPem(…)",
        })
    }
}

/// Whether an issuer may have that name.
pub(crate) fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(letter)
}

impl IssuerConfig {
    /// Whether it can be used as it is.
    ///
    /// # Errors
    /// The first thing that is wrong: a sentence that says which key of the configuration, and what to do.
    pub fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) {
            return Err("name: it is 1 to 40 of a-z, 0-9, '-' and '_'; users' ids begin with it".to_owned());
        }
        check_text("issuer", "write the exact `iss` of the tokens", &self.issuer)?;
        if self.audience.is_empty() {
            return Err("audience: at least one is needed: what `aud` says in tokens meant for this server"
                .to_owned());
        }
        for audience in &self.audience {
            check_text("audience", "write the exact `aud` of the tokens", audience)?;
        }
        if self.algorithms.is_empty() {
            return Err("algorithms: at least one is needed, e.g. [\"RS256\"]".to_owned());
        }
        match &self.keys {
            KeySource::Static(keys) => self.check_keys(keys),
            KeySource::Jwks(url) => self.check_url(url),
        }
    }

    fn check_url(&self, url: &str) -> Result<(), String> {
        if self.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
            return Err("algorithms: HS256 needs a secret, and a key set at a URL is public: leave HS256 out, or write \
                        `keys` in place of `jwks_url`"
                .to_owned());
        }
        fetch::check_url(url).map_err(|why| format!("jwks_url: {why}"))
    }

    fn check_keys(&self, keys: &[StaticKey]) -> Result<(), String> {
        if keys.is_empty() || keys.len() > STATIC_KEYS {
            return Err(format!("keys: 1 to {STATIC_KEYS} keys are needed, or a jwks_url"));
        }
        for (index, key) in keys.iter().enumerate() {
            let place = |why: String| format!("keys[{index}].{why}");
            if let Some(kid) = &key.kid {
                check_text("kid", "write the `kid` of the tokens, or leave it out", kid).map_err(place)?;
            }
            if !self.algorithms.contains(&key.algorithm) {
                return Err(place(format!(
                    "algorithm: {} is not among the issuer's algorithms",
                    key.algorithm
                )));
            }
            let same = |other: &StaticKey| other.kid == key.kid && other.algorithm == key.algorithm;
            if keys[..index].iter().any(same) {
                return Err(place(format!(
                    "kid: another key for {} has the same kid, or none either: give each its own",
                    key.algorithm
                )));
            }
            Key::of_config(key).map_err(place)?;
        }
        Ok(())
    }
}

/// Whether issuers can be used side by side.
///
/// # Errors
/// The place of the first that cannot, and a sentence that says why.
pub fn check_together(issuers: &[IssuerConfig]) -> Result<(), (usize, String)> {
    for (index, issuer) in issuers.iter().enumerate() {
        if issuers[..index].iter().any(|other| other.issuer == issuer.issuer) {
            return Err((
                index,
                "issuer: another one has the same `issuer`; one `iss` belongs to one tenant".to_owned(),
            ));
        }
        if issuers[..index].iter().any(|other| other.name == issuer.name) {
            return Err((
                index,
                "name: another issuer has the same name, and their users' ids would be the same".to_owned(),
            ));
        }
    }
    Ok(())
}

fn check_text(key: &str, what_to_do: &str, text: &str) -> Result<(), String> {
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES && !text.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(format!("{key}: it has 1 to {TEXT_BYTES} bytes and no control characters: {what_to_do}"))
    }
}
