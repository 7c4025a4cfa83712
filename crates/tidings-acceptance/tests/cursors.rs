//! What a cursor is good for: every channel of its tenant, any number of restarts, a quiet life; and what becomes of one
//! that is not good. (The table of those is in `cursor_table.rs`.)

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Ask, Server, ServerOptions, Subscription, Target, Transport, http, report};
use tidings_protocol::Cursor;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a reader was told until an event with this id came, that one included.
#[derive(Debug, Default)]
struct Told {
    /// `$reset`s.
    resets: Vec<Value>,
    /// Ids of events.
    events: Vec<Cursor>,
}

async fn read_until(stream: &mut Subscription, last: Cursor) -> Told {
    use tidings_acceptance::subscription::Item;
    let mut told = Told::default();
    let reading = async {
        while told.events.last() != Some(&last) {
            match stream.next().await.expect("an open stream") {
                Item::Event { data, .. } => told.events.push(id_of(&data)),
                Item::Control { name, data, .. } if name == "$reset" => {
                    told.resets.push(serde_json::from_str(&data).unwrap());
                }
                Item::Control { .. } | Item::Position(_) | Item::Life => {}
            }
        }
    };
    within(PATIENCE, "the last event", reading).await;
    told
}

fn id_of(data: &str) -> Cursor {
    let event: Value = serde_json::from_str(data).unwrap();
    event["id"].as_str().unwrap().parse().unwrap()
}

fn event(channel: &str) -> Value {
    json!({"channel": channel, "type": "t", "data": null})
}

async fn publish_on(lane: &mut Lane, channels: &[&str]) -> Vec<Cursor> {
    let events: Vec<Value> = channels.iter().map(|channel| event(channel)).collect();
    lane.expect(&json!({ "events": events })).await
}

