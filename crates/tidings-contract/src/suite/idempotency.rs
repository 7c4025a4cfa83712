//! Idempotency keys: a retry is the event that was, for a day at least.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::port::Directory;
use tidings_core::port::store::{Policy, Receipt};
use tidings_protocol::{Draft, ErrorCode, Seq};
use tokio::task::JoinSet;

use super::Harness;
use super::kit::{Bench, DAY, HOUR, draft, json, keyed, tenant, terminal};

const MINUTE: Duration = Duration::from_secs(60);

fn again(receipt: Receipt) -> Receipt {
    Receipt { duplicate: true, ..receipt }
}

fn other_body(on: &str, key: &str) -> Draft {
    Draft { data: json("\"other\""), ..keyed(on, key) }
}

/// The same key with the same body has the same id, and nothing is appended.
pub async fn a_retry_is_the_same_event(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let first = bench.publish(keyed("a", "k")).await;
    assert!(!first.duplicate);
    bench.publish(draft("a")).await;
    bench.advance(HOUR).await;
    for _ in 0..3 {
        let outcome = bench.try_publish(vec![keyed("a", "k")]).await.unwrap();
        assert_eq!(outcome.receipts, [again(first)]);
        assert_eq!(outcome.head.seq, Seq(2));
    }
    assert_eq!(bench.numbers(&["*"]).await, [1, 2]);
    assert!(!bench.publish(keyed("a", "K")).await.duplicate, "keys are compared byte by byte");
}

/// The same key with another body is refused and changes nothing.
pub async fn another_body_is_a_conflict(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let first = bench.publish(keyed("a", "k")).await;
    for other in [
        other_body("a", "k"),
        Draft { kind: "u".parse().unwrap(), ..keyed("a", "k") },
        Draft { terminal: true, ..keyed("a", "k") },
        Draft { version: Some(1), ..keyed("a", "k") },
    ] {
        assert_eq!(bench.refusal(vec![other]).await, ErrorCode::IdempotencyConflict);
    }
    assert_eq!(bench.numbers(&["*"]).await, [1]);
    assert_eq!(bench.publish(keyed("a", "k")).await, again(first));
    bench.publish(draft("a")).await;
}

/// On another channel, also one that the event was on besides, and for another tenant it is another key.
pub async fn a_key_belongs_to_its_channel_and_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    let also = Box::new(["b".parse().unwrap()]);
    bench.publish(Draft { also, ..keyed("a", "k") }).await;
    assert!(!bench.publish(other_body("b", "k")).await.duplicate);
    let outcome = bench.publish_for(&other, vec![other_body("a", "k")]).await.unwrap();
    assert!(!outcome.receipts[0].duplicate);
    assert_eq!(bench.refusal(vec![keyed("a", "k")]).await, ErrorCode::IdempotencyConflict);
}

/// Keys survive a restart; the id is the old one, with its lineage.
pub async fn a_retry_after_a_restart_is_the_same_event(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let first = bench.publish(keyed("a", "k")).await;
    for _ in 0..2 {
        bench.restart().await;
        assert_eq!(bench.publish(keyed("a", "k")).await, again(first));
        assert_eq!(bench.refusal(vec![other_body("a", "k")]).await, ErrorCode::IdempotencyConflict);
    }
    assert_eq!(bench.bounds().await.head.seq, Seq(1));
}

