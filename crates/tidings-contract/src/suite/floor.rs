//! The floor: where too many marks of trimmed channels give way to one position for all.

use std::time::Duration;

use tidings_core::port::store::Policy;
use tidings_protocol::Seq;

use super::Harness;
use super::kit::{Bench, draft, numbers};

fn few_marks(trim_marks: u64) -> Policy {
    Policy { events_per_channel: 1, retention_age: Duration::ZERO, trim_marks, ..Policy::default() }
}

/// Two events on each of `c:1` to `c:count`: the first of each is to go.
async fn pairs<H: Harness>(bench: &Bench<H>, count: usize) {
    for n in 1..=count {
        bench.publish_many(&format!("c:{n}"), 2).await;
    }
}

/// Up to the limit every mark stands for itself.
pub async fn the_floor_is_zero_while_marks_are_few(harness: impl Harness) {
    let bench = Bench::start_with(harness, few_marks(5)).await;
    pairs(&bench, 5).await;
    bench.trim().await;
    assert_eq!(bench.bounds().await.floor.seq, Seq::ZERO);
    assert_eq!(bench.trimmed_after(0, &["c:*"]).await.len(), 5);
    assert_eq!(bench.trimmed_after(0, &["quiet"]).await, []);
}

/// Past the limit the oldest marks give way; then the floor is named for every channel read from before it, and no
/// channel's removal goes unnamed.
pub async fn too_many_marks_raise_the_floor(harness: impl Harness) {
    let bench = Bench::start_with(harness, few_marks(3)).await;
    pairs(&bench, 6).await;
    bench.trim().await;
    let bounds = bench.bounds().await;
    let floor = bounds.floor.seq.0;
    assert!((5..=11).contains(&floor), "three marks of 1, 3, 5, 7, 9, 11 may stay: {floor}");
    assert!(bench.knows(bounds.floor).await);
    for pattern in ["quiet", "quiet:*"] {
        assert_eq!(bench.trimmed_after(0, &[pattern]).await, [(pattern.to_owned(), floor)]);
        assert_eq!(bench.trimmed_after(floor - 1, &[pattern]).await, [(pattern.to_owned(), floor)]);
        assert_eq!(bench.trimmed_after(floor, &[pattern]).await, []);
    }
    for n in 1..=6u64 {
        let removed = 2 * n - 1;
        let on = format!("c:{n}");
        assert_eq!(bench.trimmed_after(0, &[&on]).await, [(on.clone(), removed.max(floor))]);
        let beyond = bench.trimmed_after(removed - 1, &["c:*"]).await;
        let names =
            |(pattern, through): &(String, u64)| (*pattern == on || pattern == "c:*") && *through >= removed;
        assert!(beyond.iter().any(names), "{on} is named: {beyond:?}");
    }
}

/// What lies at or under the floor has gone, whatever channel it was on.
pub async fn nothing_retained_lies_under_the_floor(harness: impl Harness) {
    let bench = Bench::start_with(harness, few_marks(2)).await;
    bench.publish(draft("rare")).await;
    pairs(&bench, 6).await;
    bench.trim().await;
    let floor = bench.bounds().await.floor.seq.0;
    assert!(floor > 1);
    for patterns in [&["*"][..], &["c:*", "rare"], &["rare"], &["c:1", "c:2", "c:3", "c:4", "c:5", "c:6"]] {
        let given = bench.numbers(patterns).await;
        assert!(given.iter().all(|number| *number > floor), "{patterns:?} {given:?} {floor}");
    }
    assert!(bench.numbers(&["c:6"]).await == [13]);
}

/// The floor stays where it is, and never goes back.
pub async fn the_floor_survives_a_restart(harness: impl Harness) {
    let mut bench = Bench::start_with(harness, few_marks(1)).await;
    let mut last = Seq::ZERO;
    for _ in 0..3 {
        pairs(&bench, 4).await;
        bench.trim().await;
        let floor = bench.bounds().await.floor;
        assert!(floor.seq > last);
        last = floor.seq;
        bench.restart().await;
        assert_eq!(bench.bounds().await.floor.seq, last);
        assert!(bench.knows(floor).await && bench.knows(bench.bounds().await.floor).await);
        assert!(numbers(&bench.read_all(&["*"]).await).iter().all(|number| *number > last.0));
    }
}

/// A cursor of a lineage that ended before the floor is unknown; one of a lineage that reaches it still counts.
pub async fn lineages_wholly_under_the_floor_are_forgotten(harness: impl Harness) {
    let mut bench = Bench::start_with(harness, few_marks(1)).await;
    let under = bench.publish_many("x", 4).await;
    bench.restart().await;
    let reaching = bench.publish_many("x", 1).await;
    pairs(&bench, 5).await;
    bench.trim().await;
    bench.restart().await;
    bench.trim().await;
    let floor = bench.bounds().await.floor;
    assert!(floor.seq > Seq(5));
    for id in under {
        assert!(!bench.knows(id).await, "{id}");
    }
    assert!(bench.knows(reaching[0]).await);
    assert!(bench.knows(floor).await);
}
