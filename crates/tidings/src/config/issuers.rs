//! `[[auth.issuers]]`: tables within a list, which no other key has.
//!
//! Owns: their members ([`ISSUER`], [`KEY`]), reading and showing them, and fetching from files what stands there.
//! Leaves out: what an issuer must be to be believed, which is [`IssuerConfig::check`].
//!
//! Invariants: files with keys are read only for a server's start, for `config check` and for minting, since other
//! commands may run as a user who cannot read them; a secret is never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidings_protocol::TenantId;
use tidings_server::jwt::{Algorithm, IssuerConfig, KeySource, Material, StaticKey, issuer};

use super::members::{Member, Members, needed, optional, tables};
use super::raw::Said;
use super::{Fault, Origin, Sources};

/// The members of an issuer.
pub(crate) const ISSUER: &[Member] = &[
    optional(
        "tenant",
        "The tenant in which its users live; `default` where it is left out. No claim changes it.",
    ),
    needed(
        "name",
        "What its users' ids begin with, as in `name|sub`: 1 to 40 of a-z, 0-9, `-` and `_`. Distinct over all issuers.",
    ),
    needed("issuer", "The exact `iss` of its tokens. Distinct over all issuers."),
    needed("audience", "A text or a list: `aud` must name one of them exactly."),
    needed("algorithms", "A list of `HS256`, `RS256`, `ES256`, `EdDSA`: what its keys may be for."),
    optional(
        "jwks_url",
        "Where its keys are (RFC 7517): an `https` URL, or `http` on loopback. Fetched when the first token comes, kept for \
         as long as `Cache-Control: max-age` says (1m to 1h; 10m where it says nothing), and fetched once more, at most \
         every 30s, when a token names a key that is not among them. While it cannot be fetched the last keys serve for a \
         day. Hosts are vouched for by the system's CA certificates, or those in `SSL_CERT_FILE`.",
    ),
    optional("keys", "In place of `jwks_url`: a list of 1 to 16 tables, see below."),
];

/// The members of a key of an issuer.
pub(crate) const KEY: &[Member] = &[
    needed("algorithm", "The one algorithm that it is for."),
    optional("kid", "Its name in tokens' headers."),
    optional("secret", "For `HS256`: at least 32 bytes, as `openssl rand -hex 32` writes them. Never shown."),
    optional(
        "secret_file",
        "A file with the secret, read at the start; a line feed at its end does not count.",
    ),
    optional(
        "public_key",
        "For the others: PEM that begins with `-----BEGIN PUBLIC KEY-----`. RSA keys have 2048 to 8192 bits.",
    ),
    optional("public_key_file", "A file with the public key, read at the start."),
];

/// An issuer as it was said. What stands in files is not read yet.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    origin: Origin,
    tenant: TenantId,
    pub(crate) name: String,
    issuer: String,
    audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    keys: Keys,
}

#[derive(Debug, Clone)]
enum Keys {
    Url(String),
    List(Vec<Key>),
}

#[derive(Debug, Clone)]
struct Key {
    origin: Origin,
    kid: Option<String>,
    algorithm: Algorithm,
    text: KeyText,
}

/// Where a key's text is. Not shown by `Debug`.
#[derive(Clone)]
enum KeyText {
    Secret(String),
    SecretFile(PathBuf),
    PublicKey(String),
    PublicKeyFile(PathBuf),
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// Reads the value of `auth.issuers`.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(said: &Said, origin: &Origin) -> Result<Vec<Issuer>, Vec<Fault>> {
    let name = "auth.issuers";
    let tables = tables(said, origin).map_err(|why| vec![Fault::with_key(origin, name, &why)])?;
    let mut faults = Vec::new();
    let read = tables.iter().enumerate().filter_map(|(index, table)| {
        let mut members = Members::of(format!("{name}[{index}]"), table, origin, ISSUER, &mut faults);
        read_issuer(&mut members)
    });
    let issuers = read.collect();
    if faults.is_empty() { Ok(issuers) } else { Err(faults) }
}

fn read_issuer(members: &mut Members<'_>) -> Option<Issuer> {
    let tenant = members.value("tenant", |said| said.text()?.parse().map_err(|error| format!("{error}")));
    let name = members.value("name", text);
    let issuer = members.value("issuer", text);
    let audience = members.value("audience", texts);
    let algorithms =
        members.value("algorithms", |said| said.list()?.iter().map(|text| algorithm(text)).collect());
    let url = members.value("jwks_url", text);
    let keys = read_keys(members);
    let keys = match (url, keys) {
        (Some(url), None) => Keys::Url(url),
        (None, Some(keys)) => Keys::List(keys),
        (Some(_), Some(_)) => {
            return members.fault("jwks_url", "keys come from one place: take jwks_url or keys out");
        }
        (None, None) => return members.missing("keys", "write jwks_url, or keys"),
    };
    Some(Issuer {
        origin: members.origin().clone(),
        tenant: tenant.or_else(|| "default".parse().ok())?,
        name: name?,
        issuer: issuer?,
        audience: audience?,
        algorithms: algorithms?,
        keys,
    })
}

fn read_keys(members: &mut Members<'_>) -> Option<Vec<Key>> {
    let (place, said, origin) = members.take("keys")?;
    match tables(&said, &origin) {
        Err(why) => members.fault("keys", &why),
        Ok(tables) => {
            let keys = tables.iter().enumerate().filter_map(|(index, table)| {
                read_key(&mut Members::of(format!("{place}[{index}]"), table, &origin, KEY, members.faults()))
            });
            Some(keys.collect())
        }
    }
}

