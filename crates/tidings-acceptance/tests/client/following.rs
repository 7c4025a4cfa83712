//! What is followed is complete, once and in order, whatever happens to server and connections.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::poll::history;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report, within};
use tidings_client::subscriber::{Options, Since, State};
use tidings_client::{Draft, Event, Gap, Publisher, Stopped, Subscriber, Update};
use tidings_protocol::Cursor;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cutting::CuttingProxy;
use crate::{PATIENCE, draft, following, number, publishing};

const KILLS: usize = 20;
const CHANNELS: u64 = 5;

/// What a subscriber has seen.
#[derive(Debug, Default)]
struct Seen {
    events: Vec<(Cursor, u64)>,
    gaps: Vec<String>,
    cursor: Option<Cursor>,
    opens: usize,
}

/// Follows until its position has reached the goal.
fn follow(options: Options, mut goal: watch::Receiver<Option<Cursor>>) -> JoinHandle<Seen> {
    let mut subscriber = Subscriber::open(options).unwrap();
    tokio::spawn(async move {
        let mut seen = Seen::default();
        let mut status = subscriber.status();
        loop {
            let goal_now = *goal.borrow_and_update();
            if goal_now.is_some_and(|goal| seen.cursor.is_some_and(|cursor| cursor.seq >= goal.seq)) {
                return seen;
            }
            tokio::select! {
                update = subscriber.next() => {
                    match update.expect("a stream that does not end").expect("a stream that is not refused") {
                        Update::Event(event) => seen.events.push((event.id, number(&event))),
                        Update::Gap(gap) => seen.gaps.push(gap.reason),
                        other => panic!("nothing has a key, and no channel is added: {other:?}"),
                    }
                    seen.cursor = subscriber.cursor();
                }
                Ok(()) = status.changed() => {
                    seen.opens += usize::from(status.borrow_and_update().state == State::Connected);
                }
                Ok(()) = goal.changed() => {}
                // A position that moves without an event wakes nobody.
                () = tokio::time::sleep(Duration::from_millis(100)) => seen.cursor = subscriber.cursor(),
            }
        }
    })
}

