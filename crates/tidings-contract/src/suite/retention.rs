//! Retention: what goes by count and by age, and the marks it leaves.

use std::time::Duration;

use tidings_core::port::log::MAX_TRIMMED;
use tidings_core::port::store::{Changes, Policy};
use tidings_protocol::Seq;

use super::Harness;
use super::kit::{Bench, DAY, HOUR, data, draft, numbered, put, record_key, with_also};

const MINUTE: Duration = Duration::from_secs(60);

fn keep(events_per_channel: u64) -> Policy {
    Policy { events_per_channel, retention_age: Duration::ZERO, ..Policy::default() }
}

fn keep_for(retention_age: Duration) -> Policy {
    Policy { retention_age, events_per_channel: 0, ..Policy::default() }
}

fn named(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(pattern, through)| ((*pattern).to_owned(), *through)).collect()
}

/// Each channel keeps its latest events; records are not touched.
pub async fn a_channel_keeps_its_latest(harness: impl Harness) {
    let bench = Bench::start_with(harness, keep(3)).await;
    bench.change(Changes { records: vec![put("r", "1")], ..Changes::default() }).await.unwrap();
    for n in 0..10 {
        bench.publish(numbered(if n % 5 == 0 { "b" } else { "a" }, n)).await;
    }
    bench.trim().await;
    assert_eq!(bench.numbers(&["a"]).await, [8, 9, 10]);
    assert_eq!(bench.numbers(&["b"]).await, [1, 6]);
    assert_eq!(bench.numbers(&["*"]).await, [1, 6, 8, 9, 10]);
    assert_eq!(data(&bench.read_all(&["a"]).await), ["7", "8", "9"]);
    assert_eq!(bench.trimmed_after(0, &["a"]).await, named(&[("a", 7)]));
    assert_eq!(bench.trimmed_after(0, &["b"]).await, []);
    bench.trim().await;
    assert_eq!(bench.numbers(&["*"]).await, [1, 6, 8, 9, 10]);
    assert!(bench.record(&record_key("r")).await.is_some());
    assert_eq!(bench.publish(draft("a")).await.id.seq, Seq(11));
}

/// What is older than the age goes from every channel.
pub async fn the_old_prefix_goes(harness: impl Harness) {
    let bench = Bench::start_with(harness, keep_for(2 * HOUR)).await;
    bench.publish(with_also("a", &["b"])).await;
    bench.publish_many("b", 2).await;
    bench.advance(HOUR).await;
    bench.publish_many("a", 2).await;
    bench.advance(HOUR - MINUTE).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["*"]).await, [1, 2, 3, 4, 5]);
    bench.advance(2 * MINUTE).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["*"]).await, [4, 5]);
    assert_eq!(bench.numbers(&["b"]).await, [0; 0]);
    assert_eq!(bench.trimmed_after(0, &["a", "b", "c"]).await, named(&[("a", 1), ("b", 3)]));
    bench.advance(HOUR).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["*"]).await, [0; 0]);
    assert_eq!(bench.trimmed_after(0, &["*"]).await, named(&[("a", 5), ("b", 3)]));
}

/// Age removes a prefix: where the clock was set back, an event waits for those before it.
pub async fn a_younger_event_keeps_what_follows_it(harness: impl Harness) {
    let bench = Bench::start_with(harness, keep_for(2 * HOUR)).await;
    let start = tidings_core::port::Clock::now(&bench.clock);
    bench.clock.advance(10 * HOUR);
    bench.publish(draft("a")).await;
    bench.clock.set(start);
    bench.publish(draft("a")).await;
    bench.clock.advance(11 * HOUR);
    bench.trim().await;
    assert_eq!(bench.numbers(&["a"]).await, [1, 2]);
    bench.clock.advance(2 * HOUR);
    bench.trim().await;
    assert_eq!(bench.numbers(&["a"]).await, [0; 0]);
}

/// A limit of zero is no limit.
pub async fn zero_keeps_all(harness: impl Harness) {
    let policy = Policy { idempotency_keys: 0, ..keep_for(Duration::ZERO) };
    let bench = Bench::start_with(harness, policy).await;
    bench.publish_many("a", 50).await;
    bench.advance(10_000 * DAY).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["a"]).await.len(), 50);
    assert_eq!(bench.trimmed_after(0, &["*"]).await, []);
}