fn read_key(members: &mut Members<'_>) -> Option<Key> {
    let algorithm = members.value("algorithm", |said| algorithm(said.text()?));
    let kid = members.value("kid", text);
    let given = [
        members.value("secret", text).map(KeyText::Secret),
        members.value("secret_file", text).map(|path| KeyText::SecretFile(path.into())),
        members.value("public_key", text).map(KeyText::PublicKey),
        members.value("public_key_file", text).map(|path| KeyText::PublicKeyFile(path.into())),
    ];
    let mut given = given.into_iter().flatten();
    let how = "write one of secret, secret_file, public_key and public_key_file";
    match (given.next(), given.next()) {
        (Some(text), None) => {
            Some(Key { origin: members.origin().clone(), kid, algorithm: algorithm?, text })
        }
        (Some(_), Some(_)) => members.fault("algorithm", &format!("this key is given twice: {how}")),
        (None, _) => members.missing("secret", how),
    }
}

fn text(said: &Said) -> Result<String, String> {
    Ok(said.filled()?.to_owned())
}

/// A text is one, whatever commas are in it.
fn texts(said: &Said) -> Result<Vec<String>, String> {
    match said {
        Said::Text(text) => Ok(vec![text.clone()]),
        other => other.list(),
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::parse(text).ok_or_else(|| format!("`{text}` is not one of {}", known()))
}

/// What the edge is given: with the text of every file, and checked.
///
/// # Errors
/// Files that cannot be read, and everything for which an issuer would not be believed.
pub(crate) fn resolve(issuers: &[Issuer], sources: &dyn Sources) -> Result<Vec<IssuerConfig>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut configs = Vec::new();
    for (index, said) in issuers.iter().enumerate() {
        let place = format!("auth.issuers[{index}]");
        let resolved = said.resolve(&place, sources).and_then(|config| {
            let wrong = |why| vec![Fault::new(&said.origin, format!("{place}.{why}"))];
            config.check().map_err(wrong).map(|()| config)
        });
        match resolved {
            Ok(config) => configs.push(config),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty()
        && let Err((index, why)) = issuer::check_together(&configs)
    {
        let origin = issuers.get(index).map_or(Origin::Default, |said| said.origin.clone());
        faults.push(Fault::new(&origin, format!("auth.issuers[{index}].{why}")));
    }
    if faults.is_empty() { Ok(configs) } else { Err(faults) }
}

impl Issuer {
    fn resolve(&self, place: &str, sources: &dyn Sources) -> Result<IssuerConfig, Vec<Fault>> {
        let keys = match &self.keys {
            Keys::Url(url) => KeySource::Jwks(url.clone()),
            Keys::List(keys) => {
                let read = keys.iter().enumerate().map(|(index, key)| {
                    key.resolve(sources)
                        .map_err(|why| Fault::new(&key.origin, format!("{place}.keys[{index}].{why}")))
                });
                KeySource::Static(read.collect::<Result<_, _>>().map_err(|fault| vec![fault])?)
            }
        };
        Ok(IssuerConfig {
            tenant: self.tenant.clone(),
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            keys,
        })
    }

    fn show(&self) -> Value {
        let mut shown = json!({
            "tenant": self.tenant.as_str(),
            "name": self.name,
            "issuer": self.issuer,
            "audience": self.audience,
            "algorithms": self.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        });
        match &self.keys {
            Keys::Url(url) => shown["jwks_url"] = json!(url),
            Keys::List(keys) => shown["keys"] = keys.iter().map(Key::show).collect(),
        }
        shown
    }
}

impl Key {
    fn resolve(&self, sources: &dyn Sources) -> Result<StaticKey, String> {
        let read = |member: &str, path: &Path| {
            let unreadable = |error| format!("{member}: cannot read {}: {error}", path.display());
            sources.read(path).map_err(unreadable)
        };
        let material = match &self.text {
            KeyText::Secret(text) => Material::Secret(text.clone().into_bytes()),
            KeyText::SecretFile(path) => Material::Secret(without_line_end(&read("secret_file", path)?)),
            KeyText::PublicKey(text) => Material::PublicKeyPem(text.clone()),
            KeyText::PublicKeyFile(path) => Material::PublicKeyPem(read("public_key_file", path)?),
        };
        Ok(StaticKey { kid: self.kid.clone(), algorithm: self.algorithm, material })
    }

    fn show(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("algorithm".to_owned(), json!(self.algorithm.name()));
        if let Some(kid) = &self.kid {
            shown.insert("kid".to_owned(), json!(kid));
        }
        let (name, value) = match &self.text {
            KeyText::Secret(_) => ("secret", json!("(set, not shown)")),
            KeyText::SecretFile(path) => ("secret_file", json!(path)),
            KeyText::PublicKey(text) => ("public_key", json!(text)),
            KeyText::PublicKeyFile(path) => ("public_key_file", json!(path)),
        };
        shown.insert(name.to_owned(), value);
        Value::Object(shown)
    }
}

fn without_line_end(text: &str) -> Vec<u8> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).as_bytes().to_vec()
}

/// All of them, without secrets.
pub(crate) fn show(issuers: &[Issuer]) -> Value {
    issuers.iter().map(Issuer::show).collect()
}

/// Whether something is left out by [`show`], so that what it shows cannot be used again.
pub(crate) fn hide_something(issuers: &[Issuer]) -> bool {
    let hidden = |key: &Key| matches!(key.text, KeyText::Secret(_));
    issuers.iter().any(|issuer| matches!(&issuer.keys, Keys::List(keys) if keys.iter().any(hidden)))
}

#[cfg(test)]
mod tests;
