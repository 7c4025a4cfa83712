//! A record that is followed: read again once after each gap, without a loss at the seam, and nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod followed {
    pub(crate) mod server;
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use followed::server::{Answer, Server};
use serde_json::{Value, json};
use tidings_client::subscriber::{NoSnapshot, NotFollowed, Options, State};
use tidings_client::{Backoff, Credential, Followed, InvalidOptions, Stopped, Told, Trouble, Update};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(20);

fn id(n: u64) -> String {
    format!("{n:013}.0000000")
}

fn record(version: u64, at: u64) -> Answer {
    let headers = format!("tidings-cursor: {}\r\n", id(at));
    Answer::Whole(200, headers, json!({"version": version}).to_string())
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::Whole(status, String::new(), json!({"code": code, "detail": "No."}).to_string())
}

fn stream(blocks: &[String]) -> Answer {
    Answer::Stream(blocks.concat())
}

fn ready(at: u64) -> String {
    format!("id: {}\nevent: $ready\ndata: {{\"session\":\"s\"}}\n\n", id(at))
}

fn event(channel: &str, n: u64) -> String {
    let id = id(n);
    format!(
        "id: {id}\nevent: t\ndata: {{\"id\":\"{id}\",\"channel\":\"{channel}\",\"type\":\"t\",\"time\":\"t\",\"data\":{n}}}\n\n"
    )
}

fn gap(reason: &str, channels: &[&str], through: Option<u64>) -> String {
    let data = json!({"reason": reason, "channels": channels, "through": through.map(id)});
    format!("event: $reset\ndata: {data}\n\n")
}

fn options(server: &Server) -> Options {
    Options {
        url: Some(format!("http://{}", server.address)),
        credential: Credential::fixed("k"),
        backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(5) },
        ..Options::of(["a"])
    }
}

fn follow(server: &Server) -> Followed<Value> {
    Followed::open("/api/x", options(server)).unwrap()
}

/// What comes next, in words; most of the futures that wait for it are dropped.
async fn next(followed: &mut Followed<Value>) -> String {
    let waiting = async {
        loop {
            if let Ok(told) = timeout(Duration::from_millis(3), followed.next()).await {
                return match told {
                    Some(Ok(Told::Snapshot(record))) => format!("snapshot {}", record["version"]),
                    Some(Ok(Told::Update(Update::Event(event)))) => format!("event {}", event.data),
                    Some(Ok(Told::Update(Update::Gap(gap)))) => format!("gap {}", gap.reason),
                    Some(Ok(Told::Update(other))) => format!("{other:?}"),
                    Some(Err(error)) => format!("error {error}"),
                    None => "nothing".to_owned(),
                };
            }
        }
    };
    timeout(LIMIT, waiting).await.unwrap()
}

async fn expect(followed: &mut Followed<Value>, told: &[&str]) {
    for expected in told {
        assert_eq!(next(followed).await, *expected);
    }
}

/// What was asked: `r`, the record; a number, the stream after it.
fn asked(server: &Server) -> Vec<String> {
    let word = |asked: String| match asked.split_once("since=") {
        Some((_, rest)) => rest[..13].trim_start_matches('0').to_owned(),
        None => "r".to_owned(),
    };
    server.asked().into_iter().map(word).collect()
}

#[tokio::test]
async fn after_a_gap_the_record_is_read_again_and_events_go_on_from_there() {
    let server = Server::start([
        record(1, 1),
        // What the stream says after its gap is contained in the record that is read then.
        stream(&[ready(1), event("a", 2), gap("expired", &["a"], Some(5)), event("a", 6)]),
        record(2, 7),
        stream(&[ready(7), event("a", 7), event("a", 8), gap("unknown", &["a"], Some(9))]),
        record(3, 3),
        stream(&[ready(3), event("a", 4)]),
    ]);
    let mut followed = follow(&server);
    assert_eq!(followed.cursor(), None);
    expect(&mut followed, &["snapshot 1", "event 2"]).await;
    assert_eq!(followed.cursor(), Some(id(2).parse().unwrap()));
    expect(&mut followed, &["gap expired"]).await;
    assert_eq!(followed.cursor(), None, "what is known is old");
    expect(&mut followed, &["snapshot 2", "event 8", "gap unknown", "snapshot 3", "event 4"]).await;
    assert_eq!(asked(&server), ["r", "1", "r", "7", "r", "3"]);
    assert_eq!(followed.status().borrow().state, State::Connected);
}

