//! Tokens from outside: what is believed, what is not, and how keys come and go.

mod issuers;
mod keys_at_a_url;
mod minting;
mod over_tls;
mod rules;

/// The list that the acceptance tests send to every endpoint, and the keys that sign it.
#[path = "../../../tidings-acceptance/src/forged.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the acceptance tests")]
mod forged;
#[path = "../../../tidings-acceptance/src/token_key.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the acceptance tests")]
mod token_key;

use serde_json::{Value, json};
use tidings_protocol::time::Timestamp;

use self::forged::Forger;
use self::token_key::TokenKey;
use super::*;

/// The time at which the tests live, in seconds.
const NOW: u64 = 1_800_000_000;

fn at(second: u64) -> Timestamp {
    Timestamp(i64::try_from(second).unwrap() * 1_000)
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "sub": "ada", "aud": "https://tidings.example", "exp": NOW + 600})
}

fn forger<'a>(key: &'a TokenKey, kid: Option<&'a str>) -> Forger<'a> {
    Forger { key, kid, claims: claims(), now: NOW }
}

fn algorithm(key: &TokenKey) -> Algorithm {
    Algorithm::parse(key.alg()).unwrap()
}

fn fixed(key: &TokenKey, kid: Option<&str>) -> StaticKey {
    let material = match key {
        TokenKey::Hs256(secret) => Material::Secret(secret.clone()),
        other => Material::PublicKeyPem(other.public_pem().unwrap()),
    };
    StaticKey { kid: kid.map(str::to_owned), algorithm: algorithm(key), material }
}

/// An issuer that allows the keys' algorithms and no others.
fn issuer(keys: &[(&TokenKey, Option<&str>)]) -> IssuerConfig {
    IssuerConfig {
        tenant: "acme".parse().unwrap(),
        name: "id".to_owned(),
        issuer: "https://id.example".to_owned(),
        audience: vec!["https://other.example".to_owned(), "https://tidings.example".to_owned()],
        algorithms: keys.iter().map(|(key, _)| algorithm(key)).collect(),
        keys: KeySource::Static(keys.iter().map(|(key, kid)| fixed(key, *kid)).collect()),
    }
}

fn verifier(issuers: &[IssuerConfig]) -> Verifier {
    Verifier::new(issuers.to_vec()).unwrap()
}

/// One of each kind.
fn every_kind() -> [TokenKey; 4] {
    [TokenKey::hs256("shared"), TokenKey::rs256(), TokenKey::es256(), TokenKey::ed_dsa()]
}
