//! Header lines that no page of ours sends.

use crate::LISTED;

/// A name, and the lines.
pub(crate) type Wrong = (String, Vec<Vec<u8>>);

/// Origins that are neither the server's own nor listed, though they look it.
const ORIGINS: &[&str] = &[
    "null",
    "NULL",
    "undefined",
    "*",
    "file://",
    "data:",
    "about:blank",
    "javascript:alert(1)",
    "chrome-extension://abcdefghijklmnop",
    "https://evil.example",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "https://app.example-evil.com",
    "https://sub.app.example",
    "https://example",
    "https://*.example",
    "http://app.example",
    "wss://app.example",
    "https://app.example:443",
    "https://app.example:8443",
    "https://studio.example",
    "https://studio.example:443",
    "https://studio.example:08443",
    "https://app.example/",
    "https://app.example/path",
    "https://app.example?",
    "https://app.example#",
    "https://app.example\\",
    "https://user@app.example",
    "https://app.example@evil.example",
    "https://app.example:pass@evil.example",
    "https://app.example.",
    "https://APP.EXAMPLE",
    "HTTPS://app.example",
    "https:app.example",
    "//app.example",
    "app.example",
    "https://app.example,https://app.example",
    "https://app.example https://evil.example",
    "https://evil.example https://app.example",
    "https://app.example%00",
    "https://app%2eexample",
    "https://аpp.example",
    "https://xn--pp-7cd.example",
    "https://app。example",
    "https://[::1]",
    "\"https://app.example\"",
    "<https://app.example>",
];

/// Origins that are nearly that of a server at this port of the loopback.
fn near_own(port: u16) -> Vec<String> {
    vec![
        "http://127.0.0.1".to_owned(),
        format!("http://127.0.0.1:{}", port + 1),
        format!("http://127.0.0.1:0{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("ws://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://evil.example:{port}"),
        format!("http://localhost:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://127.1:{port}"),
        format!("http://a@127.0.0.1:{port}"),
    ]
}

/// All of them, for a server at this port.
pub(crate) fn wrong(port: u16) -> Vec<Wrong> {
    let origins = ORIGINS.iter().map(ToString::to_string).chain(near_own(port));
    let mut lines: Vec<Wrong> = origins.map(|origin| (origin.clone(), vec![line(&origin)])).collect();
    lines.extend(several(port));
    lines.push(("no UTF-8".to_owned(), vec![b"origin: https://app.example\xff".to_vec()]));
    for value in ["cross-site", "same-site", "", "Same-Origin", "same-origin, none", "\"none\""] {
        lines.push((format!("Sec-Fetch-Site {value}"), vec![site(value)]));
    }
    lines.push(("two Sec-Fetch-Site".to_owned(), vec![site("none"), site("cross-site")]));
    lines.push(("both wrong".to_owned(), vec![line("https://evil.example"), site("same-origin")]));
    lines
}

/// Empty ones, and more than one.
fn several(port: u16) -> Vec<Wrong> {
    let own = format!("http://127.0.0.1:{port}");
    let [one, two] = LISTED;
    let evil = "https://evil.example";
    let values: [(&str, &[&str]); 8] = [
        ("empty", &[""]),
        ("a space", &[" "]),
        ("listed, and another", &[one, evil]),
        ("another, and listed", &[evil, one]),
        ("listed twice", &[one, one]),
        ("own, and another", &[&own, evil]),
        ("both listed", &[one, two]),
        ("empty, and listed", &["", one]),
    ];
    values.map(|(name, values)| (name.to_owned(), values.iter().map(|value| line(value)).collect())).into()
}

fn line(origin: &str) -> Vec<u8> {
    format!("origin: {origin}").into_bytes()
}

fn site(value: &str) -> Vec<u8> {
    format!("sec-fetch-site: {value}").into_bytes()
}
