//! What is published arrives as it was sent, and nothing in it becomes an event, an id or a control of its own. (The
//! same through npm `eventsource-parser` and Chromium is in `conformance/js`.)

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Buf;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::report::random;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Ask, Server, ServerOptions, Subscription, Target, Transport, http, report};
use tidings_protocol::{chunk, sse};

const PAYLOADS: usize = 100_000;
const BATCH: usize = 100;
const LANES: usize = 8;
const CHANNEL: &str = "payloads";
const PATIENCE: Duration = Duration::from_secs(120);

/// What line-oriented parsers stumble over, and what could pass for a field or block of its own.
const PIECES: [&str; 38] = [
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\r\r",
    "\r\n\r\n",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "\u{2029}",
    "\u{85}",
    "\u{b}",
    "\u{c}",
    "\t",
    " ",
    ":",
    ": ",
    "data:",
    "\ndata: forged\n\n",
    "\r\revent: $end\r\r",
    "id: 0000000000001.0000000",
    "\nid\n",
    "\nid:\n\n",
    "retry: 1",
    "\n:comment\n",
    "\nevent: $reset\ndata: {}\n\n",
    "\0\n\n",
    "\"",
    "\\",
    "\\n",
    "\\u000a",
    "\u{1f600}",
    "é",
    "x",
    "0\r\n\r\n",
    "1a\r\n",
    "\u{7f}",
    "\u{202e}",
];

/// What may stand between tokens.
const SPACES: [&str; 10] = ["", "", "", " ", "\n", "\r", "\r\n", "\t", "\n\n", "\r\n\r\n"];

const TYPES: [&str; 12] =
    ["t", "data", "id", "event", "retry", "message", "a:b", ":", ".", "_", "ready", "end"];
const WORDS: [&str; 9] = ["a", "ü", "\"", "\\", "data: x", "\u{2028}", "\u{feff}", "$end", " "];

/// An event as it is sent, and what a subscriber is to get.
struct Payload {
    kind: &'static str,
    sent: String,
    data: String,
    rest: String,
}

impl Payload {
    fn draw(rng: &mut StdRng) -> Self {
        let mut tokens = Vec::new();
        draw_tokens(rng, 2, &mut tokens);
        let mut spaced = String::new();
        for token in &tokens {
            spaced.push_str(SPACES.choose(rng).unwrap());
            spaced.push_str(token);
        }
        spaced.push_str(SPACES.choose(rng).unwrap());
        let kind = TYPES.choose(rng).unwrap();
        let mut rest = String::new();
        for member in ["actor", "mutationId"] {
            if rng.random_bool(0.2) {
                rest.push_str(&format!(",\"{member}\":{}", json!(WORDS.choose(rng).unwrap())));
            }
        }
        let sent = format!("{{\"channel\":\"{CHANNEL}\",\"type\":\"{kind}\"{rest},\"data\":{spaced}}}");
        Self { kind, sent, data: tokens.concat(), rest }
    }

    fn expected(&self, id: &str, time: &str) -> String {
        let (kind, data, rest) = (self.kind, &self.data, &self.rest);
        format!(
            "{{\"id\":\"{id}\",\"channel\":\"{CHANNEL}\",\"type\":\"{kind}\",\"time\":\"{time}\",\"data\":{data}{rest}}}"
        )
    }
}

fn draw_string(rng: &mut StdRng) -> String {
    let pieces: String = (0..rng.random_range(0..6)).map(|_| *PIECES.choose(rng).unwrap()).collect();
    let written = json!(pieces).to_string();
    let escape_all = rng.random_bool(0.3);
    let escaped = written.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(byte) if byte < 0x7f => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    });
    let mut text = if escape_all { escaped.collect() } else { written };
    if rng.random_ratio(1, 50) {
        // Half of a surrogate pair is JSON, and nobody's Unicode.
        text.insert_str(text.len() - 1, "\\ud800");
    }
    text
}

