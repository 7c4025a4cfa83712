//! What a token must say, and must not. The time is an argument.

use tidings_core::port::users::Role;

use super::*;

#[tokio::test]
async fn forged_tokens_are_refused_and_their_twins_are_not() {
    for key in every_kind() {
        for kid in [Some("key-a"), None] {
            let verifier = verifier(&[issuer(&[(&key, kid)])]);
            let forger = forger(&key, kid);
            for (name, token) in forger.twins() {
                let verified = verifier.verify(&token, at(NOW)).await;
                assert!(verified.is_ok(), "{} {name}: {verified:?}", key.alg());
            }
            let forged = forger.forged();
            assert!(forged.len() >= 100, "{} forged tokens", forged.len());
            for (name, token) in forged {
                let refused = verifier.verify(&token, at(NOW)).await;
                let Err(Invalid::Token(reason)) = refused else {
                    panic!("{} {name}: {refused:?}", key.alg())
                };
                assert!(!reason.is_empty(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_says_who_and_the_configuration_says_where() {
    let key = TokenKey::es256();
    let verifier = verifier(&[issuer(&[(&key, None)])]);
    let rights = json!({"role": "admin", "subscribe": ["a:*", "b"], "publish": ["a:1"], "tenant": "other"});
    let token = forger(&key, None).with_claims(&json!({"tidings": rights, "tenant": "other", "sub": "a|b"}));
    let verified = verifier.verify(&token, at(NOW)).await.unwrap();
    assert_eq!((verified.tenant.as_str(), verified.user.as_str()), ("acme", "id|a|b"));
    assert_eq!((verified.role, verified.expires_at, &*verified.issuer), (Role::Admin, at(NOW + 600), "id"));
    let grants: Vec<String> = verified.grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants, ["subscribe:a:*", "subscribe:b", "publish:a:1"]);

    let plain = verifier.verify(&forger(&key, None).with_claims(&json!({})), at(NOW)).await.unwrap();
    assert_eq!((plain.role, plain.grants.len()), (Role::Member, 0));
}

#[tokio::test]
async fn times_hold_to_the_millisecond() {
    let key = TokenKey::hs256("shared");
    let verifier = verifier(&[issuer(&[(&key, None)])]);
    let forger = forger(&key, None);
    let good = async |changes: Value, now: Timestamp| {
        verifier.verify(&forger.with_claims(&changes), now).await.is_ok()
    };
    let before = |second: u64| Timestamp(at(second).0 - 1);
    assert!(good(json!({"exp": NOW}), before(NOW)).await);
    assert!(!good(json!({"exp": NOW}), at(NOW)).await);
    for claim in ["nbf", "iat"] {
        assert!(good(json!({claim: NOW + 60}), at(NOW)).await, "{claim}");
        assert!(!good(json!({claim: NOW + 60}), before(NOW)).await, "{claim}");
        assert!(good(json!({claim: 0}), at(NOW)).await, "{claim}");
    }
    assert!(good(json!({"exp": 253_402_300_799_u64}), at(NOW)).await);
    assert!(!good(json!({"exp": 253_402_300_800_u64}), at(NOW)).await);
}

#[tokio::test]
async fn a_hundred_patterns_are_taken() {
    let key = TokenKey::hs256("shared");
    let verifier = verifier(&[issuer(&[(&key, None)])]);
    let patterns = |count: usize| (0..count).map(|number| format!("c:{number}")).collect::<Vec<_>>();
    for (subscribe, publish, fits) in [(100, 0, true), (60, 40, true), (60, 41, false), (0, 101, false)] {
        let rights = json!({"subscribe": patterns(subscribe), "publish": patterns(publish)});
        let token = forger(&key, None).with_claims(&json!({"tidings": rights}));
        assert_eq!(verifier.verify(&token, at(NOW)).await.is_ok(), fits, "{subscribe} {publish}");
    }
}

#[tokio::test]
async fn an_issuer_has_its_own_keys_tenant_and_audience() {
    let (one, other) = (TokenKey::hs256("one"), TokenKey::hs256("other"));
    let second = IssuerConfig {
        tenant: "beta".parse().unwrap(),
        name: "second".to_owned(),
        issuer: "https://second.example".to_owned(),
        audience: vec!["second".to_owned()],
        ..issuer(&[(&other, Some("same"))])
    };
    let verifier = verifier(&[issuer(&[(&one, Some("same"))]), second]);
    let of_second = json!({"iss": "https://second.example", "aud": "second"});
    let good = forger(&other, Some("same")).with_claims(&of_second);
    let verified = verifier.verify(&good, at(NOW)).await.unwrap();
    assert_eq!((verified.tenant.as_str(), verified.user.as_str()), ("beta", "second|ada"));
    assert!(verifier.verify(&forger(&one, Some("same")).with_claims(&json!({})), at(NOW)).await.is_ok());
    for (name, token) in [
        ("the other's key", forger(&one, Some("same")).with_claims(&of_second)),
        ("the other's iss", forger(&other, Some("same")).with_claims(&json!({}))),
        (
            "the other's aud",
            forger(&other, Some("same")).with_claims(&json!({"iss": "https://second.example"})),
        ),
    ] {
        assert!(verifier.verify(&token, at(NOW)).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_name_chooses_among_an_issuers_keys() {
    let (first, second, nameless) = (TokenKey::es256(), TokenKey::es256(), TokenKey::es256());
    let three = verifier(&[issuer(&[(&first, Some("a")), (&second, Some("b")), (&nameless, None)])]);
    let good = async |verifier: &Verifier, key: &TokenKey, kid: Option<&str>| {
        verifier.verify(&forger(key, kid).with_claims(&json!({})), at(NOW)).await.is_ok()
    };
    for (key, kid, fits) in [
        (&first, Some("a"), true),
        (&second, Some("b"), true),
        (&nameless, None, true),
        (&first, Some("b"), false),
        (&first, None, false),
        (&nameless, Some("a"), false),
        (&nameless, Some("c"), false),
    ] {
        assert_eq!(good(&three, key, kid).await, fits, "{kid:?}");
    }
    // The only key needs no name, whether it has one or not.
    let alone = verifier(&[issuer(&[(&first, Some("a"))])]);
    assert!(good(&alone, &first, None).await && !good(&alone, &first, Some("b")).await);
    let unnamed = verifier(&[issuer(&[(&nameless, None)])]);
    assert!(
        good(&unnamed, &nameless, Some("whatever")).await && !good(&unnamed, &first, Some("whatever")).await
    );
}

#[tokio::test]
async fn a_key_has_one_algorithm() {
    let (secret, public) = (TokenKey::hs256("shared"), TokenKey::rs256());
    let verifier = verifier(&[issuer(&[(&secret, Some("s")), (&public, Some("p"))])]);
    assert!(verifier.verify(&forger(&secret, Some("s")).with_claims(&json!({})), at(NOW)).await.is_ok());
    assert!(verifier.verify(&forger(&public, Some("p")).with_claims(&json!({})), at(NOW)).await.is_ok());
    let confused = forger(&secret, Some("p")).with_claims(&json!({}));
    assert_eq!(
        verifier.verify(&confused, at(NOW)).await,
        Err(Invalid::Token("the algorithm is not the key's"))
    );
}

#[tokio::test]
async fn no_letter_of_a_token_can_be_changed() {
    for key in every_kind() {
        let verifier = verifier(&[issuer(&[(&key, None)])]);
        let good = forger(&key, None).with_claims(&json!({}));
        assert!(verifier.verify(&good, at(NOW)).await.is_ok());
        for place in 0..good.len() {
            // Neighbours differ in their last bit, which the last letter of a part may not use.
            let (old, mut bytes) = (good.as_bytes()[place], good.clone().into_bytes());
            for new in [old ^ 1, b'A', b'B', b'_'].into_iter().filter(|new| *new != old) {
                bytes[place] = new;
                let changed = String::from_utf8(bytes.clone()).unwrap();
                assert!(
                    verifier.verify(&changed, at(NOW)).await.is_err(),
                    "{} at {place}: {changed}",
                    key.alg()
                );
            }
        }
    }
}
