//! Requests that are made to cost more than they are worth.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::figures::resident_bytes;
use tidings_acceptance::http::{Connection, ask, request};
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report};
use tidings_protocol::ws::{ControlPayload, MaskKey, Message};

/// A poll's body that names as many channels as it holds.
fn many_channels() -> String {
    let channels: Vec<String> = (0..70_000).map(|number| format!("{number:x}")).collect();
    let body = json!({ "channel": channels }).to_string();
    assert!((450_000..524_288).contains(&body.len()), "{}", body.len());
    body
}

#[tokio::test]
async fn a_body_of_many_channels_is_refused_before_it_costs_anything() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let stranger = Target::new(target.address, "tdk_nobody");
    let body = many_channels();
    for (who, status, code) in [(&stranger, 401, "unauthenticated"), (&target, 400, "too_many_channels")] {
        let asked = (0..8).map(|_| {
            let (who, body) = (Target::new(who.address, &who.key), body.clone());
            tokio::spawn(async move { ask(&who, "POST", "/v1/poll", Some(&body)).await.unwrap() })
        });
        for answer in asked.collect::<Vec<_>>() {
            let answer = within(Duration::from_secs(10), "an answer", answer).await.unwrap();
            assert_eq!((answer.status(), answer.code().as_str()), (status, code));
        }
    }
    let tickets = body.replace("\"channel\"", "\"channels\"");
    assert_eq!(
        ask(&target, "POST", "/v1/tickets", Some(&tickets)).await.unwrap().code(),
        "too_many_channels"
    );
    let twin = json!({"channel": ["a", "a", "b"], "type": ["t"]}).to_string();
    assert_eq!(ask(&target, "POST", "/v1/poll", Some(&twin)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_filter_has_as_many_words_in_a_body_as_in_a_query() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let words = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>();
    for (count, status) in [(100, 200), (101, 400)] {
        let body = json!({"channel": ["a"], "type": words(count)}).to_string();
        assert_eq!(ask(&target, "POST", "/v1/poll", Some(&body)).await.unwrap().status(), status);
        let query: String = words(count).iter().map(|word| format!("&type={word}")).collect();
        let path = format!("/v1/poll?channel=a{query}");
        assert_eq!(ask(&target, "GET", &path, None).await.unwrap().status(), status);
    }
}

/// Pings without end from clients that read nothing: of several the last is answered, so that little waits.
#[tokio::test]
async fn unread_pongs_do_not_pile_up() {
    const SOCKETS: usize = 20;
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let before = resident_bytes(server.process());
    let ping = Message::Ping(ControlPayload::default()).encode_masked(MaskKey([1, 2, 3, 4]));
    let flood = ping.repeat(20_000);
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = Connection::open(target.address).await.unwrap();
        socket.send(&request(&target, "GET", "/v1/ws?channel=a", upgrade, None)).await.unwrap();
        assert_eq!(socket.head().await.unwrap().status, 101);
        sockets.push(socket);
    }
    until(Duration::from_secs(5), "the sockets to be open", async || {
        (Figures::read(server.address()).await.streams() == SOCKETS as u64).then_some(())
    })
    .await;
    let mut sent = 0;
    for socket in &mut sockets {
        for _ in 0..10 {
            // The server may stop reading from a client that does not read: then enough was sent.
            if tokio::time::timeout(Duration::from_millis(300), socket.send(&flood)).await.is_err() {
                break;
            }
            sent += 20_000;
        }
    }
    let grown = resident_bytes(server.process()).saturating_sub(before);
    report(format!("{sent} pings on {SOCKETS} sockets: {} KiB more", grown / 1024));
    assert!(sent >= 20_000 * SOCKETS, "too few pings: {sent}");
    assert!(grown <= (SOCKETS as u64) * 256 * 1024 + (16 << 20), "{grown} bytes more");
}
