//! From tables to issuers: what is read, what is refused, and what is shown.

use std::path::PathBuf;

use crate::config::source::Given;
use crate::config::{Flags, Loaded, load, print, read};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn given(file: &str, variables: &[(&'static str, &str)]) -> Given {
    Given {
        variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        files: vec![
            ("t.toml", file.to_owned()),
            ("secret", format!("{SECRET}\n")),
            ("short", "hush".to_owned()),
        ],
    }
}

fn flags() -> Flags {
    Flags { config: Some(PathBuf::from("t.toml")), ..Flags::default() }
}

fn loaded(file: &str, variables: &[(&'static str, &str)]) -> Loaded {
    load(&flags(), &given(file, variables)).unwrap()
}

fn refusal(file: &str) -> String {
    load(&flags(), &given(file, &[])).unwrap_err().to_string()
}

/// A good issuer, with one line in place of another.
fn with(line: &str, other: &str) -> String {
    let good = "[[auth.issuers]]\nname = \"id\"\nissuer = \"https://id.example\"\naudience = \"tidings\"\n\
                algorithms = [\"HS256\"]\nkeys = [{ algorithm = \"HS256\", secret_file = \"secret\" }]\n";
    assert!(good.contains(line), "{line}");
    good.replace(line, other)
}

fn good() -> String {
    with("", "")
}

#[test]
fn issuers_are_read_with_their_keys() {
    let file = format!(
        "{}\n[[auth.issuers]]\ntenant = \"acme\"\nname = \"far\"\nissuer = \"far\"\naudience = [\"a,b\", \"c\"]\n\
         algorithms = [\"RS256\", \"ES256\"]\njwks_url = \"https://far.example/keys\"\n",
        good()
    );
    let issuers = loaded(&file, &[]).settings.server.issuers;
    assert_eq!(issuers.len(), 2);
    assert_eq!((issuers[0].tenant.as_str(), issuers[0].name.as_str()), ("default", "id"));
    let key = StaticKey {
        kid: None,
        algorithm: Algorithm::Hs256,
        material: Material::Secret(SECRET.as_bytes().to_vec()),
    };
    assert_eq!(issuers[0].keys, KeySource::Static(vec![key]));
    assert_eq!(issuers[1].tenant.as_str(), "acme");
    assert_eq!(issuers[1].audience, ["a,b", "c"]);
    assert_eq!(issuers[1].algorithms, [Algorithm::Rs256, Algorithm::Es256]);
    assert_eq!(issuers[1].keys, KeySource::Jwks("https://far.example/keys".to_owned()));
    assert_eq!(loaded("auth.issuers = []", &[]).settings.server.issuers, []);
}

#[test]
fn a_variable_is_a_json_array_and_wins_over_the_file() {
    let value = format!(
        r#"[{{"name":"v","issuer":"v","audience":"a,b","algorithms":"HS256","keys":[{{"algorithm":"HS256","kid":"k","secret":"{SECRET}"}}]}}]"#
    );
    let issuers = loaded(&good(), &[("TIDINGS_AUTH__ISSUERS", &value)]).settings.server.issuers;
    assert_eq!((issuers.len(), issuers[0].name.as_str()), (1, "v"));
    assert_eq!(issuers[0].audience, ["a,b"]);
    assert_eq!(loaded(&good(), &[("TIDINGS_AUTH__ISSUERS", "[]")]).settings.server.issuers, []);
    for bad in ["", "x", "{}", "[1]", "[{}, 1]", "[null]", "[{\"name\":null}]"] {
        let found = load(&flags(), &given("", &[("TIDINGS_AUTH__ISSUERS", bad)])).unwrap_err().to_string();
        assert!(
            found.starts_with("TIDINGS_AUTH__ISSUERS: auth.issuers: ") && found.contains("JSON array"),
            "{bad}: {found}"
        );
    }
    let found = load(&flags(), &given("", &[("TIDINGS_AUTH__ISSUERS", "[{\"name\":1}]")])).unwrap_err();
    assert!(found.to_string().starts_with("TIDINGS_AUTH__ISSUERS: auth.issuers[0].name: "), "{found}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let key = "keys = [{ algorithm = \"HS256\", secret_file = \"secret\" }]";
    for (file, line, words) in [
        (with("name = \"id\"\n", ""), 2, "auth.issuers[0].name is missing"),
        (with("name = \"id\"", "name = \"Id\""), 2, "auth.issuers[0].name: it is 1 to 40"),
        (with("name =", "nam ="), 2, "auth.issuers[0] has no \"nam\"; did you mean \"name\"?"),
        (
            with("issuer = \"https://id.example\"", "issuer = 7"),
            3,
            "auth.issuers[0].issuer: a text is needed",
        ),
        (with("audience = \"tidings\"", "audience = []"), 2, "auth.issuers[0].audience: at least one"),
        (
            with("[\"HS256\"]", "[\"HS512\"]"),
            5,
            "auth.issuers[0].algorithms: `HS512` is not one of HS256, RS256",
        ),
        (with("[\"HS256\"]", "[\"ES256\"]"), 2, "auth.issuers[0].keys[0].algorithm: HS256 is not among"),
        (with(key, ""), 2, "auth.issuers[0].keys is missing: write jwks_url, or keys"),
        (with(key, "keys = []"), 2, "auth.issuers[0].keys: 1 to 16 keys"),
        (with(key, "keys = [\"secret\"]"), 6, "auth.issuers[0].keys: a list of tables"),
        (with(key, &format!("{key}\njwks_url = \"https://a.example\"")), 7, "keys come from one place"),
        (with(key, "jwks_url = \"https://a.example\""), 2, "HS256 needs a secret"),
        (with("secret_file = \"secret\"", "kid = \"a\""), 6, "keys[0].secret is missing: write one of"),
        (with("secret_file =", "secret = \"x\", secret_file ="), 6, "this key is given twice"),
        (
            with("secret_file", "secrt_file"),
            6,
            "keys[0] has no \"secrt_file\"; did you mean \"secret_file\"?",
        ),
        (with("\"secret\"", "\"none\""), 6, "keys[0].secret_file: cannot read none: "),
        (with("\"secret\"", "\"short\""), 2, "keys[0].secret: it has 4 bytes, and HS256 needs 32"),
        (
            with("secret_file = \"secret\"", "public_key = \"x\""),
            2,
            "keys[0].public_key: HS256 takes a secret",
        ),
        (
            with("[[auth.issuers]]", "[[auth.issuers]]\ntenant = \"A\""),
            2,
            "auth.issuers[0].tenant: a tenant's name",
        ),
        (with("[[auth.issuers]]", "[auth.issuers]"), 2, "write [[auth.issuers]], with two brackets"),
        (format!("{}{}", good(), good()), 8, "auth.issuers[1].issuer: another one has the same"),
    ] {
        let found = refusal(&file);
        assert!(found.contains(words), "{words}: {found}");
        assert!(found.lines().any(|text| text.starts_with(&format!("t.toml:{line}: "))), "{line}: {found}");
        assert!(!found.contains("hush"), "{found}");
    }
    assert_eq!(loaded(&good(), &[]).settings.server.issuers.len(), 1);
}

#[test]
fn commands_that_need_no_keys_read_no_files() {
    let file = with("\"secret\"", "\"none\"");
    assert!(read(&flags(), &given(&file, &[])).is_ok());
    assert!(load(&flags(), &given(&file, &[])).is_err());
}

#[test]
fn what_is_shown_has_no_secret_and_reads_back_the_same() {
    let printed = print::text(&loaded(&good(), &[]));
    let line = "auth.issuers = [{ algorithms = [\"HS256\"], audience = [\"tidings\"], issuer = \"https://id.example\", \
                keys = [{ algorithm = \"HS256\", secret_file = \"secret\" }], name = \"id\", tenant = \"default\" }]  # t.toml:1\n";
    assert!(printed.contains(line), "{printed}");
    let again = loaded(&printed, &[]);
    assert_eq!(again.settings.server.issuers, loaded(&good(), &[]).settings.server.issuers);

    let hidden = loaded(&with("secret_file = \"secret\"", &format!("secret = \"{SECRET}\"")), &[]);
    let shown = format!("{}{}{:?}", print::text(&hidden), print::json(&hidden), hidden.settings);
    assert!(shown.contains("\n# auth.issuers = [{ ") && shown.contains("(set, not shown)"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(loaded(&print::text(&hidden), &[]).settings.server.issuers.is_empty());
}
