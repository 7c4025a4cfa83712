//! Texts that are nearly a secret.

use data_encoding::{BASE64, HEXLOWER};

fn sha256_hex(text: &str) -> String {
    HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}

/// The text with its character at `at` replaced by another of the same alphabet.
fn changed(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
    String::from_utf8(bytes).unwrap()
}

/// Texts that are nearly this secret.
pub(crate) fn near(secret: &str) -> Vec<(&'static str, String)> {
    let prefix = &secret[..4];
    vec![
        ("nothing", String::new()),
        ("its prefix", prefix.to_owned()),
        ("no prefix", secret[4..].to_owned()),
        ("upper case", secret.to_uppercase()),
        ("upper-case prefix", format!("{}{}", prefix.to_uppercase(), &secret[4..])),
        ("cut by one", secret[..secret.len() - 1].to_owned()),
        ("cut in half", secret[..secret.len() / 2].to_owned()),
        ("longer by one", format!("{secret}a")),
        ("twice in one", format!("{secret}{secret}")),
        ("first character changed", changed(secret, 4)),
        ("last character changed", changed(secret, secret.len() - 1)),
        ("a space within", format!("{} {}", &secret[..20], &secret[20..])),
        ("a space before", format!(" {secret}")),
        ("a tab before", format!("\t{secret}")),
        ("another behind", format!("{secret} {secret}")),
        ("a comma behind", format!("{secret},")),
        ("a list", format!("{secret}, {secret}")),
        ("quoted", format!("\"{secret}\"")),
        ("percent encoded", format!("{prefix}%{:02x}{}", secret.as_bytes()[4], &secret[5..])),
        ("base64", BASE64.encode(secret.as_bytes())),
        ("its hash", sha256_hex(secret)),
        ("its hash behind the prefix", format!("{prefix}{}", sha256_hex(secret))),
        ("zeros", format!("{prefix}{}", "a".repeat(secret.len() - 4))),
        ("a wildcard", format!("{prefix}*")),
        ("SQL", format!("{prefix}' OR '1'='1")),
        ("SQL LIKE", format!("{prefix}%")),
        ("null", "null".to_owned()),
        ("another kind's prefix", format!("tdt_{}", &secret[4..])),
    ]
}