fn draw_tokens(rng: &mut StdRng, depth: u32, out: &mut Vec<String>) {
    let plain =
        ["0", "-0", "1e5", "1.50", "12345678901234567890", "1E-2", "null", "true", "\"\"", "[]", "{}"];
    match rng.random_range(0..if depth > 0 { 9 } else { 6 }) {
        0..4 => out.push(draw_string(rng)),
        4 | 5 => out.push((*plain.choose(rng).unwrap()).to_owned()),
        kind => {
            let is_object = kind == 8;
            out.push(if is_object { "{" } else { "[" }.to_owned());
            for index in 0..rng.random_range(1..4) {
                if index > 0 {
                    out.push(",".to_owned());
                }
                if is_object {
                    out.extend([draw_string(rng), ":".to_owned()]);
                }
                draw_tokens(rng, depth - 1, out);
            }
            out.push(if is_object { "}" } else { "]" }.to_owned());
        }
    }
}

type Published = Arc<Mutex<HashMap<String, Payload>>>;

async fn publish(target: Target, published: Published, batches: usize, mut rng: StdRng) {
    let mut connection = Connection::open(target.address).await.unwrap();
    for _ in 0..batches {
        let drawn: Vec<Payload> = (0..BATCH).map(|_| Payload::draw(&mut rng)).collect();
        let sent: Vec<&str> = drawn.iter().map(|payload| payload.sent.as_str()).collect();
        let body = format!("{{\"events\":[{}]}}", sent.join(","));
        let answer =
            connection.exchange(&request(&target, "POST", "/v1/publish", "", Some(&body))).await.unwrap();
        assert_eq!(answer.status(), 200, "{}: {body}", answer.json());
        let receipts = answer.json();
        let ids = receipts["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["id"].as_str().unwrap().to_owned());
        published.lock().unwrap().extend(ids.zip(drawn));
    }
}

/// Everything that a stream said: type, id and data of each event.
#[derive(Default)]
struct Heard {
    events: Vec<(String, String, String)>,
    controls: Vec<String>,
    /// Blocks with an id alone, retries and comments.
    others: (usize, usize, usize),
}

/// Reads a stream with our own decoders until it has said so many events.
async fn listen(target: Target, ready: tokio::sync::oneshot::Sender<()>) -> Heard {
    let mut connection = Connection::open(target.address).await.unwrap();
    let path = format!("/v1/events?channel={CHANNEL}");
    connection.send(&request(&target, "GET", &path, "", None)).await.unwrap();
    assert_eq!(connection.head().await.unwrap().status, 200);
    let (mut chunks, mut blocks) = (chunk::Decoder::default(), sse::Decoder::default());
    let (mut heard, mut ready) = (Heard::default(), Some(ready));
    while heard.events.len() < PAYLOADS {
        connection.fill().await.unwrap();
        let buffer = connection.buffer();
        let mut input = &buffer[..];
        while let Some(part) = chunks.decode(&mut input).unwrap() {
            let chunk::Part::Data(mut data) = part else { panic!("the stream ended") };
            while let Some(item) = blocks.decode(&mut data).unwrap() {
                note(item, &mut heard);
            }
        }
        let used = buffer.len() - input.len();
        buffer.advance(used);
        if let Some(ready) = ready.take_if(|_| !heard.controls.is_empty()) {
            ready.send(()).unwrap();
        }
    }
    heard
}

fn note(item: sse::Item<'_>, heard: &mut Heard) {
    match item {
        sse::Item::Event(event) if event.event.starts_with('$') => {
            heard.controls.push(event.event.to_owned())
        }
        sse::Item::Event(event) => {
            heard.events.push((event.event.to_owned(), event.id.to_owned(), event.data.to_owned()));
        }
        sse::Item::Position(_) => heard.others.0 += 1,
        sse::Item::Retry(_) => heard.others.1 += 1,
        sse::Item::Comment(_) => heard.others.2 += 1,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_payloads_arrive_as_they_were_sent() {
    let mut rng = random("payloads");
    let server = Server::start(ServerOptions::new().set("stream.heartbeat", "1h")).await;
    let target = server.master().await;
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let listening = tokio::spawn(listen(target.clone(), ready));
    let socket = Subscription::open(Transport::Ws, &target, &Ask::of(&[CHANNEL])).await.unwrap();
    let reading = tokio::spawn(read_socket(socket));
    is_ready.await.unwrap();

    let published = Published::default();
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let rng = StdRng::seed_from_u64(rng.random());
            tokio::spawn(publish(target.clone(), published.clone(), PAYLOADS / BATCH / LANES, rng))
        })
        .collect();
    for lane in lanes {
        within(PATIENCE, "the payloads to be published", lane).await.unwrap();
    }
    let heard = within(PATIENCE, "the stream", listening).await.unwrap();
    let framed = within(PATIENCE, "the socket", reading).await.unwrap();

    let published = published.lock().unwrap();
    assert_eq!((heard.controls, heard.others), (vec!["$ready".to_owned()], (0, 1, 0)));
    assert_eq!(published.len(), PAYLOADS);
    for (kind, id, data) in &heard.events {
        let sent = published.get(id).expect("an id that was given to the publisher");
        let (_, rest) = data.split_once("\"time\":\"").unwrap();
        let expected = sent.expected(id, &rest[..24]);
        assert!(*kind == sent.kind && *data == expected, "sent {:?}, came {kind:?} {data:?}", sent.sent);
    }
    assert!(heard.events.is_sorted_by(|(_, a, _), (_, b, _)| a < b), "ids ascend, none twice");
    let streamed: Vec<_> = heard.events.into_iter().map(|(_, id, data)| (id, data)).collect();
    assert!(streamed == framed, "SSE and WebSocket say the same");
    report(format!(
        "payloads: {} by SSE, {} by WebSocket, each as it was sent",
        streamed.len(),
        framed.len()
    ));
}

async fn read_socket(mut socket: Subscription) -> Vec<(String, String)> {
    let mut events = Vec::new();
    while events.len() < PAYLOADS {
        match socket.next().await.unwrap() {
            Item::Event { id, data } => events.push((id.unwrap().to_string(), data)),
            Item::Control { name, .. } => assert_eq!(name, "$ready"),
            other => panic!("{other:?}"),
        }
    }
    events
}

#[tokio::test]
async fn what_would_break_a_field_is_refused() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let good = json!({"channel": "c", "type": "t", "category": "C", "key": "k", "mutationId": "m", "actor": "a",
        "idempotencyKey": "i", "also": ["d"], "data": 1});
    let breaks = ["\r", "\n", "\r\n", "\0", "\u{85}", "\n\nevent: $end\ndata: {}\n\n", ""];
    let strange = ["\u{feff}", "\u{2028}", "$x", " ", "é", "*"];
    let mut refused = 0;
    for member in ["channel", "type", "category", "key", "mutationId", "actor", "idempotencyKey", "also"] {
        let is_name = matches!(member, "channel" | "type" | "category" | "also");
        let bad = breaks.iter().chain(strange.iter().filter(|_| is_name));
        for text in bad {
            let mut body = good.clone();
            body[member] = if member == "also" { json!([text]) } else { json!(text) };
            assert_refused(&target, &body.to_string(), &body[member]).await;
            refused += 1;
        }
    }
    for data in
        ["\"\r\"", "\"\n\"", "\"\0\"", "\u{feff}1", "1\u{2028}", "\u{a0}1", "", "\"", "1\0", "\"\\x\""]
    {
        let body = format!("{{\"channel\":\"c\",\"type\":\"t\",\"data\":{data}}}");
        assert_refused(&target, &body, &json!(data)).await;
        refused += 1;
    }
    assert_eq!(Lane::new(&target).expect(&good).await.len(), 1);
    report(format!("payloads: {refused} refused, and the twin is taken"));
}

async fn assert_refused(target: &Target, body: &str, fault: &Value) {
    let answer = http::ask(target, "POST", "/v1/publish", Some(body)).await.unwrap();
    assert_eq!(
        (answer.status(), answer.head.header("content-type")),
        (400, Some("application/problem+json")),
        "{fault}"
    );
}
