//! Tokens that are made here are believed here.

use tidings_core::port::users::Role;

use super::mint::{Claims, Signer, mint};
use super::*;

fn order() -> Claims {
    Claims {
        subject: "ada".to_owned(),
        role: Some(Role::Admin),
        grants: vec!["subscribe:a:*".parse().unwrap(), "publish:b".parse().unwrap()],
        issued_at: Timestamp(at(NOW).0 + 999),
        expires_at: Timestamp(at(NOW + 60).0 + 999),
    }
}

#[tokio::test]
async fn what_is_minted_is_verified() {
    for key in every_kind() {
        for kid in [Some("key-a"), None] {
            let config = issuer(&[(&key, kid)]);
            let signer = match key.private_pem() {
                Some(pem) => Signer::of_pem(&config, &pem, None),
                None => Signer::of_config(&config, None),
            };
            let token = mint(&config, &signer.unwrap(), &order()).unwrap();
            let verified = verifier(&[config]).verify(&token, at(NOW)).await.unwrap();
            assert_eq!((verified.user.as_str(), verified.role), ("id|ada", Role::Admin), "{}", key.alg());
            assert_eq!((verified.grants, verified.expires_at), (order().grants, at(NOW + 60)));
        }
    }
}

#[test]
fn a_key_that_is_not_the_issuers_signs_nothing() {
    let (own, strange, secret) = (TokenKey::es256(), TokenKey::es256(), TokenKey::hs256("shared"));
    let config = issuer(&[(&own, Some("a"))]);
    let pem = |key: &TokenKey| key.private_pem().unwrap();
    let of_pem = |text: &str, kid| Signer::of_pem(&config, text, kid).map(drop);
    assert_eq!(of_pem(&pem(&own), None), Ok(()));
    assert_eq!(of_pem(&pem(&own), Some("a")), Ok(()));
    for (text, kid, words) in [
        (pem(&strange), None, "none of the issuer's configured public keys"),
        (pem(&own), Some("b"), "none of the issuer's configured public keys"),
        (pem(&TokenKey::ed_dsa()), None, "EdDSA, which is not among"),
        (own.public_pem().unwrap(), None, "of no kind that is understood"),
        ("nonsense".to_owned(), None, "no PEM"),
    ] {
        let refused = of_pem(&text, kid).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    assert!(Signer::of_config(&config, None).unwrap_err().contains("--key-file"));
    assert!(Signer::of_config(&issuer(&[(&secret, Some("a"))]), Some("b")).is_err());
    assert!(Signer::of_config(&issuer(&[(&secret, Some("a"))]), Some("a")).is_ok());
}

#[test]
fn a_subject_that_no_token_may_have_is_refused() {
    let key = TokenKey::hs256("shared");
    let config = issuer(&[(&key, None)]);
    let signer = Signer::of_config(&config, None).unwrap();
    for (subject, fits) in [("a", true), ("", false), ("a\nb", false), (&"s".repeat(201), false)] {
        let claims = Claims { subject: subject.to_owned(), ..order() };
        assert_eq!(mint(&config, &signer, &claims).is_ok(), fits, "{subject:?}");
    }
}