#[tokio::test]
async fn a_reading_that_fails_is_tried_again_and_the_status_says_why() {
    let page = Answer::Whole(200, String::new(), "<html>".to_owned());
    let server = Server::start([
        record(1, 1),
        stream(&[ready(1), gap("expired", &["a"], Some(5))]),
        refusal(503, "capacity"),
        Answer::Cut,
        page,
        Answer::Hang,
        record(2, 7),
        stream(&[ready(7), event("a", 8)]),
    ]);
    let options = Options { open_timeout: Duration::from_secs(1), ..options(&server) };
    let mut followed = Followed::open("/api/x", options).unwrap();
    expect(&mut followed, &["snapshot 1", "gap expired"]).await;
    let mut status = followed.status();
    let third = async { status.wait_for(|status| status.failures == 3).await.unwrap().clone() };
    let (told, third) = tokio::join!(next(&mut followed), timeout(LIMIT, third));
    let third = third.unwrap();
    assert_eq!((told.as_str(), third.state), ("snapshot 2", State::Reading));
    assert!(third.why.as_ref().unwrap().contains("no JSON"), "{third:?}");
    expect(&mut followed, &["event 8"]).await;
    assert_eq!(asked(&server), ["r", "1", "r", "r", "r", "r", "r", "7"]);
}

#[tokio::test]
async fn a_record_that_is_refused_after_a_gap_is_an_error_and_then_nothing() {
    for (answers, attempts, sentence) in [
        (vec![refusal(404, "not_found")], None, "the record cannot be read: No. (not_found)"),
        (vec![refusal(403, "forbidden")], None, "the record cannot be read: No. (forbidden)"),
        (
            vec![Answer::Whole(200, String::new(), "{}".to_owned())],
            None,
            "the answer has no `Tidings-Cursor`",
        ),
        (vec![Answer::Cut, refusal(503, "capacity")], Some(2), "the record cannot be read: No. (capacity)"),
    ] {
        let count = answers.len();
        let first = [record(1, 1), stream(&[ready(1), gap("expired", &["a"], Some(5))])];
        let server = Server::start(first.into_iter().chain(answers));
        let mut followed = Followed::open("/api/x", Options { attempts, ..options(&server) }).unwrap();
        expect(&mut followed, &["snapshot 1", "gap expired"]).await;
        let error = next(&mut followed).await;
        assert!(error.starts_with(&format!("error {sentence}")), "{error}");
        expect(&mut followed, &["nothing", "nothing"]).await;
        let status = followed.status().borrow().clone();
        assert_eq!((status.state, server.asked().len()), (State::Ended, 2 + count));
        assert!(status.why.unwrap().starts_with(sentence));
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let server = Server::start([record(1, 1), refusal(403, "forbidden_channel"), record(1, 1)]);
    let mut followed = follow(&server);
    expect(&mut followed, &["snapshot 1"]).await;
    let stopped = timeout(LIMIT, followed.next()).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(&stopped, NotFollowed::Stopped(Stopped::Refused(refusal)) if refusal.code == "forbidden_channel")
    );
    let mut followed = Followed::<Vec<u64>>::open("/api/x", options(&server)).unwrap();
    let other = timeout(LIMIT, followed.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(other, NotFollowed::NoSnapshot(NoSnapshot::Misunderstood(_))));
    let attempts = Options { attempts: Some(1), ..options(&Server::start([Answer::Cut])) };
    let mut followed = Followed::<Value>::open("/api/x", attempts).unwrap();
    let broken = timeout(LIMIT, followed.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(broken, NotFollowed::NoSnapshot(NoSnapshot::NotRead(Trouble::Broken(_)))));
}

