//! What an operator may configure.

use super::*;

fn refusal(change: impl FnOnce(&mut IssuerConfig)) -> String {
    let key = TokenKey::hs256("shared");
    let mut config = issuer(&[(&key, None)]);
    change(&mut config);
    Verifier::new(vec![config]).map(drop).expect_err("it is refused")
}

fn with_key(key: StaticKey) -> impl FnOnce(&mut IssuerConfig) {
    move |config| {
        config.algorithms = Algorithm::ALL.to_vec();
        config.keys = KeySource::Static(vec![key]);
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let secret = |bytes: &[u8]| StaticKey {
        kid: None,
        algorithm: Algorithm::Hs256,
        material: Material::Secret(bytes.to_vec()),
    };
    let pem = |algorithm, text: &str| StaticKey {
        kid: None,
        algorithm,
        material: Material::PublicKeyPem(text.to_owned()),
    };
    let es256 = TokenKey::es256();
    let (public, private) = (es256.public_pem().unwrap(), es256.private_pem().unwrap());
    for (found, words) in [
        (refusal(|config| config.name = "Id".into()), "name: "),
        (refusal(|config| config.name = String::new()), "name: "),
        (refusal(|config| config.name = "a|b".into()), "name: "),
        (refusal(|config| config.issuer = String::new()), "issuer: "),
        (refusal(|config| config.audience.clear()), "audience: at least one"),
        (refusal(|config| config.audience.push("a\n".into())), "audience: "),
        (refusal(|config| config.algorithms.clear()), "algorithms: at least one"),
        (
            refusal(|config| config.algorithms = vec![Algorithm::Rs256]),
            "keys[0].algorithm: HS256 is not among",
        ),
        (refusal(|config| config.keys = KeySource::Static(Vec::new())), "keys: 1 to 16"),
        (
            refusal(|config| config.keys = KeySource::Jwks("https://a.example/".into())),
            "HS256 needs a secret",
        ),
        (refusal(with_key(secret(&[7; 31]))), "keys[0].secret: it has 31 bytes, and HS256 needs 32"),
        (refusal(with_key(secret(public.as_bytes()))), "this is a PEM file"),
        (refusal(with_key(pem(Algorithm::Hs256, &public))), "HS256 takes a secret"),
        (
            refusal(with_key(StaticKey { algorithm: Algorithm::Es256, ..secret(&[7; 32]) })),
            "takes a public key",
        ),
        (refusal(with_key(pem(Algorithm::Es256, &private))), "this is a private key"),
        (refusal(with_key(pem(Algorithm::Es256, "nonsense"))), "this is no public key"),
        (refusal(with_key(pem(Algorithm::EdDsa, &public))), "this is no key for EdDSA"),
        (refusal(with_key(pem(Algorithm::Rs256, &public))), "this is no RSA key"),
        (refusal(with_key(pem(Algorithm::Rs256, SHORT_RSA))), "it has 1024 bits"),
    ] {
        assert!(found.contains(words), "{words}: {found}");
        assert!(found.starts_with("auth.issuers"), "{found}");
    }
    assert!(Verifier::new(vec![issuer(&[(&es256, None)])]).is_ok());
}

#[test]
fn an_issuer_belongs_to_one_tenant() {
    let key = TokenKey::hs256("shared");
    let one = issuer(&[(&key, None)]);
    let beta = || "beta".parse().unwrap();
    let same_iss = IssuerConfig { tenant: beta(), name: "other".into(), ..one.clone() };
    let same_name = IssuerConfig { tenant: beta(), issuer: "https://other.example".into(), ..one.clone() };
    let apart = IssuerConfig { name: "other".into(), ..same_name.clone() };
    let refused = |other| Verifier::new(vec![one.clone(), other]).map(drop).expect_err("it is refused");
    assert!(refused(same_iss).contains("auth.issuers[1].issuer: "));
    assert!(refused(same_name).contains("auth.issuers[1].name: "));
    assert!(Verifier::new(vec![one.clone(), apart]).is_ok());
}

#[test]
fn two_keys_of_one_name_are_refused() {
    let (one, other) = (TokenKey::es256(), TokenKey::es256());
    for kid in [Some("a"), None] {
        let same = issuer(&[(&one, kid), (&other, kid)]);
        assert!(Verifier::new(vec![same]).map(drop).expect_err("it is refused").contains("keys[1].kid"));
        assert!(Verifier::new(vec![issuer(&[(&one, kid), (&other, Some("b"))])]).is_ok());
    }
}

#[test]
fn secrets_are_not_shown() {
    let key = TokenKey::hs256("hush");
    let config = issuer(&[(&key, None)]);
    let shown = format!("{config:?} {:?}", verifier(std::slice::from_ref(&config)));
    assert!(!shown.contains("hush") && !shown.contains("104, 117, 115, 104"), "{shown}");
}

#[test]
fn without_issuers_there_is_nobody_to_ask() {
    assert!(Verifier::new(Vec::new()).unwrap().is_empty());
    assert!(!verifier(&[issuer(&[(&TokenKey::es256(), None)])]).is_empty());
}

/// An RSA key of 1024 bits.
const SHORT_RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/hYeRLUWDJKe3pmKV6l4JTWiB
Xk0Uw/AaHlzLjTqAXx3niMQvbNILZAqWO/tIkux2CyISt8UMBdy1d6Omv1IadtNi
uqX1OHOS+hSn51BnxrhNBU2UT8+ijxkSI4MMOArRkTgF9S53qkMGTKqzgcYkBtD3
otzHutrmbdgvXyZ1pwIDAQAB
-----END PUBLIC KEY-----
";
