//! The opening handshake.

use tidings_protocol::ws::{InvalidKey, Refusal, accept_key, accept_upgrade, request_key};

type Header = (&'static str, &'static str);

const UPGRADE: Header = ("Upgrade", "websocket");
const CONNECTION: Header = ("Connection", "Upgrade");
const VERSION: Header = ("Sec-WebSocket-Version", "13");
const KEY: Header = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
/// The answer to [`KEY`] in RFC 6455, 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn asked(headers: &[Header]) -> Result<String, Refusal> {
    accept_upgrade(headers.iter().map(|&(name, value)| (name, value.as_bytes()))).map(|key| key.to_string())
}

#[test]
fn a_request_is_accepted_however_its_lists_are_written() {
    let accepted: &[&[Header]] = &[
        &[UPGRADE, CONNECTION, VERSION, KEY],
        &[KEY, VERSION, ("Host", "example.org"), CONNECTION, UPGRADE],
        &[
            ("UPGRADE", "WebSocket"),
            ("connection", "keep-alive, UPGRADE"),
            ("SEC-WEBSOCKET-VERSION", " 13\t"),
            KEY,
        ],
        &[("Upgrade", "h2c"), UPGRADE, ("Connection", "close ,\tupgrade , "), VERSION, KEY],
        &[UPGRADE, ("Connection", "keep-alive"), CONNECTION, VERSION, KEY],
        &[UPGRADE, CONNECTION, VERSION, KEY, ("Sec-WebSocket-Extensions", "permessage-deflate")],
    ];
    for headers in accepted {
        assert_eq!(asked(headers).as_deref(), Ok(ACCEPT), "{headers:?}");
    }
}

#[test]
fn a_refused_request_is_told_what_is_wrong() {
    let other_version = ("Sec-WebSocket-Version", "8");
    let cases: &[(&[Header], Refusal, u16)] = &[
        (&[], Refusal::NoUpgrade, 400),
        (&[CONNECTION, VERSION, KEY], Refusal::NoUpgrade, 400),
        (&[("Upgrade", "h2c"), CONNECTION, VERSION, KEY], Refusal::NoUpgrade, 400),
        (&[("Upgrade", "websocket2"), CONNECTION, VERSION, KEY], Refusal::NoUpgrade, 400),
        (&[UPGRADE, VERSION, KEY], Refusal::NoConnectionUpgrade, 400),
        (&[UPGRADE, ("Connection", "keep-alive"), VERSION, KEY], Refusal::NoConnectionUpgrade, 400),
        (&[UPGRADE, ("Connection", "not-upgrade"), VERSION, KEY], Refusal::NoConnectionUpgrade, 400),
        (&[UPGRADE, CONNECTION, KEY], Refusal::NoVersion, 400),
        (&[UPGRADE, CONNECTION, other_version, KEY], Refusal::OtherVersion, 426),
        (&[UPGRADE, CONNECTION, ("Sec-WebSocket-Version", "13, 8"), KEY], Refusal::OtherVersion, 426),
        (&[UPGRADE, CONNECTION, ("Sec-WebSocket-Version", "013"), KEY], Refusal::OtherVersion, 426),
        (&[UPGRADE, CONNECTION, VERSION], Refusal::NoKey, 400),
        (&[UPGRADE, CONNECTION, VERSION, ("Sec-WebSocket-Key", "")], Refusal::InvalidKey(InvalidKey), 400),
        (
            &[UPGRADE, CONNECTION, VERSION, ("Sec-WebSocket-Key", "c2hvcnQ=")],
            Refusal::InvalidKey(InvalidKey),
            400,
        ),
        (&[UPGRADE, CONNECTION, VERSION, KEY, KEY], Refusal::Repeated("Sec-WebSocket-Key"), 400),
        (&[UPGRADE, CONNECTION, VERSION, VERSION, KEY], Refusal::Repeated("Sec-WebSocket-Version"), 400),
    ];
    for &(headers, refusal, status) in cases {
        assert_eq!(asked(headers), Err(refusal), "{headers:?}");
        assert_eq!((refusal.status(), refusal.version_header()), (status, (status == 426).then_some("13")));
    }
}

#[test]
fn keys_are_the_base64_of_16_bytes() {
    assert_eq!(accept_key(KEY.1.as_bytes()).unwrap().as_str(), ACCEPT);
    assert_eq!(request_key(*b"the sample nonce"), KEY.1);
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25j!Q==",
    ] {
        assert_eq!(accept_key(key.as_bytes()), Err(InvalidKey), "{key}");
    }
}