#[tokio::test]
async fn a_right_that_has_ended_is_told_and_nothing_is_read_for_it() {
    let end = "event: $end\ndata: {\"reason\":\"terminal_state\",\"retry\":\"never\"}\n\n".to_owned();
    let server = Server::start([
        record(1, 1),
        stream(&[ready(1), gap("unauthorized", &["b"], None), event("a", 2), end]),
    ]);
    let both = Options { channels: vec!["a".to_owned(), "b".to_owned()], ..options(&server) };
    let mut followed = Followed::open("/api/x", both).unwrap();
    expect(&mut followed, &["snapshot 1", "gap unauthorized", "event 2", "nothing"]).await;
    assert_eq!(asked(&server), ["r", "1"]);
    assert_eq!(followed.status().borrow().state, State::Ended);
}

#[tokio::test]
async fn a_credential_is_fetched_once_and_anew_where_it_was_refused() {
    let server = Server::start([
        record(1, 1),
        stream(&[ready(1), gap("expired", &["a"], Some(5))]),
        refusal(401, "unauthenticated"),
        record(2, 7),
        stream(&[ready(7), event("a", 8)]),
    ]);
    let fetched = Arc::new(AtomicUsize::new(0));
    let credential = Credential::renewed(move || {
        let name = format!("t{}", fetched.fetch_add(1, Ordering::SeqCst));
        async move { Ok(name) }
    });
    let mut followed = Followed::open("/api/x", Options { credential, ..options(&server) }).unwrap();
    expect(&mut followed, &["snapshot 1", "gap expired", "snapshot 2", "event 8"]).await;
    let shown: Vec<String> =
        server.asked().iter().map(|asked| asked.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(shown, ["t0", "t0", "t0", "t1", "t1"]);
}

#[tokio::test]
async fn dropping_it_leaves_nothing_behind() {
    let begun = || [record(1, 1), stream(&[ready(1), gap("expired", &["a"], Some(5))])];
    let long = Backoff { first: LIMIT * 100, longest: LIMIT * 100 };
    let scripts: [(&str, Vec<Answer>, usize); 4] = [
        ("before the record", vec![Answer::Hang], 0),
        ("on the stream", vec![record(1, 1), stream(&[ready(1), event("a", 2)])], 2),
        ("in a reading after a gap", begun().into_iter().chain([Answer::Hang]).collect(), 2),
        ("in a delay", begun().into_iter().chain([Answer::Cut]).collect(), 2),
    ];
    for (what, answers, told) in scripts {
        let requests = answers.len();
        let server = Server::start(answers);
        let before = Handle::current().metrics().num_alive_tasks();
        let mut followed =
            Followed::<Value>::open("/api/x", Options { backoff: long, ..options(&server) }).unwrap();
        for _ in 0..told {
            next(&mut followed).await;
        }
        let begun = async {
            while server.asked().len() < requests {
                sleep(Duration::from_millis(2)).await
            }
        };
        let both = async {
            tokio::select! { _ = followed.next() => panic!("{what}"), () = begun => {} }
        };
        timeout(LIMIT, both).await.unwrap();
        drop(followed);
        let gone = async {
            while Handle::current().metrics().num_alive_tasks() > before || server.open() > 0 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(LIMIT, gone).await.unwrap_or_else(|_| panic!("something is left that began {what}"));
    }
}

#[tokio::test]
async fn limits_may_be_as_large_as_can_be() {
    let server = Server::start([record(1, 1), stream(&[ready(1), event("a", 2)])]);
    let largest = Options {
        queue: usize::MAX,
        open_timeout: Duration::MAX,
        silence: Duration::MAX,
        ..options(&server)
    };
    let mut followed = Followed::open("/api/x", largest).unwrap();
    expect(&mut followed, &["snapshot 1", "event 2"]).await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_said_before_anything_is_asked() {
    let server = Server::start([]);
    let open = |path, options| Followed::<Value>::open(path, options).map(drop);
    let wrong = open("@elsewhere/api/x", options(&server));
    assert!(matches!(wrong, Err(InvalidOptions::Path { .. })), "{wrong:?}");
    let wrong = open("/api/x", Options { channels: Vec::new(), ..options(&server) });
    assert!(matches!(wrong, Err(InvalidOptions::Subscription(_))), "{wrong:?}");
    assert_eq!(open("/api/x", options(&server)), Ok(()));
    assert!(server.asked().is_empty());
}
