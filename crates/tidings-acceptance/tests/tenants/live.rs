//! Streams of one tenant while the other publishes.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::call::holds;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Ask, Call, Subscription, Transport, report};

use crate::side::{Side, World};

/// So often the other says something between what a stream is to see.
const TIMES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_publishes_is_not_seen_by_the_others_streams() {
    let world = World::make().await;
    let (quiet, loud) = (&world.south, &world.north);
    let mut streams = Vec::new();
    for transport in Transport::ALL {
        for (who, target) in quiet.credentials() {
            for channels in [&["news"][..], &["news", "shared:1", "private:*"], &["*"]] {
                // A member may not see every cast.
                if who != "a member's cookie" || channels != ["*"] {
                    let stream = Subscription::open(transport, target, &Ask::of(channels)).await.unwrap();
                    streams.push((format!("{transport:?} of {who}"), stream));
                }
            }
        }
    }
    for n in 0..TIMES {
        speak(loud, n).await;
    }
    let event = json!({"channel": "news", "type": "fence", "data": "the end"});
    let fence = Call::post("/v1/publish", &event).by(&quiet.service).make(quiet.key.address).await;
    assert!(fence.is_good(), "{}", fence.told());
    let count = streams.len();
    for (name, stream) in &mut streams {
        let seen = within(Duration::from_secs(10), name, until_the_end(stream)).await;
        assert!(seen.iter().all(|data| !holds(data.as_bytes(), loud.mark)), "{name}: {seen:?}");
        assert_eq!(seen.len(), 1, "{name}: {seen:?}");
    }
    report(format!(
        "tenants: {count} streams of {} saw nothing of {TIMES} rounds of {}",
        quiet.tenant, loud.tenant
    ));
}

/// An event on a channel that both have, one on a channel of its own, and a cast's.
async fn speak(loud: &Side, n: usize) {
    for channel in ["news", "shared:1", &loud.only_channel] {
        let event = json!({"channel": channel, "also": ["news:also"], "type": loud.mark, "data": {"n": n, "word": loud.mark}});
        assert!(Call::post("/v1/publish", &event).by(&loud.service).make(loud.key.address).await.is_good());
    }
    let told = json!({"type": "PROGRESS_UPDATE", "data": {"progress": n, "message": loud.mark}});
    let reply =
        Call::post("/api/casts/shared_1/events", &told).by(&loud.service).make(loud.key.address).await;
    assert!(reply.is_good(), "{}", reply.told());
}

/// The events up to the last.
async fn until_the_end(stream: &mut Subscription) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        if let Item::Event { data, .. } = stream.next().await.unwrap() {
            let event: Value = serde_json::from_str(&data).unwrap();
            let is_last = event["type"] == "fence";
            seen.push(data);
            if is_last {
                return seen;
            }
        }
    }
}
