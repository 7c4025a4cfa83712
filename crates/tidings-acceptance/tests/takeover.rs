//! How a connection becomes a stream: whatever stands before the request and however it is sent, the right bytes come,
//! and nothing of one answer is in another.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wire;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::{Server, ServerOptions, Target, report};
use tidings_protocol::ws::{MaskKey, Message};
use wire::strict::{blocks, messages, take_chunks, take_head, take_response};
use wire::{ACCEPT, End, UPGRADE, Wire, get, head};

/// What clients may send after the request of a stream.
const TRAILING: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Sse,
    Ws,
}

use Stream::{Sse, Ws};

/// A server with a channel whose history is a large answer.
struct World {
    server: Server,
    target: Target,
    markers: AtomicUsize,
}

impl World {
    async fn make() -> Self {
        let server = Server::start(ServerOptions::new()).await;
        let target = server.master().await;
        let pad = "x".repeat(50_000);
        let events: Vec<_> = (0..20).map(|_| json!({"channel": "large", "type": "t", "data": pad})).collect();
        Lane::new(&target).expect(&json!({ "events": events })).await;
        Self { server, target, markers: AtomicUsize::new(0) }
    }

    async fn connect(&self) -> Wire {
        Wire::open(self.server.address()).await
    }

    fn request(&self, stream: Stream) -> String {
        match stream {
            Sse => get(&self.target, "/v1/events?channel=live"),
            Ws => head(&self.target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE),
        }
    }

    fn history(&self) -> String {
        get(&self.target, "/v1/history?channel=large")
    }

    /// Publishes an event and waits until it has come over the wire.
    async fn mark(&self, wire: &mut Wire) {
        wire.read_until("$ready").await;
        let marker = format!("marker-{};", self.markers.fetch_add(1, Ordering::SeqCst));
        Lane::new(&self.target).expect(&json!({"channel": "live", "type": "mark", "data": marker})).await;
        wire.read_until(&format!("{marker}\"}}")).await;
        // The end of its frame.
        if wire.seen.ends_with(b"}") && !wire.seen.ends_with(b"}}") {
            wire.read_until("}\n\n\r\n").await;
        }
    }
}

/// A large answer, whole.
fn assert_large(input: &mut &[u8]) {
    let (head, body) = take_response(input);
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((head.status, page["events"].as_array().map(Vec::len)), (200, Some(20)));
    assert!(body.len() > 1_000_000);
}