/// The events of the log that these channels take in.
async fn logged(target: &Target, channels: &[&str]) -> Vec<(Cursor, u64)> {
    let pair = |event: &Value| {
        (event["id"].as_str().unwrap().parse().unwrap(), event["data"]["n"].as_u64().unwrap())
    };
    history(target, channels, None).await.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_double_nothing() {
    let mut server = Server::start(ServerOptions::new().set("stream.heartbeat", "1s")).await;
    let target = server.master().await;
    // Some go through a proxy that breaks their streams besides.
    let proxy = CuttingProxy::start(server.address(), 1).await;
    let asks: [&[&str]; 6] =
        [&["kill:*"], &["kill:0"], &["kill:1", "kill:2"], &["*"], &["kill:3"], &["kill:*", "kill:4"]];
    let (set_goal, goal) = watch::channel(None);
    let followers: Vec<_> = asks
        .iter()
        .enumerate()
        .map(|(index, channels)| {
            let target = if index < 3 { target.clone() } else { target.at(proxy.address) };
            let options =
                Options { since: Since::Start, queue: 1 + index * 50, ..following(&target, channels) };
            follow(options, goal.clone())
        })
        .collect();
    let publisher = Publisher::new(publishing(&target)).unwrap();
    let load = tokio::spawn({
        let publisher = publisher.clone();
        async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            for n in 0u64.. {
                ticks.tick().await;
                if publisher.enqueue(draft(&format!("kill:{}", n % CHANNELS), n)).is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    });
    let mut struck = 0;
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rand::random_range(50..250))).await;
        let flying = async || publisher.flush(Duration::ZERO).await.err();
        until(PATIENCE, "an event that waits or is under way", flying).await;
        struck += 1;
        server.kill().await;
        server.run().await;
    }
    load.abort();
    publisher.flush(PATIENCE).await.unwrap();
    let last = publisher.publish(draft("kill:0", u64::MAX >> 12)).await.unwrap();
    set_goal.send_replace(Some(last.id));
    let (mut received, mut opens) = (0, 0);
    for (follower, channels) in followers.into_iter().zip(asks) {
        // Whoever does not follow the last event's channel gets there by a heartbeat's position.
        let seen = within(PATIENCE, "a subscriber to reach the end", follower).await.unwrap();
        let expected = logged(&target, channels).await;
        assert_eq!(seen.gaps, [""; 0]);
        assert_eq!(seen.events.len(), expected.len(), "{channels:?}");
        assert_eq!(seen.events, expected, "{channels:?}");
        received += seen.events.len();
        opens += seen.opens;
    }
    report(format!(
        "client: {KILLS} kills, {struck} of them with events waiting or under way, and {} streams cut by a proxy; \
         {} subscribers received {received} events over {opens} streams, none lost or doubled",
        proxy.cuts(),
        asks.len()
    ));
    assert!(struck == KILLS && proxy.cuts() > 0 && opens > KILLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_listener_loses_nothing_though_its_streams_are_given_up() {
    const EVENTS: u64 = 500;
    let options = ServerOptions::new().set("stream.write_timeout", "1s").set("limits.stream_buffer", "64KiB");
    let server = Server::start(options).await;
    let target = server.master().await;
    let mut slow = Subscriber::open(Options { queue: 4, ..following(&target, &["slow:a"]) }).unwrap();
    let mut status = slow.status();
    status.wait_for(|status| status.state == State::Connected).await.unwrap();
    let publisher = Publisher::new(publishing(&target)).unwrap();
    let pad = "x".repeat(60_000);
    let draft = |n| Draft::new("slow:a", "numbered", &json!({"n": n, "pad": pad})).unwrap();
    publisher.publish_all((0..EVENTS).map(draft)).await.unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < usize::try_from(EVENTS).unwrap() {
        if [0, 100].contains(&numbers.len()) {
            // Longer than the server waits for a client that takes nothing.
            tokio::time::sleep(Duration::from_millis(4_000)).await;
        }
        numbers.push(number(&event(&mut slow).await));
    }
    let figures = Figures::read(server.address()).await;
    let stalled = figures.sum("tidings_streams_closed_total", "reason=\"write_stalled\"");
    report(format!(
        "client: a slow listener took {EVENTS} events of 60 kB; {stalled} of its streams were given up"
    ));
    assert!(stalled > 0, "no stream was given up");
    assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>());
}

async fn update(subscriber: &mut Subscriber) -> Update {
    within(PATIENCE, "an update", subscriber.next()).await.unwrap().unwrap()
}

async fn event(subscriber: &mut Subscriber) -> Event {
    match update(subscriber).await {
        Update::Event(event) => event,
        other => panic!("an event was expected: {other:?}"),
    }
}

async fn gap(subscriber: &mut Subscriber) -> Gap {
    match update(subscriber).await {
        Update::Gap(gap) => gap,
        other => panic!("a gap was expected: {other:?}"),
    }
}

