//! Deliveries whose signature, or whose headers, are not GitHub's.

use data_encoding::BASE64;
use serde_json::Value;
use tidings_acceptance::token_key::mac;
use tidings_acceptance::{Call, report};

use crate::hub::{Hub, bare, completed, in_progress, signature, signed, unsigned};

/// A delivery's parts.
struct Parts {
    id: String,
    body: String,
    secret: String,
    /// The right signature.
    right: String,
    /// The body of another delivery, and its right signature.
    other: (String, String),
}

type Variant = (&'static str, u16, fn(&Parts) -> Call);

fn with(parts: &Parts, signature: &str) -> Call {
    unsigned(&parts.id, &parts.body).line(format!("x-hub-signature-256: {signature}"))
}

fn hex(parts: &Parts) -> &str {
    &parts.right["sha256=".len()..]
}

const SIGNATURES: &[Variant] = &[
    ("no signature", 401, |parts| unsigned(&parts.id, &parts.body)),
    ("an empty signature", 401, |parts| with(parts, "")),
    ("its prefix alone", 401, |parts| with(parts, "sha256=")),
    ("SHA-1 alone", 401, |parts| {
        unsigned(&parts.id, &parts.body)
            .line("x-hub-signature: sha1=7d38cdd689735b008b3c702edd92eea23791c5f6")
    }),
    ("SHA-1 in the place of SHA-256", 401, |parts| {
        with(parts, "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6")
    }),
    ("the right one under the old name", 401, |parts| {
        unsigned(&parts.id, &parts.body).line(format!("x-hub-signature: {}", parts.right))
    }),
    ("the prefix in capitals", 401, |parts| with(parts, &format!("SHA256={}", hex(parts)))),
    ("digits in capitals", 401, |parts| with(parts, &format!("sha256={}", hex(parts).to_uppercase()))),
    ("no prefix", 401, |parts| with(parts, hex(parts))),
    ("another prefix", 401, |parts| with(parts, &format!("sha512={}", hex(parts)))),
    ("a colon", 401, |parts| with(parts, &format!("sha256:{}", hex(parts)))),
    ("cut by a digit", 401, |parts| with(parts, &parts.right[..parts.right.len() - 1])),
    ("cut by a byte", 401, |parts| with(parts, &parts.right[..parts.right.len() - 2])),
    ("cut in half", 401, |parts| with(parts, &parts.right[..39])),
    ("one byte", 401, |parts| with(parts, &parts.right[..9])),
    ("longer by a byte", 401, |parts| with(parts, &format!("{}00", parts.right))),
    ("twice in one", 401, |parts| with(parts, &format!("{},{}", parts.right, parts.right))),
    ("a space within", 401, |parts| with(parts, &format!("sha256= {}", hex(parts)))),
    ("quoted", 401, |parts| with(parts, &format!("\"{}\"", parts.right))),
    ("base64", 401, |parts| {
        with(
            parts,
            &format!("sha256={}", BASE64.encode(&mac(parts.secret.as_bytes(), parts.body.as_bytes()))),
        )
    }),
    ("zeros", 401, |parts| with(parts, &format!("sha256={}", "0".repeat(64)))),
    ("the last digit changed", 401, |parts| {
        let last = if parts.right.ends_with('0') { '1' } else { '0' };
        with(parts, &format!("{}{last}", &parts.right[..parts.right.len() - 1]))
    }),
    ("of another delivery", 401, |parts| with(parts, &parts.other.1)),
    ("by no secret", 401, |parts| with(parts, &signature("", parts.body.as_bytes()))),
    ("by another secret", 401, |parts| {
        with(parts, &signature("another secret than ours", parts.body.as_bytes()))
    }),
    ("by the secret and a line feed", 401, |parts| {
        with(parts, &signature(&format!("{}\n", parts.secret), parts.body.as_bytes()))
    }),
    ("by the secret without its end", 401, |parts| {
        with(parts, &signature(&parts.secret[..parts.secret.len() - 1], parts.body.as_bytes()))
    }),
    ("of the body's hash", 401, |parts| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, parts.body.as_bytes());
        with(parts, &signature(&parts.secret, digest.as_ref()))
    }),
    ("of nothing", 401, |parts| with(parts, &signature(&parts.secret, b""))),
    ("twice, the right one first", 401, |parts| {
        with(parts, &parts.right).line("x-hub-signature-256: sha256=00")
    }),
    ("twice, the right one last", 401, |parts| {
        let call = with(parts, "sha256=00");
        call.line(format!("x-hub-signature-256: {}", parts.right))
    }),
    ("twice the right one", 401, |parts| {
        with(parts, &parts.right).line(format!("x-hub-signature-256: {}", parts.right))
    }),
    ("in the query", 401, |parts| {
        unsigned(&parts.id, &parts.body).query(&format!("signature={}", parts.right))
    }),
    ("the secret itself", 401, |parts| with(parts, &parts.secret)),
    ("the secret as Bearer", 401, |parts| {
        unsigned(&parts.id, &parts.body).line(format!("authorization: Bearer {}", parts.secret))
    }),
];

