//! What a credential is good for and for how long: tickets, keys that end, and which pages may ask.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::http::{Answer, Connection, ask};
use tidings_acceptance::publish::{Lane, Outcome};
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Ask, Figures, Server, ServerOptions, Subscription, Target, Transport, report};
use tokio::time::{Instant, sleep};

/// Within this, what has ended is over (G8).
const AT_ONCE: Duration = Duration::from_secs(1);
const STREAMS: [Transport; 2] = [Transport::Sse, Transport::Ws];

/// A target without a credential: what opens is the ticket alone.
fn nobody(target: &Target) -> Target {
    Target { key: "".into(), ..target.clone() }
}

async fn ticket(target: &Target, body: Value) -> String {
    let answer = ask(target, "POST", "/v1/tickets", Some(&body.to_string())).await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

fn with_ticket(channels: &[&str], ticket: &str) -> Ask {
    Ask::of(channels).with("ticket", ticket)
}

/// Opens a stream and reads what comes first: `$ready`, or the code of the refusal.
async fn open(target: &Target, transport: Transport, ask: &Ask) -> Result<Subscription, String> {
    let mut stream = match Subscription::open(transport, target, ask).await {
        Ok(stream) => stream,
        Err(Closed::Refused { code, .. }) => return Err(code),
        Err(other) => panic!("{other:?}"),
    };
    match stream.next().await.unwrap() {
        Item::Control { name, .. } if name == "$ready" => Ok(stream),
        Item::Control { name, data, .. } if name == "$end" => match stream.next().await.unwrap_err() {
            Closed::Ended(code) => Err(format!("{} {data}", code.unwrap_or_default())),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Reads on to the end: the data of the `$end`, and the close code of a WebSocket.
async fn ended(stream: &mut Subscription) -> (Value, Option<u16>) {
    let mut end = Value::Null;
    loop {
        match stream.next().await {
            Ok(Item::Control { name, data, .. }) if name == "$end" => {
                end = serde_json::from_str(&data).unwrap()
            }
            Ok(_) => {}
            Err(Closed::Ended(code)) => return (end, code),
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn is_spent(refused: &str) -> bool {
    refused == "ticket_spent" || refused.starts_with("4401 ")
}

#[tokio::test]
async fn a_ticket_is_good_once_for_its_channels_and_origin() {
    let server = Server::start(ServerOptions::new().set("cors.origins", "https://page.example")).await;
    let master = server.master().await;
    let nobody = nobody(&master);
    for transport in STREAMS {
        // Once.
        let once = ticket(&master, json!({"channels": ["a", "b:*"]})).await;
        let wanted = with_ticket(&["a", "b:c"], &once);
        let _stream = open(&nobody, transport, &wanted).await.unwrap();
        let refused = open(&nobody, transport, &wanted).await.unwrap_err();
        assert!(is_spent(&refused), "{transport:?}: {refused}");
        // A browser that comes back by itself is told so, too: 401, not a stream that ends.
        let again = Ask { by_header: true, ..wanted.since("0000000000001.0000001") };
        let refused = open(&nobody, transport, &again).await.unwrap_err();
        assert!(is_spent(&refused), "{transport:?}: {refused}");

        // For its channels.
        for outside in ["c", "b", "*", "b:*:*"] {
            let narrow = ticket(&master, json!({"channels": ["a", "b:*"]})).await;
            let refused = open(&nobody, transport, &with_ticket(&["a", outside], &narrow)).await.unwrap_err();
            assert!(
                ["forbidden_channel", "invalid_channel"].contains(&&*refused) || refused.starts_with("4403 "),
                "{refused}"
            );
        }
        // Never was one.
        let refused = open(&nobody, transport, &with_ticket(&["a"], "tdt_invented")).await.unwrap_err();
        assert!(is_spent(&refused), "{refused}");
    }
    // For its page.
    for (bound, origin, good) in [
        (Some("https://page.example"), Some("https://page.example"), true),
        (Some("https://page.example"), Some("https://other.example"), false),
        (Some("https://page.example"), Some("null"), false),
        (Some("https://page.example"), None, false),
        (None, Some("https://page.example"), true),
        (None, None, true),
    ] {
        let bound_to = ticket(&master, json!({"channels": ["a"], "origin": bound})).await;
        let header = origin.map_or(String::new(), |origin| format!("origin: {origin}\r\n"));
        let answer = raw(&nobody, "HEAD", &format!("/v1/events?channel=a&ticket={bound_to}"), &header).await;
        assert_eq!(answer, if good { 200 } else { 401 }, "{bound:?} from {origin:?}");
    }
}

/// The status of a request with further headers.
async fn raw(target: &Target, method: &str, path: &str, more: &str) -> u16 {
    headers_of(target, method, path, more).await.head.status
}

async fn headers_of(target: &Target, method: &str, path: &str, more: &str) -> Answer {
    let mut connection = Connection::open(target.address).await.unwrap();
    let credential = if target.key.is_empty() {
        String::new()
    } else {
        format!("authorization: Bearer {}\r\n", target.key)
    };
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{credential}{more}\r\n", target.address);
    connection.send(request.as_bytes()).await.unwrap();
    let head = within(Duration::from_secs(5), path, connection.head()).await.unwrap();
    Answer { head, body: Vec::new() }
}

#[tokio::test]
async fn a_ticket_gives_no_more_than_its_channels_afterwards() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let narrow = ticket(&master, json!({"channels": ["a", "b:*"]})).await;
    let mut stream = open(&nobody(&master), Transport::Ws, &with_ticket(&["a"], &narrow)).await.unwrap();
    let Subscription::Ws(socket) = &mut stream else { panic!("a WebSocket") };
    let add = json!([{"channel": "secret"}, {"channel": "*"}, {"channel": "b:*"}]);
    socket.send(&json!({"op": "subscribe", "ref": 1, "add": add})).await.unwrap();
    let answer = socket.answer().await.unwrap();
    let refused = json!([{"channel": "secret", "code": "forbidden_channel"}, {"channel": "*", "code": "forbidden_channel"}]);
    assert_eq!(answer["ok"], json!({"added": ["b:*"], "refused": refused}), "{answer}");
    // Whoever may read with a ticket may not write with it: the right to that was not asked for.
    let event = json!({"channel": "a", "type": "t", "data": 1});
    socket.send(&json!({"op": "publish", "ref": 2, "events": [event]})).await.unwrap();
    let answer = socket.answer().await.unwrap();
    assert_eq!(answer["error"]["code"], "forbidden_channel", "{answer}");
    // The twin: the credential itself.
    let mut stream = open(&master, Transport::Ws, &Ask::of(&["a"])).await.unwrap();
    let Subscription::Ws(socket) = &mut stream else { panic!("a WebSocket") };
    socket.send(&json!({"op": "subscribe", "ref": 1, "add": add})).await.unwrap();
    assert_eq!(socket.answer().await.unwrap()["ok"]["refused"], json!([]));
    socket.send(&json!({"op": "publish", "ref": 2, "events": [event]})).await.unwrap();
    assert_eq!(socket.answer().await.unwrap()["ok"]["events"][0]["duplicate"], false);
}

#[tokio::test]
async fn a_ticket_is_over_after_its_time_and_with_its_key() {
    let server = Server::start(ServerOptions::new().set("limits.tickets", "3")).await;
    let master = server.master().await;
    let nobody = nobody(&master);
    let began = Instant::now();
    let body = json!({"channels": ["a"]}).to_string();
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let answer = ask(&master, "POST", "/v1/tickets", Some(&body)).await.unwrap();
        waiting
            .push((answer.json()["ticket"].as_str().unwrap().to_owned(), answer.json()["expiresAt"].clone()));
    }
    let fourth = ask(&master, "POST", "/v1/tickets", Some(&body)).await.unwrap();
    assert_eq!((fourth.status(), fourth.code().as_str()), (429, "rate_limited"));
    assert!(fourth.head.header("retry-after").is_some());

    // With its key.
    let made = server.json(&["key", "create", "--name", "short", "--grant", "subscribe:*"]).await;
    let short = Target::new(server.address(), made["key"].as_str().unwrap());
    let void = ticket(&short, json!({"channels": ["a"]})).await;
    server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
    let refused = open(&nobody, Transport::Sse, &with_ticket(&["a"], &void)).await.unwrap_err();
    assert_eq!(refused, "ticket_spent");

    // After its time: half a minute.
    let (early, late) = (&waiting[0].0, &waiting[1].0);
    sleep((began + Duration::from_secs(27)).saturating_duration_since(Instant::now())).await;
    let _stream = open(&nobody, Transport::Sse, &with_ticket(&["a"], early)).await.unwrap();
    sleep((began + Duration::from_secs(31)).saturating_duration_since(Instant::now())).await;
    let refused = open(&nobody, Transport::Sse, &with_ticket(&["a"], late)).await.unwrap_err();
    assert_eq!(refused, "ticket_spent");
    // There is room again.
    ticket(&master, json!({"channels": ["a"]})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_ends_everything_within_a_second() {
    let server = Server::start(ServerOptions::new()).await;
    let (master, other) = (server.master().await, server.key("other", &["subscribe:*"]).await);
    let made = server
        .json(&["key", "create", "--name", "doomed", "--grant", "subscribe:*", "--grant", "publish:*"])
        .await;
    let doomed = Target::new(server.address(), made["key"].as_str().unwrap());
    let cursor = Lane::new(&doomed).expect(&json!({"channel": "a", "type": "t", "data": 1})).await[0];
    let mut streams = Vec::new();
    for transport in STREAMS {
        for _ in 0..20 {
            streams.push(open(&doomed, transport, &Ask::of(&["a"])).await.unwrap());
        }
        streams.push(
            open(
                &doomed,
                transport,
                &with_ticket(&["a"], &ticket(&doomed, json!({"channels": ["a"]})).await),
            )
            .await
            .unwrap(),
        );
    }
    let mut others = vec![
        open(&other, Transport::Sse, &Ask::of(&["a"])).await.unwrap(),
        open(&other, Transport::Ws, &Ask::of(&["a"])).await.unwrap(),
    ];
    let path = format!("/v1/poll?channel=a&wait=30&after={cursor}");
    let polls: Vec<_> = (0..5)
        .map(|_| {
            let (doomed, path) = (doomed.clone(), path.clone());
            tokio::spawn(async move { ask(&doomed, "GET", &path, None).await.unwrap() })
        })
        .collect();
    until(Duration::from_secs(5), "the polls to wait", async || {
        let attached = Figures::read(server.address()).await.sum("tidings_sessions_attached", "");
        (attached == streams.len() as u64 + 2 + 5).then_some(())
    })
    .await;

    server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
    let revoked = Instant::now();
    let over = async {
        for stream in &mut streams {
            let (end, code) = ended(stream).await;
            assert_eq!(end, json!({"reason": "revoked", "retry": "auth"}));
            assert!(code.is_none_or(|code| code == 4002), "{code:?}");
        }
        for poll in polls {
            let answer = poll.await.unwrap();
            assert_eq!((answer.status(), answer.code().as_str()), (401, "revoked"));
        }
    };
    within(AT_ONCE, "everything of the key to end", over).await;
    report(format!(
        "credentials: {} streams and 5 polls of a revoked key were over after {:.1?}",
        streams.len(),
        revoked.elapsed()
    ));
    let event = json!({"channel": "a", "type": "t", "data": 2});
    assert!(Lane::new(&doomed).publish(&event).await.is_refused("unauthenticated"));
    assert_eq!(open(&doomed, Transport::Sse, &Ask::of(&["a"])).await.unwrap_err(), "unauthenticated");
    // Others notice nothing.
    let id = Lane::new(&master).expect(&event).await[0];
    for stream in &mut others {
        assert!(matches!(stream.next().await.unwrap(), Item::Event { id: Some(own), .. } if own == id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_while_streams_are_being_opened_leaves_none() {
    const KEYS: usize = 40;
    const OPENERS: usize = 12;
    let server = Server::start(ServerOptions::new()).await;
    let mut opened = 0;
    for n in 0..KEYS {
        let made =
            server.json(&["key", "create", "--name", &format!("k{n}"), "--grant", "subscribe:*"]).await;
        let target = Target::new(server.address(), made["key"].as_str().unwrap());
        // Opening goes on until it is refused; none of them knows the key before.
        let openers: Vec<_> = (0..OPENERS)
            .map(|n| {
                let target = target.clone();
                tokio::spawn(async move {
                    let mut streams = Vec::new();
                    while let Ok(stream) = open(&target, STREAMS[n % 2], &Ask::of(&["a"])).await {
                        streams.push(stream);
                    }
                    streams
                })
            })
            .collect();
        server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
        let mut streams = Vec::new();
        for opener in openers {
            streams
                .extend(within(Duration::from_secs(10), "the openers to be refused", opener).await.unwrap());
        }
        opened += streams.len();
        let over = async {
            for stream in &mut streams {
                assert_eq!(ended(stream).await.0["reason"], "revoked");
            }
        };
        within(AT_ONCE * 2, "the streams to end", over).await;
        assert_eq!(open(&target, Transport::Sse, &Ask::of(&["a"])).await.unwrap_err(), "unauthenticated");
    }
    report(format!("credentials: {KEYS} keys revoked while {opened} streams were being opened"));
    assert!(opened > KEYS);
    until(AT_ONCE, "no stream to be open", async || {
        (Figures::read(server.address()).await.streams() == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_expires_says_so_and_ends_everything() {
    let server = Server::start(ServerOptions::new()).await;
    server.master().await;
    let made = server
        .json(&[
            "key",
            "create",
            "--name",
            "brief",
            "--grant",
            "subscribe:*",
            "--grant",
            "publish:*",
            "--expires",
            "3s",
        ])
        .await;
    let brief = Target::new(server.address(), made["key"].as_str().unwrap());
    let began = Instant::now();
    let cursor = Lane::new(&brief).expect(&json!({"channel": "a", "type": "t", "data": 1})).await[0];
    let path = format!("/v1/poll?channel=a&wait=30&after={cursor}");
    let poll = tokio::spawn({
        let brief = brief.clone();
        async move { ask(&brief, "GET", &path, None).await.unwrap() }
    });
    for transport in STREAMS {
        let mut stream = open(&brief, transport, &Ask::of(&["a"])).await.unwrap();
        let Item::Control { name, data, .. } = stream.next().await.unwrap() else {
            panic!("a notice comes first")
        };
        assert!(name == "$expiring" && data.contains("\"at\":"), "{name} {data}");
        if transport == Transport::Sse {
            continue;
        }
        let (end, code) = within(Duration::from_secs(4), "the key's end", ended(&mut stream)).await;
        assert_eq!((end, code), (json!({"reason": "expired", "retry": "auth"}), Some(4002)));
        assert!(began.elapsed() > Duration::from_secs(2));
    }
    let answer = within(AT_ONCE, "the poll to end", poll).await.unwrap();
    assert_eq!((answer.status(), answer.code().as_str()), (401, "expired"));
    let refused = Lane::new(&brief).publish(&json!({"channel": "a", "type": "t", "data": 1})).await;
    assert!(matches!(refused, Outcome::Refused { status: 401, .. }), "{refused:?}");
}

#[tokio::test]
async fn listed_pages_alone_may_ask() {
    let page = "https://page.example";
    let server = Server::start(ServerOptions::new().set("cors.origins", page)).await;
    let master = server.master().await;
    let nobody = nobody(&master);
    let asking = |origin: &str| {
        format!(
            "origin: {origin}\r\naccess-control-request-method: POST\r\naccess-control-request-headers: authorization,last-event-id\r\n"
        )
    };
    for path in ["/v1/publish", "/v1/events", "/v1/poll", "/v1/tickets", "/v1/sessions/x/subscriptions"] {
        let answer = headers_of(&nobody, "OPTIONS", path, &asking(page)).await;
        assert_eq!(
            (answer.status(), answer.head.header("access-control-allow-origin")),
            (204, Some(page)),
            "{path}"
        );
        assert_eq!(answer.head.header("access-control-allow-credentials"), Some("true"));
        let allowed = answer.head.header("access-control-allow-headers").unwrap().to_lowercase();
        for name in
            ["authorization", "x-api-key", "content-type", "last-event-id", "if-match", "idempotency-key"]
        {
            assert!(allowed.split(',').any(|allowed| allowed.trim() == name), "{name} of {allowed}");
        }
        assert!(answer.head.header("access-control-allow-methods").unwrap().contains("POST"));
        for stranger in [
            "null",
            "https://page.example.evil",
            "http://page.example",
            "https://page.example:444",
            "https://PAGE.example",
            "*",
        ] {
            let answer = headers_of(&nobody, "OPTIONS", path, &asking(stranger)).await;
            assert_eq!(answer.head.header("access-control-allow-origin"), None, "{path} from {stranger}");
            assert_eq!(answer.head.header("access-control-allow-credentials"), None);
        }
    }
    let origin = format!("origin: {page}\r\n");
    for (target, method, path, status) in [
        (&master, "GET", "/v1/poll?channel=a", 200),
        (&master, "GET", "/v1/events?channel=a", 200),
        (&master, "HEAD", "/v1/events?channel=a", 200),
        (&nobody, "GET", "/v1/events?channel=a", 401),
        (&master, "GET", "/v1/poll?channel=a:", 400),
        (&master, "GET", "/nowhere", 404),
    ] {
        let answer = headers_of(target, method, path, &origin).await;
        assert_eq!(
            (answer.status(), answer.head.header("access-control-allow-origin")),
            (status, Some(page)),
            "{path}"
        );
        assert!(answer.head.header("vary").is_some_and(|vary| vary.eq_ignore_ascii_case("origin")), "{path}");
        let exposed = answer.head.header("access-control-expose-headers").unwrap().to_lowercase();
        assert!(
            ["retry-after", "etag", "tidings-cursor"].iter().all(|name| exposed.contains(name)),
            "{exposed}"
        );
        let strange = headers_of(target, method, path, "origin: https://stranger.example\r\n").await;
        assert_eq!(
            (strange.status(), strange.head.header("access-control-allow-origin")),
            (status, None),
            "{path}"
        );
        assert!(
            strange.head.header("vary").is_some(),
            "{path}: what is kept for one page is not for another"
        );
    }
    assert_eq!(raw(&master, "GET", "/v1/poll?channel=a", &format!("{origin}{origin}")).await, 200);
}

#[tokio::test]
async fn nothing_that_a_credential_opens_is_compressed() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let accept = "accept-encoding: gzip, deflate, br, zstd\r\n";
    for path in ["/v1/events?channel=a", "/v1/poll?channel=a", "/v1/history?channel=a", "/openapi.json"] {
        let answer = headers_of(&master, "GET", path, accept).await;
        assert_eq!((answer.status(), answer.head.header("content-encoding")), (200, None), "{path}");
    }
}
