//! Too much of everything: bodies, frames, headers, addresses. Each gets its code, and costs no memory.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::figures::resident_bytes;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Server, ServerOptions, Target, report};
use tidings_protocol::ws::{MaskKey, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::strict::{messages, take_head, take_response};
use wire::{UPGRADE, Wire, get, head};

/// How many clients do it at once, and how much each sends at most.
const CLIENTS: usize = 64;
const SENT: usize = 16 << 20;
/// What all of it may cost, where more than a gigabyte is offered.
const COST: u64 = 64 << 20;

/// What each client sends: its opening, then the same piece again and again.
#[derive(Debug, Clone)]
struct Flood {
    head: String,
    /// What the server must have said before the rest is sent.
    ready: Option<&'static str>,
    first: Vec<u8>,
    piece: Vec<u8>,
}

/// Sends until the server has answered and closes, or enough is sent; everything that came.
async fn pour(target: Target, flood: Flood) -> Vec<u8> {
    let mut wire = Wire::open(target.address).await;
    wire.send(&flood.head).await;
    if let Some(ready) = flood.ready {
        wire.read_until(ready).await;
    }
    let (mut reader, mut writer) = wire.stream.split();
    let writing = async {
        let mut sent = 0;
        let mut open = writer.write_all(&flood.first).await.is_ok();
        while open && sent < SENT {
            open = writer.write_all(&flood.piece).await.is_ok();
            sent += flood.piece.len();
        }
        // Whoever is refused and goes on is cut off in the end; reading tells.
        std::future::pending::<()>().await;
    };
    let seen = &mut wire.seen;
    let reading = async { while reader.read_buf(seen).await.is_ok_and(|read| read > 0) {} };
    let either = async {
        tokio::select! { () = reading => {}, () = writing => {} }
    };
    within(Duration::from_secs(30), "the end of something oversized", either).await;
    wire.seen
}

/// Lets all clients do it and looks at the server's memory meanwhile: what each was answered, and the growth.
async fn all_at_once(server: &Server, target: &Target, flood: &Flood) -> (Vec<Vec<u8>>, u64) {
    let before = resident_bytes(server.process());
    let pouring: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(pour(target.clone(), flood.clone()))).collect();
    let mut peak = before;
    while !pouring.iter().all(tokio::task::JoinHandle::is_finished) {
        peak = peak.max(resident_bytes(server.process()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answers = Vec::new();
    for client in pouring {
        answers.push(client.await.unwrap());
    }
    (answers, peak.saturating_sub(before))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_past_the_limit_are_413_and_cost_nothing() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let piece = vec![b' '; 64 * 1024];
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
    let declared = format!("content-length: {}\r\n", SENT * 100);
    let routes = ["/v1/publish", "/v1/poll", "/v1/tickets"];
    for (framing, piece) in [(declared.as_str(), &piece), ("transfer-encoding: chunked\r\n", &chunk)] {
        for route in routes {
            let head = head(&target, "POST", route, "1.1", framing);
            let flood = Flood { head, ready: None, first: Vec::new(), piece: piece.clone() };
            let (answers, grown) = all_at_once(&server, &target, &flood).await;
            for seen in answers {
                let (head, body) = take_response(&mut &seen[..]);
                let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!((head.status, problem["code"].as_str()), (413, Some("body_too_large")), "{route}");
            }
            report(format!(
                "oversized: {CLIENTS} bodies for {route}, {}: {} KiB",
                framing.trim(),
                grown >> 10
            ));
            // Each may hold as much as a body may have.
            assert!(grown <= COST + (CLIENTS << 20) as u64);
        }
    }
    // The twin: as large as it may be.
    let pad = " ".repeat((1 << 20) - 37);
    let mut wire = Wire::open(server.address()).await;
    let body = format!("{{\"channel\":\"c\",\"type\":\"t\",\"data\":0{pad}}}  ");
    wire.send(
        head(&target, "POST", "/v1/publish", "1.1", &format!("content-length: {}\r\n", body.len())) + &body,
    )
    .await;
    wire.read_until("\"duplicate\":false").await;
    assert_eq!(body.len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_past_the_limit_is_413_and_at_the_limit_is_taken() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let mut lane = Lane::new(&target);
    let data = |bytes: usize| json!({"channel": "c", "type": "t", "data": "x".repeat(bytes - 2)});
    assert_eq!(lane.expect(&data(64 * 1024)).await.len(), 1);
    assert!(lane.publish(&data(64 * 1024 + 1)).await.is_refused("body_too_large"));
}

/// A frame's head as a client sends it: this opcode with this length, masked with zeros.
fn frame_head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65_536 => head.extend_from_slice(&[&[0x80 | 126][..], &(length as u16).to_be_bytes()].concat()),
        _ => head.extend_from_slice(&[&[0x80 | 127][..], &length.to_be_bytes()].concat()),
    }
    head.extend_from_slice(&[0; 4]);
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_past_the_limits_are_closed_and_cost_nothing() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let head = head(&target, "GET", "/v1/ws?channel=c", "1.1", UPGRADE);
    let whole = [frame_head(0x81, 1 << 30), vec![b'x'; 64 * 1024]].concat();
    let fragment = [frame_head(0x00, 60_000), vec![b'x'; 60_000]].concat();
    let cases: [(&str, Vec<u8>, Vec<u8>, &str); 4] = [
        ("empty fragments without end", frame_head(0x01, 0), frame_head(0x00, 0).repeat(1_000), "close 1008"),
        ("a frame of 1 GiB", Vec::new(), whole, "close 1009"),
        ("fragments without end", frame_head(0x01, 0), fragment, "close 1009"),
        (
            "a frame of all the bits",
            Vec::new(),
            [frame_head(0x81, i64::MAX as u64), vec![b'x'; 1024]].concat(),
            "close 1009",
        ),
    ];
    for (name, first, piece, close) in cases {
        let flood = Flood { head: head.clone(), ready: Some("$ready"), first, piece };
        let (answers, grown) = all_at_once(&server, &target, &flood).await;
        for seen in answers {
            let mut input = &seen[..];
            assert_eq!(take_head(&mut input).status, 101);
            let said = messages(input);
            assert!(said.first().is_some_and(|text| text.contains("$ready")), "{name}: {said:?}");
            assert_eq!(said.last().map(String::as_str), Some(close), "{name}");
        }
        report(format!("oversized: {CLIENTS} times {name}: {} KiB", grown >> 10));
        assert!(grown <= COST + (CLIENTS << 20) as u64, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_small_frames_cost_nothing_and_are_carried() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let before = resident_bytes(server.process());
    let mut wire = Wire::open(server.address()).await;
    wire.send(head(&target, "GET", "/v1/ws?channel=c", "1.1", UPGRADE)).await;
    wire.read_until("$ready").await;
    // A hundred thousand pings, and a request in as many fragments as it has bytes, empty ones between them.
    let pings = Message::Ping(tidings_protocol::ws::ControlPayload::default())
        .encode_masked(MaskKey([0; 4]))
        .repeat(1_000);
    let request = br#"{"op":"ping","ref":"at last"}"#;
    let mut fragments = [frame_head(0x01, 1), vec![request[0]]].concat();
    for byte in &request[1..] {
        fragments.extend([frame_head(0x00, 1), vec![*byte]].concat());
        fragments.extend(frame_head(0x00, 0).repeat(7));
    }
    fragments.extend(frame_head(0x80, 0));
    let (mut reader, mut writer) = wire.stream.split();
    let writing = async {
        for _ in 0..100 {
            writer.write_all(&pings).await.unwrap();
        }
        writer.write_all(&fragments).await.unwrap();
    };
    let (answer, seen) = (br#"{"ref":"at last","ok":{}}"#, &mut wire.seen);
    let reading = async {
        while !seen.ends_with(answer) {
            assert!(reader.read_buf(seen).await.unwrap() > 0);
        }
    };
    within(Duration::from_secs(30), "the answer behind the flood", async { tokio::join!(writing, reading) })
        .await;
    let mut input = &wire.seen[..];
    assert_eq!(take_head(&mut input).status, 101);
    let pongs = messages(input).iter().filter(|said| said.starts_with("Pong")).count();
    let grown = resident_bytes(server.process()).saturating_sub(before);
    report(format!("oversized: a flood of 100000 pings, {pongs} pongs, {} KiB", grown >> 10));
    assert!(grown <= COST);
    // RFC 6455, 5.5.3: of several pings waiting the last may be answered alone.
    assert!(pongs > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_and_headers_past_the_limit_are_refused() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let path =
        |bytes: usize| format!("/v1/history?channel={}", "channel=c&".repeat(bytes).split_at(bytes - 20).0);
    let header = |bytes: usize| format!("x-pad: {}\r\n", "x".repeat(bytes));
    let before = resident_bytes(server.process());
    for (name, request, status, code) in [
        (
            "an address at the limit",
            head(&target, "GET", &path(8 * 1024), "1.1", ""),
            400,
            Some("invalid_channel"),
        ),
        (
            "an address past the limit",
            head(&target, "GET", &path(8 * 1024 + 1), "1.1", ""),
            414,
            Some("uri_too_long"),
        ),
        (
            "an address of 20 KiB",
            head(&target, "GET", &path(20 * 1024), "1.1", ""),
            414,
            Some("uri_too_long"),
        ),
        ("a header of 20 KiB", head(&target, "GET", "/healthz", "1.1", &header(20 * 1024)), 200, None),
        ("a header of 100 KiB", head(&target, "GET", "/healthz", "1.1", &header(100 * 1024)), 431, None),
        ("an address of 1 MiB", head(&target, "GET", &path(1 << 20), "1.1", ""), 431, None),
        ("a thousand headers", head(&target, "GET", "/healthz", "1.1", &"x: y\r\n".repeat(1_000)), 431, None),
    ] {
        let mut wire = Wire::open(server.address()).await;
        // What is refused early may be closed before all of it is taken.
        let _ = wire.stream.write_all(request.as_bytes()).await;
        wire.read_until("\r\n\r\n").await;
        wire.finish().await;
        wire.read_to_end().await;
        let (head, body) = take_response(&mut &wire.seen[..]);
        let is_refused_by_library = status == 431;
        assert!(
            head.status == status || (is_refused_by_library && head.status == 414),
            "{name}: {}",
            head.status
        );
        if let Some(code) = code {
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["code"], code, "{name}");
        }
    }
    let grown = resident_bytes(server.process()).saturating_sub(before);
    assert!(grown <= COST, "{grown}");
    let mut wire = Wire::open(server.address()).await;
    wire.send(get(&target, "/healthz")).await;
    wire.read_until("\"ok\"").await;
}