/// Another body than was signed.
const ALTERED: &[Variant] = &[
    ("a byte altered", 401, |parts| altered(parts, &parts.body.replacen("in_progress", "in_progresS", 1))),
    ("another action", 401, |parts| {
        altered(parts, &parts.body.replacen("\"in_progress\"", "\"completed\"", 1))
    }),
    ("another delivery's body", 401, |parts| altered(parts, &parts.other.0)),
    ("a space before", 401, |parts| altered(parts, &format!(" {}", parts.body))),
    ("a line feed behind", 401, |parts| altered(parts, &format!("{}\n", parts.body))),
    ("white space within", 401, |parts| altered(parts, &parts.body.replace(',', ", "))),
    ("a member in front", 401, |parts| altered(parts, &format!("{{\"a\":1,{}", &parts.body[1..]))),
    ("cut", 401, |parts| altered(parts, &parts.body[..parts.body.len() - 1])),
    ("empty", 401, |parts| altered(parts, "")),
    ("a byte order mark", 401, |parts| altered(parts, &format!("\u{feff}{}", parts.body))),
    ("in UTF-16, as its charset says", 401, |parts| {
        let bytes: Vec<u8> = parts.body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let call = unsigned(&parts.id, bytes).line("content-type: application/json; charset=utf-16le");
        call.line(format!("x-hub-signature-256: {}", parts.right))
    }),
    ("as a form", 401, |parts| altered(parts, &format!("payload={}", parts.body))),
];

fn altered(parts: &Parts, body: &str) -> Call {
    unsigned(&parts.id, body).line(format!("x-hub-signature-256: {}", parts.right))
}

/// Signed, and not as it must be otherwise.
const HEADERS: &[Variant] = &[
    ("no delivery id", 400, |parts| {
        let call = bare(&parts.body).line("x-github-event: workflow_run");
        call.line(format!("x-hub-signature-256: {}", parts.right))
    }),
    ("an empty delivery id", 400, |parts| signed(&parts.secret, "", &parts.body)),
    ("a delivery id of 101 bytes", 400, |parts| signed(&parts.secret, &"d".repeat(101), &parts.body)),
    ("two delivery ids", 400, |parts| {
        signed(&parts.secret, &parts.id, &parts.body).line("x-github-delivery: another")
    }),
    ("the same delivery id twice", 400, |parts| {
        signed(&parts.secret, &parts.id, &parts.body).line(format!("x-github-delivery: {}", parts.id))
    }),
    ("no event", 400, |parts| {
        let call = bare(&parts.body).line(format!("x-github-delivery: {}", parts.id));
        call.line(format!("x-hub-signature-256: {}", parts.right))
    }),
    ("two events", 400, |parts| signed(&parts.secret, &parts.id, &parts.body).line("x-github-event: push")),
    ("the same event twice", 400, |parts| {
        signed(&parts.secret, &parts.id, &parts.body).line("x-github-event: workflow_run")
    }),
    ("gzip", 415, |parts| signed(&parts.secret, &parts.id, &parts.body).line("content-encoding: gzip")),
    ("gzip, and deflate", 415, |parts| {
        signed(&parts.secret, &parts.id, &parts.body).line("content-encoding: gzip, deflate")
    }),
    ("identity as an encoding", 415, |parts| {
        signed(&parts.secret, &parts.id, &parts.body).line("content-encoding: identity")
    }),
    ("25 MiB, of white space before", 413, |parts| {
        signed(&parts.secret, &parts.id, format!("{}{}", " ".repeat(25 << 20), parts.body))
    }),
    ("25 MiB, of a member", 413, |parts| {
        let body = format!("{{\"a\":\"{}\",{}", "x".repeat(25 << 20), &parts.body[1..]);
        signed(&parts.secret, &parts.id, body)
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_as_it_must_be_is_refused() {
    let mut hub = Hub::make().await;
    let mut refused = 0;
    for (name, status, variant) in SIGNATURES.iter().chain(ALTERED).chain(HEADERS) {
        let (run, another) = (hub.bound().await, hub.bound().await);
        let (body, other) = (in_progress(&run), completed(&another, &Value::Null, 1));
        let right = signature(&hub.north.secret, body.as_bytes());
        let of_other = signature(&hub.north.secret, other.as_bytes());
        let (id, secret) = (hub.id(), hub.north.secret.clone());
        let parts = Parts { id, body, secret, right, other: (other, of_other) };
        let twin = signed(&parts.secret, &parts.id, &parts.body);
        hub.has_no_effect(name, &run, &variant(&parts), *status, &twin).await;
        refused += 1;
    }
    assert!(refused >= 32);
    // Each is in the audit log: the first of a cause at once, the others counted, told at the latest when the server ends.
    hub.server.stop().await;
    let rows = hub.server.json(&["audit", "--action", "webhook.github_refused", "--limit", "1000"]).await;
    let rows = rows["rows"].as_array().unwrap();
    let counted: u64 = rows.iter().map(|row| row["metadata"]["count"].as_u64().unwrap_or(1)).sum();
    let told = hub
        .server
        .json(&["audit", "--tenant", "north", "--action", "webhook.github_delivered", "--limit", "1000"])
        .await;
    assert_eq!(told["rows"].as_array().unwrap().len(), refused, "the twins");
    report(format!(
        "webhook: {refused} deliveries refused, {counted} audited; their twins have started {refused} casts"
    ));
    assert_eq!(counted, refused as u64, "{rows:?}");
}