/// Each event's channel and id.
type Log = Vec<(&'static str, Cursor)>;

async fn publish_log(lane: &mut Lane, channels: &[&'static str]) -> Log {
    let ids = publish_on(lane, channels).await;
    channels.iter().copied().zip(ids).collect()
}

fn after(log: &Log, channel: &str, cursor: Cursor) -> Vec<Cursor> {
    let later = log.iter().filter(|(name, id)| *name == channel && id.seq > cursor.seq);
    later.map(|(_, id)| *id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_from_one_channel_resumes_another_exactly() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let mut lane = Lane::new(&target);
    let pattern = ["a", "b", "c", "b", "a", "a", "c", "b", "b", "c"];
    let mut log = Log::new();
    for _ in 0..4 {
        log.extend(publish_log(&mut lane, &pattern).await);
    }
    log.extend(publish_log(&mut lane, &["b"]).await);
    let last = log.last().unwrap().1;
    let mut resumed = 0;
    for (channel, cursor) in log.iter().filter(|(channel, _)| *channel != "b") {
        for transport in Transport::ALL {
            let ask = Ask::of(&["b"]).since(cursor);
            let mut stream = Subscription::open(transport, &target, &ask).await.unwrap();
            let told = read_until(&mut stream, last).await;
            assert_eq!(told.events, after(&log, "b", *cursor), "{transport:?} from {cursor} of {channel}");
            assert!(told.resets.is_empty(), "{told:?}");
            resumed += 1;
        }
    }
    report(format!("cursors: {resumed} resumes of `b` with cursors of other channels"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_from_twenty_restarts_ago_resumes_and_ids_stay_the_same() {
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let mut log = Log::new();
    let mut lineages = BTreeSet::new();
    for restart in 0..=20 {
        log.extend(publish_log(&mut Lane::new(&target), &["a", "b", "a"]).await);
        lineages.insert(log.last().unwrap().1.lineage);
        let read = tidings_acceptance::poll::history(&target, &["*"], None).await;
        let read: Vec<String> = read.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        let given: Vec<String> = log.iter().map(|(_, id)| id.to_string()).collect();
        assert_eq!(read, given, "after restart {restart}");
        if restart % 2 == 0 {
            server.kill().await;
        } else {
            server.stop().await;
        }
        server.run().await;
    }
    let mut lane = Lane::new(&target);
    log.extend(publish_log(&mut lane, &["b"]).await);
    assert!(lineages.len() > 20, "each start begins a lineage: {lineages:?}");
    for transport in Transport::ALL {
        for (_, cursor) in &log[..log.len() - 1] {
            let ask = Ask::of(&["b"]).since(cursor);
            let mut stream = Subscription::open(transport, &target, &ask).await.unwrap();
            let told = read_until(&mut stream, log.last().unwrap().1).await;
            assert_eq!(
                (told.events, told.resets),
                (after(&log, "b", *cursor), vec![]),
                "{transport:?} {cursor}"
            );
        }
    }
    report(format!(
        "cursors: {} lineages, {} cursors resumed on each transport",
        lineages.len(),
        log.len() - 1
    ));
}

/// Retention that is over soon, and heartbeats well within it.
fn short_memory() -> ServerOptions {
    ServerOptions::new().set("log.retention.age", "3s").set("stream.heartbeat", "500ms")
}

const RETENTION: Duration = Duration::from_secs(3);

/// A subscriber that is sent no event, kept up by heartbeats alone.
struct Quiet {
    name: String,
    transport: Transport,
    ask: Ask,
    stream: Subscription,
    /// The first id and the last.
    ids: Option<(Cursor, Cursor)>,
}

impl Quiet {
    async fn open(
        target: &Target,
        transport: Transport,
        heartbeat: &str,
        channel: &str,
        kind: Option<&str>,
    ) -> Self {
        let mut ask = Ask::of(&[channel]).with("heartbeat", heartbeat);
        if let Some(kind) = kind {
            ask = ask.with("type", kind);
        }
        let stream = Subscription::open(transport, target, &ask).await.unwrap();
        let name = format!("{transport:?} heartbeat={heartbeat} on {channel}, type {kind:?}");
        Self { name, transport, ask, stream, ids: None }
    }

    /// Follows until the time is over; panics if anything but heartbeats comes.
    async fn listen(&mut self, until: Instant) {
        use tidings_acceptance::subscription::Item;
        while let Ok(item) = tokio::time::timeout_at(until, self.stream.next()).await {
            let id = match item.expect("a stream that stays open") {
                Item::Control { name, id, .. } if name == "$ready" || name == "$ping" => id,
                Item::Position(id) => Some(id),
                Item::Life => None,
                other => panic!("{}: {other:?}", self.name),
            };
            if let Some(id) = id {
                self.ids = Some((self.ids.map_or(id, |(first, _)| first), id));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_filtered_subscriber_never_grows_old() {
    let mut server = Server::start(short_memory()).await;
    let target = server.master().await;
    let mut quiet = Vec::new();
    for transport in [Transport::Sse, Transport::Ws] {
        for heartbeat in ["comment", "event"] {
            // One that filters what comes on its channel, and one on whose channel nothing comes.
            quiet.push(Quiet::open(&target, transport, heartbeat, "noisy", Some("rare")).await);
            quiet.push(Quiet::open(&target, transport, heartbeat, "still", None).await);
        }
    }
    let mut lane = Lane::new(&target);
    let end = Instant::now() + 2 * RETENTION + Duration::from_secs(1);
    let noise = async {
        while Instant::now() < end {
            publish_on(&mut lane, &["noisy", "other"]).await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    let listening = futures_of(quiet.iter_mut().map(|quiet| quiet.listen(end)));
    tokio::join!(noise, listening);
    let streams: Vec<_> =
        quiet.into_iter().map(|quiet| (quiet.name, quiet.transport, quiet.ask, quiet.ids)).collect();

    // Cut by now. What they wait for comes while they are away; after the restart nothing comes out of memory.
    let rare = json!({"events": [{"channel": "noisy", "type": "rare", "data": 1}, {"channel": "still", "type": "t", "data": 1}]});
    let missed = lane.expect(&rare).await;
    server.kill().await;
    server.run().await;
    for (name, transport, ask, ids) in streams {
        let expected = if ask.channels == ["noisy"] { missed[0] } else { missed[1] };
        let (ready, kept) = ids.expect("ids from heartbeats");
        assert!(kept.seq > ready.seq, "{name}: the heartbeats moved the position from {ready} to {kept}");
        let mut stream = Subscription::open(transport, &target, &ask.since(kept)).await.unwrap();
        let told = read_until(&mut stream, expected).await;
        assert_eq!((told.events, told.resets), (vec![expected], vec![]), "{name}");
        // Its twin: without the heartbeats the cursor would be that old.
        if ask.channels == ["noisy"] {
            let mut stream = Subscription::open(transport, &target, &ask.since(ready)).await.unwrap();
            let told = read_until(&mut stream, expected).await;
            assert_eq!(told.resets.len(), 1, "{name}: {told:?}");
            assert_eq!(told.resets[0]["reason"], "expired");
        }
    }
}

/// All of them, at once.
async fn futures_of(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut pinned: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        pinned.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if pinned.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_channels_only_the_expired_one_is_reset() {
    let server = Server::start(ServerOptions::new().set("log.retention.events_per_channel", "20")).await;
    let target = server.master().await;
    let mut lane = Lane::new(&target);
    let names: Vec<String> = (0..50).map(|n| format!("room:{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let since = publish_on(&mut lane, &["before"]).await[0];
    let mut log: Vec<(String, Cursor)> = Vec::new();
    for round in 0..60 {
        // Room 7 gets sixty events, of which twenty stay, and the others two.
        let channels = if round % 30 == 0 { names.clone() } else { vec!["room:7"] };
        let ids = publish_on(&mut lane, &channels).await;
        log.extend(channels.iter().map(|&channel| channel.to_owned()).zip(ids));
    }
    let kept = async || {
        let answer = http::ask(&target, "GET", "/v1/history?channel=room:7", None).await.unwrap().json();
        answer["events"].as_array().unwrap().clone()
    };
    until(PATIENCE, "the channel to be trimmed", async || (kept().await.len() < 30).then_some(())).await;
    let last = publish_on(&mut lane, &["room:49"]).await[0];
    log.push(("room:49".to_owned(), last));

    for transport in Transport::ALL {
        let ask = Ask::of(&names).since(since);
        let mut stream = Subscription::open(transport, &target, &ask).await.unwrap();
        let told = read_until(&mut stream, last).await;
        let [reset] = &told.resets[..] else { panic!("{transport:?}: {:?}", told.resets) };
        assert_eq!((&reset["reason"], &reset["channels"]), (&json!("expired"), &json!(["room:7"])));
        let through: Cursor = reset["through"].as_str().unwrap().parse().unwrap();
        // More may have been trimmed meanwhile.
        let oldest: Cursor = kept().await[0]["id"].as_str().unwrap().parse().unwrap();
        assert!(through.seq < oldest.seq && through.seq >= since.seq);
        let expected: Vec<Cursor> = log
            .iter()
            .filter(|(name, id)| name != "room:7" || id.seq > through.seq)
            .map(|(_, id)| *id)
            .collect();
        assert_eq!(told.events, expected, "{transport:?}");
    }
    report(format!("cursors: 49 of 50 channels resumed, one reset with {} events kept", kept().await.len()));
}