/// Where retention removes an event sooner, by age, count or floor, its key is known for a day all the same.
pub async fn a_key_outlives_its_event(harness: impl Harness) {
    let policy = Policy { retention_age: HOUR, events_per_channel: 2, trim_marks: 1, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    let first = bench.publish(keyed("a", "k")).await;
    let second = bench.publish(keyed("b", "k")).await;
    bench.publish_many("a", 3).await;
    for advance in [Duration::ZERO, 2 * HOUR, 12 * HOUR, 10 * HOUR - MINUTE] {
        bench.advance(advance).await;
        bench.trim().await;
        bench.restart().await;
        assert!(!bench.numbers(&["a"]).await.contains(&1));
        assert_eq!(bench.publish(keyed("a", "k")).await, again(first));
        assert_eq!(bench.publish(keyed("b", "k")).await, again(second));
        assert_eq!(bench.refusal(vec![other_body("a", "k")]).await, ErrorCode::IdempotencyConflict);
        bench.publish_many("c", 3).await;
    }
}

/// Once its day is over and its event has gone, a key is free.
pub async fn a_key_is_forgotten_in_the_end(harness: impl Harness) {
    let policy = Policy { retention_age: HOUR, ..Policy::default() };
    let bench = Bench::start_with(harness, policy).await;
    bench.publish(keyed("a", "k")).await;
    bench.advance(2 * HOUR).await;
    bench.trim().await;
    bench.advance(DAY - 2 * HOUR + MINUTE).await;
    bench.trim().await;
    let fresh = bench.publish(other_body("a", "k")).await;
    assert_eq!(fresh, Receipt { id: bench.bounds().await.head, duplicate: false });
    assert_eq!(fresh.id.seq, Seq(2));
    assert_eq!(bench.publish(other_body("a", "k")).await, again(fresh));
}

/// In a batch the known events answer with their old ids and the others commit, in order.
pub async fn known_ones_of_a_batch_repeat_and_the_rest_commit(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let one = bench.publish(keyed("a", "1")).await;
    let three = bench.publish(keyed("b", "3")).await;
    let batch = vec![keyed("a", "1"), keyed("a", "2"), keyed("b", "3"), draft("a"), keyed("b", "1")];
    let outcome = bench.try_publish(batch.clone()).await.unwrap();
    let new = |receipt: &Receipt, seq| !receipt.duplicate && receipt.id.seq == Seq(seq);
    assert_eq!((outcome.receipts[0], outcome.receipts[2]), (again(one), again(three)));
    assert!(new(&outcome.receipts[1], 3) && new(&outcome.receipts[3], 4) && new(&outcome.receipts[4], 5));
    assert_eq!(bench.numbers(&["*"]).await, [1, 2, 3, 4, 5]);
    let retry = bench.try_publish(batch).await.unwrap();
    assert_eq!(
        retry.receipts.iter().map(|receipt| receipt.duplicate).collect::<Vec<_>>(),
        [true, true, true, false, true]
    );
    assert_eq!(bench.bounds().await.head.seq, Seq(6));
}

/// One conflict refuses the whole batch; none of its keys is used by that.
pub async fn a_conflict_in_a_batch_refuses_it_whole(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(keyed("a", "1")).await;
    let batch = vec![keyed("a", "0"), draft("b"), other_body("a", "1")];
    assert_eq!(bench.refusal(batch).await, ErrorCode::IdempotencyConflict);
    assert_eq!(bench.numbers(&["*"]).await, [1]);
    assert!(!bench.publish(other_body("a", "0")).await.duplicate);
}

/// One key twice on one channel in one command is refused, whether or not the bodies are the same.
pub async fn a_key_twice_in_a_batch_is_refused(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let repeated = ErrorCode::IdempotencyKeyRepeated;
    assert_eq!(bench.refusal(vec![keyed("a", "k"), draft("b"), keyed("a", "k")]).await, repeated);
    assert_eq!(bench.refusal(vec![keyed("a", "k"), other_body("a", "k")]).await, repeated);
    bench.try_publish(vec![keyed("a", "k"), keyed("b", "k")]).await.unwrap();
    assert_eq!(bench.numbers(&["*"]).await, [1, 2]);
}

/// Keys are looked up before ended channels: the retry of what was accepted is answered as before.
pub async fn a_retry_comes_before_an_ended_channel(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let early = bench.publish(keyed("a", "early")).await;
    let last = bench.publish(Draft { idempotency_key: Some("last".into()), ..terminal("a") }).await;
    assert_eq!(bench.publish(keyed("a", "early")).await, again(early));
    let retry = Draft { idempotency_key: Some("last".into()), ..terminal("a") };
    assert_eq!(bench.publish(retry.clone()).await, again(last));
    assert_eq!(bench.refusal(vec![other_body("a", "early")]).await, ErrorCode::IdempotencyConflict);
    assert_eq!(bench.refusal(vec![keyed("a", "new")]).await, ErrorCode::ChannelEnded);
    let mixed = bench.try_publish(vec![retry, draft("b")]).await.unwrap();
    assert_eq!(mixed.receipts[0], again(last));
    assert_eq!(mixed.receipts[1].id.seq, Seq(3));
}

/// Past the quota new keys are refused, known ones and events without are not; a day later there is room again.
pub async fn the_quota_counts_new_keys_of_a_day(harness: impl Harness) {
    let policy = Policy { idempotency_keys: 3, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.publish(keyed("a", "1")).await;
    bench.advance(HOUR).await;
    let two = vec![keyed("a", "2"), keyed("a", "3"), keyed("a", "4")];
    assert_eq!(bench.refusal(two).await, ErrorCode::IdempotencyQuota);
    bench.try_publish(vec![keyed("a", "1"), keyed("a", "2"), keyed("b", "2")]).await.unwrap();
    bench.restart().await;
    assert_eq!(bench.refusal(vec![draft("a"), keyed("a", "5")]).await, ErrorCode::IdempotencyQuota);
    assert!(bench.publish(keyed("a", "1")).await.duplicate);
    bench.publish(draft("a")).await;
    bench.publish_for(&other, vec![keyed("a", "5")]).await.unwrap();
    bench.advance(DAY - HOUR + MINUTE).await;
    bench.trim().await;
    bench.publish(keyed("a", "5")).await;
    assert_eq!(bench.refusal(vec![keyed("a", "6")]).await, ErrorCode::IdempotencyQuota);
}

/// Of many retries at once one is the event.
pub async fn racing_retries_are_one_event(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move { bench.publish(keyed("a", "k")).await });
    }
    let receipts = tasks.join_all().await;
    assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.id == receipts[0].id));
    assert_eq!(bench.numbers(&["*"]).await, [1]);
}
