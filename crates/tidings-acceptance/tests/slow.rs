//! Clients that take their time: cut off when their time is over, while others are served; and whoever merely waits
//! between two requests is left alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::figures::resident_bytes;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{
    Ask, Figures, Server, ServerOptions, Subscription, Target, Transport, http, report,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wire::strict::take_response;
use wire::{End, Wire, get, head};

const SOCKETS: usize = 1_000;
const TIMEOUT: Duration = Duration::from_secs(2);
/// By when a slow client must be cut: its time, and as much again for a busy machine.
const CUT: Duration = Duration::from_secs(4);
/// What a thousand slow clients may cost, in bytes.
const COST: u64 = 64 << 20;

fn options() -> ServerOptions {
    ServerOptions::new().set("limits.header_timeout", "2s").set("limits.body_timeout", "2s")
}

/// What a slow client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    Silent,
    Head,
    SecondHead,
    Http2Preface,
    Body,
    ChunkedBody,
}

const KINDS: [Slow; 6] =
    [Slow::Silent, Slow::Head, Slow::SecondHead, Slow::Http2Preface, Slow::Body, Slow::ChunkedBody];

impl Slow {
    /// What is sent at once, and what one byte a second.
    fn script(self, target: &Target) -> (String, String) {
        let post = |more: &str| head(target, "POST", "/v1/publish", "1.1", more);
        match self {
            Self::Silent => (String::new(), String::new()),
            Self::Head => (String::new(), get(target, "/healthz")),
            Self::SecondHead => (get(target, "/healthz"), get(target, "/healthz")),
            Self::Http2Preface => (String::new(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
            Self::Body => (post("content-length: 100\r\n"), "{".repeat(100)),
            Self::ChunkedBody => (post("transfer-encoding: chunked\r\n"), "1\r\n{\r\n".repeat(50)),
        }
    }

    fn has_body(self) -> bool {
        matches!(self, Self::Body | Self::ChunkedBody)
    }
}

/// Follows its script; when and how it was cut.
async fn dawdle(target: Target, kind: Slow) -> (Duration, End, Vec<u8>) {
    let mut wire = Wire::open(target.address).await;
    let (at_once, slowly) = kind.script(&target);
    wire.send(at_once).await;
    if kind == Slow::SecondHead {
        wire.read_until("\"ok\"}").await;
        wire.seen.clear();
    }
    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut bytes = slowly.bytes();
    loop {
        let cut = tokio::select! {
            _ = ticks.tick() => None,
            end = wire.read_to_end() => Some(end),
        };
        if let Some(end) = cut {
            return (began.elapsed(), end, wire.seen);
        }
        if let Some(byte) = bytes.next() {
            // That the server has closed is read next.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut wire.stream, &[byte]).await;
        }
    }
}

/// One request after the other, and events over a stream; how many, and the slowest.
async fn live_on(target: Target, until: Instant) -> (usize, Duration) {
    let mut lane = Lane::new(&target);
    let mut stream = Subscription::open(Transport::Sse, &target, &Ask::of(&["live"])).await.unwrap();
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while Instant::now() < until {
        let began = Instant::now();
        lane.expect(&json!({"channel": "live", "type": "t", "data": count})).await;
        let event = async {
            use tidings_acceptance::subscription::Item;
            while !matches!(stream.next().await.unwrap(), Item::Event { .. }) {}
        };
        within(Duration::from_secs(5), "an event while others dawdle", event).await;
        slowest = slowest.max(began.elapsed());
        count += 1;
        sleep(Duration::from_millis(20)).await;
    }
    (count, slowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_dawdlers_are_cut_in_time_while_others_are_served() {
    let server = Server::start(options()).await;
    let target = server.master().await;
    let living = tokio::spawn(live_on(target.clone(), Instant::now() + CUT + Duration::from_secs(1)));
    sleep(Duration::from_millis(300)).await;
    let before = resident_bytes(server.process());
    let dawdlers: Vec<_> = (0..SOCKETS)
        .map(|n| (KINDS[n % KINDS.len()], tokio::spawn(dawdle(target.clone(), KINDS[n % KINDS.len()]))))
        .collect();
    until(CUT, "all of them to be there", async || {
        let figures = Figures::read(server.address()).await;
        (figures.sum("tidings_connections", "") > SOCKETS as u64 / 2).then_some(())
    })
    .await;
    let grown = resident_bytes(server.process()).saturating_sub(before);
    let (mut earliest, mut latest) = (CUT, Duration::ZERO);
    for (kind, dawdler) in dawdlers {
        let (cut, _, seen) = within(CUT * 3, "a dawdler to be cut", dawdler).await.unwrap();
        assert!(cut <= CUT, "{kind:?} was cut after {cut:?}");
        (earliest, latest) = (earliest.min(cut), latest.max(cut));
        if kind.has_body() {
            let (head, body) = take_response(&mut &seen[..]);
            assert!(
                head.status == 408
                    && body.starts_with(b"{")
                    && String::from_utf8_lossy(&body).contains("request_timeout")
            );
        } else {
            assert!(
                seen.is_empty() || seen.starts_with(b"HTTP/1.1 408 "),
                "{kind:?}: {:?}",
                String::from_utf8_lossy(&seen)
            );
        }
    }
    let (served, slowest) = living.await.unwrap();
    report(format!(
        "slow: {SOCKETS} cut after {earliest:.1?} to {latest:.1?}, {} KiB more in memory; meanwhile {served} events published and delivered, the slowest in {slowest:.1?}",
        grown >> 10,
    ));
    assert!(served > 10 && grown <= COST);
    assert!(earliest >= TIMEOUT / 2, "nobody is cut before the time");
    until(Duration::from_secs(10), "their places to be given back", async || {
        (Figures::read(server.address()).await.sum("tidings_connections", "") == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_may_wait_longer_than_a_head() {
    let server = Server::start(options()).await;
    let target = server.master().await;
    let mut connections = Vec::new();
    // Answered at once, after a look at the log, after a commit, after a wait.
    let body = r#"{"channel":"live","type":"t","data":0}"#;
    let publish =
        head(&target, "POST", "/v1/publish", "1.1", &format!("content-length: {}\r\n", body.len())) + body;
    let cursor = http::ask(&target, "GET", "/v1/poll?channel=still", None).await.unwrap().json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let requests = [
        get(&target, "/healthz"),
        get(&target, "/v1/history?channel=live"),
        publish,
        get(&target, &format!("/v1/poll?channel=still&wait=1&after={cursor}")),
        get(&target, "/nowhere"),
        get(&target, "/healthz") + &get(&target, "/healthz"),
    ];
    for request in &requests {
        let mut wire = Wire::open(server.address()).await;
        wire.send(request).await;
        connections.push(wire);
    }
    for _ in 0..2 {
        sleep(TIMEOUT + TIMEOUT / 2).await;
        for (wire, request) in connections.iter_mut().zip(&requests) {
            wire.seen.clear();
            wire.send(get(&target, "/openapi.json")).await;
            wire.read_until("\"openapi\"").await;
            assert!(String::from_utf8_lossy(&wire.seen).contains("HTTP/1.1 200"), "after {request}");
            // The rest of it, so that the next answer is told from this one.
            sleep(Duration::from_millis(50)).await;
            let _ = wire.stream.try_read_buf(&mut wire.seen);
        }
    }
    report(format!(
        "slow: {} kinds of kept connections idle for {:?} were not cut",
        requests.len(),
        TIMEOUT + TIMEOUT / 2
    ));
}
