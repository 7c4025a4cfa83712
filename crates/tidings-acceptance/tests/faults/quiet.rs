//! A subscriber whose filter matches nothing is kept up by heartbeats: cut off, it goes on where they have brought it.

use std::sync::Arc;
use std::time::Duration;

use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{FaultProxy, Figures, Server, ServerOptions, Strikes, Target, http, report};
use tidings_client::subscriber::{Options, Since};
use tidings_client::{Credential, Draft, Publisher, Subscriber, Update};
use tidings_protocol::Cursor;
use tokio::time::timeout;

use crate::{QUICK, publishing};

const PATIENCE: Duration = Duration::from_secs(30);
const CHANNEL: &str = "quiet:a";
/// Events of the channel that are kept, and those that come at a time.
const KEPT: usize = 20;
const LOT: usize = 100;

fn options(target: &Target, since: Since) -> Options {
    Options {
        url: Some(format!("http://{}", target.address)),
        credential: Credential::fixed(&*target.key),
        types: vec!["rare".to_owned()],
        since,
        backoff: QUICK,
        ..Options::of([CHANNEL])
    }
}

async fn publish(publisher: &Publisher, kind: &str, count: usize) -> Cursor {
    let draft = |n: usize| Draft::new(CHANNEL, kind, &n).unwrap();
    publisher.publish_all((0..count).map(draft)).await.unwrap().last().unwrap().id
}

/// Waits until the position is there; nothing else comes.
async fn moved(subscriber: &mut Subscriber, to: Cursor) {
    let moving = async {
        while subscriber.cursor().is_none_or(|cursor| cursor.seq < to.seq) {
            if let Ok(update) = timeout(Duration::from_millis(20), subscriber.next()).await {
                panic!("nothing was to come: {update:?}");
            }
        }
    };
    within(PATIENCE, "a heartbeat with a position", moving).await;
}

async fn trimmed(target: &Target, first: Cursor) {
    until(PATIENCE, "retention", async || {
        let path = format!("/v1/history?channel={CHANNEL}");
        let answer = http::ask(target, "GET", &path, None).await.unwrap().json();
        let oldest: Cursor = answer["events"][0]["id"].as_str()?.parse().unwrap();
        (oldest.seq > first.seq).then_some(())
    })
    .await;
}

/// The next update, and the rows that the server looked at for it.
async fn next(server: &Server, subscriber: &mut Subscriber) -> (Update, u64) {
    let update = within(PATIENCE, "an update", subscriber.next()).await.unwrap().unwrap();
    let rows = Figures::read(server.address()).await.sum("tidings_log_rows_examined", "");
    (update, rows)
}

#[tokio::test]
async fn a_filter_that_matches_nothing_does_not_grow_old() {
    let mut server = Server::start(
        ServerOptions::new()
            .set("stream.heartbeat", "200ms")
            .set("log.retention.events_per_channel", &KEPT.to_string()),
    )
    .await;
    let target = server.master().await;
    let proxy = FaultProxy::of_streams(server.address(), "\"rare\"", &Arc::<Strikes>::default()).await;
    let publisher = Publisher::new(publishing(&target, PATIENCE)).unwrap();
    let began = publish(&publisher, "common", 1).await;
    let mut subscriber = Subscriber::open(options(&target.at(proxy.address()), Since::Now)).unwrap();
    moved(&mut subscriber, began).await;
    // Two heartbeats, each with a position that no event has brought.
    for _ in 0..2 {
        let last = publish(&publisher, "common", LOT).await;
        moved(&mut subscriber, last).await;
    }
    let kept = subscriber.cursor().unwrap();
    proxy.set_gate(false);
    proxy.cut_streams();
    let rare = publish(&publisher, "rare", 1).await;
    // What was trimmed may be in memory still.
    server.kill().await;
    server.run().await;
    trimmed(&target, began).await;
    let before = Figures::read(server.address()).await.sum("tidings_log_rows_examined", "");
    proxy.set_gate(true);
    let (update, after) = next(&server, &mut subscriber).await;
    assert!(matches!(&update, Update::Event(event) if event.id == rare), "{update:?}");
    let openings = proxy.openings();
    let resumed = &openings.last().unwrap().target;
    assert!(openings[0].target.contains("since=now"), "{openings:?}");
    assert!(resumed.contains(&format!("since={kept}")), "{resumed} from {kept}");
    let rows = after - before;
    // Its twin: where it began it would be told of a gap.
    let mut old = Subscriber::open(options(&target, Since::Cursor(began))).unwrap();
    let (update, _) = next(&server, &mut old).await;
    assert!(matches!(&update, Update::Gap(gap) if gap.reason == "expired"), "{update:?}");
    report(format!(
        "faults: {} events passed by a filter; resumed at {kept}, {rows} rows looked at, no gap",
        2 * LOT
    ));
    assert!(rows <= 10, "{rows} rows for one event");
}