/// A server, a subscriber that is connected and follows `keep:a` and `lose:a`, and the id of the key that it shows.
async fn two_channels() -> (Server, Subscriber, String) {
    let server = Server::start(ServerOptions::new()).await;
    let grants = ["--grant", "subscribe:keep:*", "--grant", "subscribe:lose:*"];
    let made = server.json(&[&["key", "create", "--name", "narrow"][..], &grants].concat()).await;
    let narrow = Target::new(server.address(), made["key"].as_str().unwrap());
    let subscriber = Subscriber::open(following(&narrow, &["keep:a", "lose:a"])).unwrap();
    let mut status = subscriber.status();
    status.wait_for(|status| status.state == State::Connected).await.unwrap();
    (server, subscriber, made["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn channels_that_are_lost_do_not_take_the_others_with_them() {
    let (mut server, mut subscriber, key) = two_channels().await;
    let publisher = Publisher::new(publishing(&server.master().await)).unwrap();
    publisher.publish_all([draft("keep:a", 1), draft("lose:a", 2)]).await.unwrap();
    for n in [1, 2] {
        assert_eq!(number(&event(&mut subscriber).await), n);
    }
    server.json(&["key", "ungrant", &key, "subscribe:lose:*"]).await;
    let lost = gap(&mut subscriber).await;
    assert_eq!(
        (lost.reason.as_str(), lost.channels, lost.through),
        ("unauthorized", vec!["lose:a".to_owned()], None)
    );
    server.kill().await;
    server.run().await;
    publisher.publish_all([draft("lose:a", 3), draft("keep:a", 4)]).await.unwrap();
    assert_eq!(number(&event(&mut subscriber).await), 4);
}

#[tokio::test]
async fn channels_that_are_lost_while_there_is_no_stream_do_not_take_the_others_with_them() {
    let (mut server, mut subscriber, key) = two_channels().await;
    server.kill().await;
    server.json(&["key", "ungrant", &key, "subscribe:lose:*"]).await;
    server.run().await;
    match update(&mut subscriber).await {
        Update::Refused { channel, code } => {
            assert_eq!((channel.as_str(), code.as_str()), ("lose:a", "forbidden_channel"));
        }
        other => panic!("a refusal was expected: {other:?}"),
    }
    let publisher = Publisher::new(publishing(&server.master().await)).unwrap();
    publisher.publish_all([draft("lose:a", 1), draft("keep:a", 2)]).await.unwrap();
    assert_eq!(number(&event(&mut subscriber).await), 2);
}

#[tokio::test]
async fn a_cursor_that_was_kept_goes_on_and_a_foreign_one_is_told_so() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let publisher = Publisher::new(publishing(&target)).unwrap();
    publisher.publish_all((0..10).map(|n| draft("kept:a", n))).await.unwrap();
    let mut first =
        Subscriber::open(Options { since: Since::Start, ..following(&target, &["kept:a"]) }).unwrap();
    for expected in 0..4 {
        let event = event(&mut first).await;
        assert_eq!((number(&event), first.cursor()), (expected, Some(event.id)));
    }
    let since = Since::Cursor(first.cursor().unwrap());
    drop(first);
    let mut second = Subscriber::open(Options { since, ..following(&target, &["kept:a"]) }).unwrap();
    for expected in 4..10 {
        assert_eq!(number(&event(&mut second).await), expected);
    }
    let foreign = Since::Cursor("0000000000009.0000000".parse().unwrap());
    let mut third = Subscriber::open(Options { since: foreign, ..following(&target, &["kept:a"]) }).unwrap();
    let gap = gap(&mut third).await;
    assert_eq!((gap.reason.as_str(), gap.through), ("unknown", third.cursor()));
    publisher.publish(draft("kept:a", 10)).await.unwrap();
    assert_eq!(number(&event(&mut third).await), 10);
}

#[tokio::test]
async fn a_refused_stream_stops_and_its_twin_opens() {
    let server = Server::start(ServerOptions::new()).await;
    let narrow = server.key("narrow", &["subscribe:mine:*"]).await;
    for (target, channel, code) in [
        (narrow.clone(), "yours:a", "forbidden_channel"),
        (Target::new(server.address(), "tdk_nobody"), "mine:a", "unauthenticated"),
    ] {
        let mut subscriber = Subscriber::open(following(&target, &[channel])).unwrap();
        let stopped = within(PATIENCE, "a refusal", subscriber.next()).await.unwrap().unwrap_err();
        assert!(matches!(&stopped, Stopped::Refused(refusal) if refusal.code == code), "{stopped:?}");
        assert!(subscriber.next().await.is_none(), "an error is given once");
    }
    let mut status = Subscriber::open(following(&narrow, &["mine:a"]))
        .map(|subscriber| (subscriber.status(), subscriber))
        .unwrap();
    let connected = status.0.wait_for(|status| status.state == State::Connected);
    within(PATIENCE, "the twin to open", connected).await.unwrap();
}
