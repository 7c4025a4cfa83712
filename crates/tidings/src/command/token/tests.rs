//! Tokens from the configuration alone.

use clap::Parser;

use crate::cli::{Cli, Command as Typed};
use crate::config::source::Given;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_123);

const CONFIG: &str = r#"
[[auth.issuers]]
tenant = "acme"
name = "id"
issuer = "https://id.example"
audience = ["tidings", "other"]
algorithms = ["HS256"]
keys = [{ algorithm = "HS256", secret_file = "secret", kid = "a" }]

[[auth.issuers]]
name = "ed"
issuer = "https://ed.example"
audience = "tidings"
algorithms = ["EdDSA"]
keys = [{ algorithm = "EdDSA", public_key_file = "ed.pub" }]

[[auth.issuers]]
name = "far"
issuer = "https://far.example"
audience = "tidings"
algorithms = ["EdDSA"]
jwks_url = "https://far.example/keys"
"#;

/// Made for this test; nothing is protected by it.
const PRIVATE: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIFyU0zqzukBdu0270avExqhfM+cuc9mFH6b9HMHG3jkx
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAN4paeAWhGHIdRuXZSZL5J89GgTUXUW5lvubXNN1JMSs=
-----END PUBLIC KEY-----
";

fn sources() -> Given {
    let file = |name, text: &str| (name, text.to_owned());
    Given {
        variables: vec![("TIDINGS_CONFIG", "t.toml".to_owned())],
        files: vec![
            file("t.toml", CONFIG),
            file("secret", "0123456789abcdef0123456789abcdef\n"),
            file("ed.key", PRIVATE),
            file("ed.pub", PUBLIC),
        ],
    }
}

async fn minted(line: &str) -> Result<Minted, String> {
    let words = ["tidings", "token", "mint"].into_iter().chain(line.split(' '));
    let typed = Cli::try_parse_from(words).unwrap();
    let Typed::Token(Command::Mint(order)) = typed.command else { panic!("{line}") };
    order.carry_out(&sources(), NOW).await.map_err(|failure| failure.to_string())
}

fn verifier() -> Verifier {
    let flags = Flags::default();
    let settings = crate::config::load(&flags, &sources()).unwrap().settings;
    let fixed = settings.server.issuers.into_iter().filter(|issuer| issuer.name != "far");
    Verifier::new(fixed.collect()).unwrap()
}

#[tokio::test]
async fn what_is_minted_is_what_the_server_believes() {
    let minted = minted("--issuer id --subject ada --subscribe a:* --publish b --role admin --expires 90s")
        .await
        .unwrap();
    assert_eq!((minted.user.as_str(), minted.expires_at), ("id|ada", Timestamp(1_800_000_090_000)));
    let verified = verifier().verify(&minted.token, NOW).await.unwrap();
    assert_eq!((verified.tenant.as_str(), verified.user.as_str()), ("acme", "id|ada"));
    assert_eq!((verified.role, verified.expires_at), (Role::Admin, minted.expires_at));
    let grants: Vec<String> = verified.grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants, ["subscribe:a:*", "publish:b"]);
}

#[tokio::test]
async fn a_private_key_is_taken_from_its_file() {
    let minted = minted("--issuer ed --subject ada --key-file ed.key").await.unwrap();
    let verified = verifier().verify(&minted.token, NOW).await.unwrap();
    assert_eq!((verified.user.as_str(), verified.expires_at), ("ed|ada", Timestamp(1_800_003_600_000)));
    assert_eq!(minted.user, "ed|ada");
}

#[tokio::test]
async fn a_key_at_a_url_is_named() {
    let minted = minted("--issuer far --subject ada --key-file ed.key --kid k").await.unwrap();
    assert!(minted.token.starts_with("eyJ"), "{}", minted.token);
}

#[tokio::test]
async fn what_cannot_be_minted_says_why() {
    for (line, words) in [
        ("--issuer nobody --subject ada", "there is no issuer named nobody: there are id, ed, far"),
        ("--issuer ed --subject ada", "name a private key by --key-file"),
        ("--issuer far --subject ada", "name yours by --key-file"),
        ("--issuer id --subject ada --kid b", "no such key"),
        ("--issuer ed --subject ada --key-file none", "cannot read none"),
        ("--issuer ed --subject ada --key-file ed.pub", "of no kind that is understood"),
        ("--issuer id --subject ada --key-file ed.key", "EdDSA, which is not among"),
        ("--issuer id --subject ada --expires 36500000d", "no"),
    ] {
        let refused = minted(line).await.map(|_| ()).expect_err(line);
        assert!(refused.contains(words), "{line}: {refused}");
    }
}