/// An event that went from one channel is given for the others alone, and is the same event there.
pub async fn an_event_stays_on_the_channel_that_still_holds_it(harness: impl Harness) {
    let mut bench = Bench::start_with(harness, keep(2)).await;
    let whole = bench.publish(with_also("x:1", &["y:1", "z"])).await.id;
    bench.publish_many("x:1", 2).await;
    bench.trim().await;
    for _ in 0..2 {
        let cases: [(&[&str], &[u64]); 8] = [
            (&["x:1"], &[2, 3]),
            (&["y:1"], &[1]),
            (&["z"], &[1]),
            (&["x:*"], &[2, 3]),
            (&["y:*"], &[1]),
            (&["x:1", "z"], &[1, 2, 3]),
            (&["x:*", "z"], &[1, 2, 3]),
            (&["*"], &[1, 2, 3]),
        ];
        for (patterns, expected) in cases {
            assert_eq!(bench.numbers(patterns).await, expected, "{patterns:?}");
        }
        let event = &bench.read_all(&["z"]).await[0];
        assert_eq!((event.id, event.channel.as_str(), event.also.len()), (whole, "x:1", 2));
        assert_eq!(bench.trimmed_after(0, &["*"]).await, named(&[("x:1", 1)]));
        bench.restart().await;
    }
    bench.publish_many("y:1", 2).await;
    bench.publish_many("z", 2).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["*"]).await, [2, 3, 4, 5, 6, 7]);
}

/// A page names what went of the selected channels beyond its position, and nothing else.
pub async fn trimmed_names_what_lies_beyond_the_position(harness: impl Harness) {
    let bench = Bench::start_with(harness, keep(1)).await;
    for on in ["a:1", "a:1", "a:2", "a:2", "b", "b", "a:3", "a:2"] {
        bench.publish(draft(on)).await;
    }
    bench.trim().await;
    type Case = (u64, &'static [&'static str], &'static [(&'static str, u64)]);
    let cases: [Case; 10] = [
        (0, &["a:1"], &[("a:1", 1)]),
        (1, &["a:1"], &[]),
        (0, &["a:3"], &[]),
        (0, &["a:*"], &[("a:1", 1), ("a:2", 4)]),
        (1, &["a:*"], &[("a:2", 4)]),
        (3, &["a:*"], &[("a:2", 4)]),
        (4, &["*"], &[("b", 5)]),
        (5, &["*"], &[]),
        (0, &["a:2", "a:*", "b"], &[("a:1", 1), ("a:2", 4), ("b", 5)]),
        (0, &["c", "c:*"], &[]),
    ];
    for (after, patterns, expected) in cases {
        assert_eq!(bench.trimmed_after(after, patterns).await, named(expected), "{after} {patterns:?}");
    }
}

/// Up to 64 channels are named; past that the pattern is, through the last number removed of any.
pub async fn many_trimmed_channels_are_named_by_their_pattern(harness: impl Harness) {
    let bench = Bench::start_with(harness, keep(1)).await;
    for n in 0..MAX_TRIMMED {
        bench.publish_many(&format!("m:{n}"), 2).await;
    }
    bench.trim().await;
    assert_eq!(bench.trimmed_after(0, &["m:*"]).await.len(), MAX_TRIMMED);
    bench.publish_many("m:last", 2).await;
    bench.trim().await;
    let last = 2 * MAX_TRIMMED as u64 + 1;
    assert_eq!(bench.trimmed_after(0, &["m:*"]).await, named(&[("m:*", last)]));
    assert_eq!(bench.trimmed_after(0, &["*"]).await, named(&[("*", last)]));
    assert_eq!(bench.trimmed_after(1, &["m:*"]).await.len(), MAX_TRIMMED);
    assert_eq!(bench.trimmed_after(0, &["m:0", "m:last"]).await, named(&[("m:0", 1), ("m:last", last)]));
}

/// What was removed stays removed and named, and the head stays where it was.
pub async fn marks_and_head_survive_a_restart(harness: impl Harness) {
    let mut bench = Bench::start_with(harness, keep(2)).await;
    bench.publish_many("a", 6).await;
    bench.publish_many("b", 1).await;
    bench.trim().await;
    bench.restart().await;
    assert_eq!(bench.numbers(&["*"]).await, [5, 6, 7]);
    assert_eq!(bench.trimmed_after(0, &["a", "b"]).await, named(&[("a", 4)]));
    assert_eq!(bench.trimmed_after(4, &["*"]).await, []);
    assert_eq!(bench.bounds().await.head.seq, Seq(7));
}

/// A log whose events have all gone counts on, and its cursors still count.
pub async fn numbers_go_on_when_all_is_gone(harness: impl Harness) {
    let mut bench = Bench::start_with(harness, keep_for(HOUR)).await;
    let ids = bench.publish_many("a", 5).await;
    bench.advance(2 * HOUR).await;
    bench.trim().await;
    bench.restart().await;
    assert_eq!(bench.numbers(&["*"]).await, [0; 0]);
    assert_eq!(bench.bounds().await.head.seq, Seq(5));
    assert!(bench.knows(ids[1]).await && bench.knows(ids[4]).await);
    assert_eq!(bench.publish(draft("a")).await.id.seq, Seq(6));
    assert_eq!(bench.trimmed_after(4, &["a"]).await, named(&[("a", 5)]));
    assert_eq!(bench.trimmed_after(5, &["a"]).await, []);
}