/// A stream's head and what was said so far: `$ready` and so many marks; nothing else, and nothing after.
fn assert_stream(stream: Stream, mut input: &[u8], marks: usize) {
    let head = take_head(&mut input);
    match stream {
        Sse => {
            assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")), "{head:?}");
            assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
            assert!(head.header("date").is_some() && head.header("content-encoding").is_none(), "{head:?}");
            let (payload, ended) = take_chunks(&mut input);
            let expected: Vec<_> = ["retry", "$ready"].into_iter().chain(vec!["mark"; marks]).collect();
            assert_eq!(
                (blocks(&payload), ended, input.len()),
                (expected.iter().map(|s| (*s).to_owned()).collect(), false, 0)
            );
        }
        Ws => {
            assert_eq!((head.status, head.header("sec-websocket-accept")), (101, Some(ACCEPT)), "{head:?}");
            assert!(head.header("sec-websocket-extensions").is_none());
            let said = messages(input);
            assert_eq!(said.len(), 1 + marks, "{said:?}");
            assert!(
                said[0].contains("$ready") && said[1..].iter().all(|text| text.contains("marker-")),
                "{said:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_begins_wherever_its_request_stands() {
    let world = World::make().await;
    let mut ways = 0;
    for stream in [Sse, Ws] {
        let request = world.request(stream);
        // First on its connection, in one piece and byte by byte.
        let mut first = world.connect().await;
        first.send(&request).await;
        world.mark(&mut first).await;
        assert_stream(stream, &first.seen, 1);

        let mut slow = world.connect().await;
        slow.send_bytewise(&request).await;
        world.mark(&mut slow).await;
        assert_stream(stream, &slow.seen, 1);

        // Second on a kept connection, after a large answer that was read.
        let mut second = world.connect().await;
        second.send(world.history()).await;
        second.read_until("\"resets\":[]}").await;
        second.send(&request).await;
        world.mark(&mut second).await;
        let mut input = &second.seen[..];
        assert_large(&mut input);
        assert_stream(stream, input, 1);

        // Behind one and three answers, all asked for at once; the client takes them slowly.
        for before in [1, 3] {
            let mut piped = Wire::narrow(world.server.address()).await;
            let asked = world.history().repeat(before) + &request;
            piped.send(asked).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            world.mark(&mut piped).await;
            world.mark(&mut piped).await;
            let mut input = &piped.seen[..];
            (0..before).for_each(|_| assert_large(&mut input));
            assert_stream(stream, input, 2);
        }

        // Pipelined, byte by byte.
        let mut both = world.connect().await;
        both.send_bytewise(get(&world.target, "/healthz") + &request).await;
        world.mark(&mut both).await;
        let mut input = &both.seen[..];
        assert_eq!(take_response(&mut input).0.status, 200);
        assert_stream(stream, input, 1);
        ways += 6;
    }
    report(format!("takeover: {ways} ways to begin a stream, each with the right bytes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_between_answers_keep_their_place() {
    let world = World::make().await;
    let mut wire = world.connect().await;
    let nobody = Target { key: "wrong".into(), ..world.target.clone() };
    let requests = [
        get(&world.target, "/nowhere"),
        get(&nobody, "/v1/events?channel=live"),
        head(&world.target, "POST", "/v1/events", "1.1", "content-length: 0\r\n"),
        get(&world.target, "/v1/events?channel=live&since=rubbish"),
        get(&world.target, "/v1/ws?channel=live"),
        world.request(Sse),
    ];
    wire.send(requests.concat()).await;
    world.mark(&mut wire).await;
    let mut input = &wire.seen[..];
    for (status, code) in [
        (404, "not_found"),
        (401, "unauthenticated"),
        (405, "method_not_allowed"),
        (400, "invalid_cursor"),
        (400, "invalid_parameter"),
    ] {
        let (head, body) = take_response(&mut input);
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((head.status, problem["code"].as_str()), (status, Some(code)));
    }
    assert_stream(Sse, input, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_is_ended_by_the_connection() {
    let world = World::make().await;
    let mut wire = world.connect().await;
    wire.send(head(&world.target, "GET", "/v1/events?channel=live", "1.0", "")).await;
    wire.read_until("$ready").await;
    Lane::new(&world.target).expect(&json!({"channel": "live", "type": "mark", "data": "one"})).await;
    wire.read_until("\"one\"}\n\n").await;
    let mut input = &wire.seen[..];
    let answered = take_head(&mut input);
    assert_eq!((answered.status, answered.header("connection")), (200, Some("close")), "{answered:?}");
    assert!(answered.header("transfer-encoding").is_none() && answered.header("content-length").is_none());
    assert_eq!(blocks(input), ["retry", "$ready", "mark"]);

    // RFC 6455, 4.1: an upgrade takes HTTP/1.1.
    let mut socket = world.connect().await;
    socket.send(head(&world.target, "GET", "/v1/ws?channel=live", "1.0", UPGRADE)).await;
    assert_eq!(socket.read_to_end().await, End::Closed);
    let (refused, _) = take_response(&mut &socket.seen[..]);
    assert!([400, 426, 505].contains(&refused.status), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_answers_headers_alone_and_opens_nothing() {
    let world = World::make().await;
    let mut wire = world.connect().await;
    let asked = [
        head(&world.target, "HEAD", "/v1/events?channel=live", "1.1", ""),
        head(&world.target, "HEAD", "/v1/history?channel=large", "1.1", ""),
        head(&world.target, "HEAD", "/v1/ws?channel=live", "1.1", UPGRADE),
        get(&world.target, "/healthz"),
        world.request(Sse),
    ];
    wire.send(asked.concat()).await;
    world.mark(&mut wire).await;
    let mut input = &wire.seen[..];
    let events = take_head(&mut input);
    assert_eq!(
        (events.status, events.header("content-type")),
        (200, Some("text/event-stream; charset=utf-8"))
    );
    assert!(events.header("content-length").is_none(), "{events:?}");
    assert_eq!(take_head(&mut input).status, 200);
    // RFC 6455, 4.1: the method of an upgrade is GET.
    let upgrade = take_head(&mut input);
    assert!([400, 405, 426].contains(&upgrade.status), "{upgrade:?}");
    assert_eq!(take_response(&mut input).1, b"{\"status\":\"ok\"}");
    assert_stream(Sse, input, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_has_finished_gets_a_whole_answer() {
    let world = World::make().await;
    let mut wire = world.connect().await;
    wire.send(world.history().repeat(2)).await;
    wire.finish().await;
    assert_eq!(wire.read_to_end().await, End::Closed);
    let mut input = &wire.seen[..];
    assert_large(&mut input);
    assert_large(&mut input);
    assert!(input.is_empty());

    // A stream ends with its client's FIN: whatever was said is a whole body.
    for (before, stream) in [(0, Sse), (1, Sse), (0, Ws), (1, Ws)] {
        let mut wire = world.connect().await;
        wire.send(world.history().repeat(before) + &world.request(stream)).await;
        wire.finish().await;
        assert_eq!(wire.read_to_end().await, End::Closed, "{stream:?}");
        let mut input = &wire.seen[..];
        (0..before).for_each(|_| assert_large(&mut input));
        if input.is_empty() {
            continue;
        }
        let answered = take_head(&mut input);
        if stream == Sse {
            let (payload, ended) = take_chunks(&mut input);
            blocks(&payload);
            assert_eq!((answered.status, ended, input.len()), (200, true, 0), "{before}");
        } else {
            messages(input);
            assert_eq!(answered.status, 101);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_the_request_is_dropped_and_too_much_closes() {
    let world = World::make().await;
    let another = get(&world.target, "/healthz");
    for at_once in [true, false] {
        for (trailing, stays) in
            [(another.clone(), true), ("x".repeat(TRAILING), true), ("x".repeat(TRAILING + 1), false)]
        {
            let mut wire = world.connect().await;
            if at_once {
                wire.send(world.request(Sse) + &trailing).await;
            } else {
                wire.send(world.request(Sse)).await;
                world.mark(&mut wire).await;
                wire.send(&trailing).await;
            }
            if stays {
                world.mark(&mut wire).await;
                assert_stream(Sse, &wire.seen, 2 - usize::from(at_once));
            } else {
                wire.read_to_end().await;
            }
        }
    }
    // A body that nobody asked for is what follows, too.
    let mut wire = world.connect().await;
    wire.send(
        head(&world.target, "GET", "/v1/events?channel=live", "1.1", "content-length: 5\r\n") + "hello",
    )
    .await;
    world.mark(&mut wire).await;
    assert_stream(Sse, &wire.seen, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_sent_with_the_upgrade_are_answered() {
    let world = World::make().await;
    let ping = Message::text(r#"{"op":"ping","ref":"early"}"#).encode_masked(MaskKey([1, 2, 3, 4]));
    for bytewise in [false, true] {
        let mut wire = world.connect().await;
        let sent = [world.request(Ws).as_bytes(), &ping, &ping].concat();
        if bytewise {
            wire.send_bytewise(&sent).await
        } else {
            wire.send(&sent).await
        }
        world.mark(&mut wire).await;
        let mut input = &wire.seen[..];
        assert_eq!(take_head(&mut input).status, 101);
        let said = messages(input);
        let answers = said.iter().filter(|text| *text == r#"{"ref":"early","ok":{}}"#).count();
        assert_eq!((answers, said.len()), (2, 4), "{said:?}");
    }
}
