//! How streams end from the client's side, over HTTP/1.1 and HTTP/2: whatever a client does, its place is given back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::process::Stdio;
use std::time::Duration;

use rand::Rng;
use serde_json::json;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::report::random;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report};
use tidings_protocol::Cursor;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use wire::{End, UPGRADE, Wire, get, head};

const ENDS: usize = 1_000;

/// What is open, as the server counts it and as the system does.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    streams: u64,
    attached: u64,
    connections: u64,
    files: usize,
}

async fn open(server: &Server) -> Open {
    let figures = Figures::read(server.address()).await;
    Open {
        streams: figures.streams(),
        attached: figures.sum("tidings_sessions_attached", ""),
        connections: figures.sum("tidings_connections", ""),
        files: std::fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count(),
    }
}

/// Waits until as much is open as before; files may be one fewer or more, for the connection that asks.
async fn settled(server: &Server, before: &Open) {
    let mut last = None;
    let settling = async {
        loop {
            let now = open(server).await;
            let files = now.files.abs_diff(before.files) <= 1;
            if files
                && (now.streams, now.attached, now.connections)
                    == (before.streams, before.attached, before.connections)
            {
                return;
            }
            last = Some(now);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(15), settling).await.is_err() {
        panic!("before {before:?}, now {last:?}");
    }
}

fn requests(target: &Target, cursor: Cursor) -> [(&'static str, String); 4] {
    [
        ("sse", get(target, "/v1/events?channel=live")),
        ("ws", head(target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE)),
        // Nothing tells a client that has gone from one that has only finished sending, until it is answered.
        ("poll", get(target, &format!("/v1/poll?channel=live&wait=1&after={cursor}"))),
        ("1.0", head(target, "GET", "/v1/events?channel=live", "1.0", "")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_abrupt_ends_leave_nothing() {
    let mut rng = random("stream_ends");
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let cursor = Lane::new(&target).expect(&json!({"channel": "live", "type": "t", "data": 0})).await[0];
    let requests = requests(&target, cursor);
    // What is made once, at the first use, is made.
    for (_, request) in &requests {
        Wire::open(server.address()).await.send(request).await;
    }
    let before = until(Duration::from_secs(15), "the first ones to be gone", async || {
        let now = open(&server).await;
        (now.attached == 0 && now.connections == 1).then_some(now)
    })
    .await;

    let mut lane = Lane::new(&target);
    let mut waiting = Vec::new();
    for n in 0..ENDS {
        let (kind, request) = &requests[n % requests.len()];
        let mut wire = Wire::open(server.address()).await;
        let cut = rng.random_range(1..=request.len());
        match rng.random_range(0..6) {
            // In the middle of the head, and right after it.
            0 => wire.send(&request[..cut]).await,
            1 => wire.send(request).await,
            _ => {
                wire.send(request).await;
                if *kind != "poll" {
                    wire.read_until("$ready").await;
                }
            }
        }
        if rng.random_bool(0.5) {
            wire.reset();
        } else if rng.random_bool(0.3) {
            waiting.push(wire);
        }
        if waiting.len() > 40 {
            waiting.swap_remove(rng.random_range(0..waiting.len()));
        }
        if n % 50 == 0 {
            lane.expect(&json!({"channel": "live", "type": "t", "data": n})).await;
        }
    }
    drop((waiting, lane));
    settled(&server, &before).await;
    let figures = Figures::read(server.address()).await;
    report(format!(
        "stream_ends: {ENDS} abrupt ends, {} streams opened, {before:?} before and after",
        figures.sum("tidings_streams_opened_total", "")
    ));
    assert!(figures.sum("tidings_streams_opened_total", "") > 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fin_and_a_reset_end_the_session_at_once() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let cursor = Lane::new(&target).expect(&json!({"channel": "live", "type": "t", "data": 0})).await[0];
    for (kind, request) in requests(&target, cursor).into_iter().filter(|(kind, _)| *kind != "poll") {
        for by_reset in [false, true] {
            let mut wire = Wire::open(server.address()).await;
            wire.send(&request).await;
            wire.read_until("$ready").await;
            assert_eq!(open(&server).await.streams, 1, "{kind}");
            if by_reset {
                wire.reset();
            } else {
                wire.finish().await;
                assert_eq!(wire.read_to_end().await, End::Closed, "{kind}");
            }
            until(Duration::from_secs(5), "the stream to end", async || {
                (open(&server).await.streams == 0).then_some(())
            })
            .await;
        }
    }
}

/// An HTTP/2 client that knows beforehand (RFC 9113, 3.3): curl.
struct Curl {
    child: Child,
    seen: String,
}

impl Curl {
    fn start(target: &Target, path: &str, more: &[&str]) -> Self {
        let mut command = Command::new("curl");
        command.args(["--http2-prior-knowledge", "-sSNi", "--max-time", "60", "--noproxy", "*"]).args(more);
        command.arg("-H").arg(format!("authorization: Bearer {}", target.key));
        command.arg(format!("http://{}{path}", target.address));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        Self { child: command.spawn().expect("curl"), seen: String::new() }
    }

    async fn read_until(&mut self, text: &str) {
        let stdout = self.child.stdout.as_mut().unwrap();
        let seen = &mut self.seen;
        let reading = async {
            while !seen.contains(text) {
                let mut space = [0; 16 * 1024];
                let read = stdout.read(&mut space).await.unwrap();
                assert!(read > 0, "waiting for {text:?}: {seen}");
                seen.push_str(std::str::from_utf8(&space[..read]).unwrap());
            }
        };
        within(Duration::from_secs(15), text, reading).await;
    }

    async fn finish(mut self) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        within(Duration::from_secs(15), "curl to end", stdout.read_to_string(&mut self.seen)).await.unwrap();
        self.seen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_carries_streams_and_gives_them_back() {
    let server = Server::start(ServerOptions::new().set("stream.heartbeat", "200ms")).await;
    let target = server.master().await;
    let mut lane = Lane::new(&target);
    let mut streams: Vec<Curl> =
        (0..3).map(|_| Curl::start(&target, "/v1/events?channel=live", &[])).collect();
    for stream in &mut streams {
        stream.read_until("event: $ready").await;
    }
    let first = lane.expect(&json!({"channel": "live", "type": "mark", "data": "one"})).await[0];
    for stream in &mut streams {
        stream.read_until("\"one\"}\n\n").await;
        stream.read_until("\n:\n").await;
        let (head, body) = stream.seen.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/2 200")
                && !head.contains("transfer-encoding")
                && !head.contains("connection:"),
            "{head}"
        );
        assert!(body.starts_with("retry: 1000\n\n"), "{body}");
        assert!(body.contains(&format!("id: {first}\nevent: mark\ndata: ")), "{body}");
    }
    assert_eq!(open(&server).await.streams, 3);
    streams[0].child.start_kill().unwrap();
    drop(streams);
    until(Duration::from_secs(5), "the streams to end", async || {
        (open(&server).await.streams == 0).then_some(())
    })
    .await;

    // Resuming, publishing, refusals: as over HTTP/1.1.
    let second = lane.expect(&json!({"channel": "live", "type": "mark", "data": "two"})).await[0];
    let last = format!("last-event-id: {first}");
    let mut resumed = Curl::start(&target, "/v1/events?channel=live", &["-H", &last]);
    resumed.read_until("\"two\"}\n\n").await;
    assert!(
        resumed.seen.contains(&format!("id: {second}\n")) && !resumed.seen.contains("\"one\""),
        "{}",
        resumed.seen
    );
    let body = r#"{"channel":"live","type":"mark","data":"three"}"#;
    let published = Curl::start(&target, "/v1/publish", &["-d", body]).finish().await;
    assert!(published.starts_with("HTTP/2 200") && published.contains("\"duplicate\":false"), "{published}");
    resumed.read_until("\"three\"}\n\n").await;
    for (path, more, status, code) in [
        ("/v1/ws?channel=live", &["-H", "upgrade: websocket"][..], "HTTP/2 4", "\"status\":4"),
        ("/v1/events?channel=?", &[], "HTTP/2 400", "invalid_channel"),
        ("/nowhere", &[], "HTTP/2 404", "not_found"),
        ("/v1/events", &["-X", "DELETE"], "HTTP/2 405", "method_not_allowed"),
    ] {
        let refused = Curl::start(&target, path, more).finish().await;
        assert!(refused.starts_with(status) && refused.contains(code), "{path}: {refused}");
        assert!(refused.contains("application/problem+json"), "{path}: {refused}");
    }
    let headers = Curl::start(&target, "/v1/events?channel=live", &["--head"]).finish().await;
    assert!(
        headers.starts_with("HTTP/2 200")
            && headers.contains("text/event-stream")
            && !headers.contains("retry"),
        "{headers}"
    );
}
