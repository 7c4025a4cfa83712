//! Cursors and lineages: which positions a log knows as its own.

use tidings_core::port::log::{Query, Resolution};
use tidings_core::port::store::{Changes, Policy, Receipt};
use tidings_core::port::{Directory, Log};
use tidings_protocol::{Cursor, ErrorCode, Lineage, Seq};

use super::Harness;
use super::kit::{Bench, DAY, draft, keyed, numbers, put, query, record_key, tenant, terminal};

/// A lineage counts from the head at which it began to the head at the next start, both included, and nowhere else.
pub async fn every_lineage_counts_in_its_range(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let mut ranges: Vec<(Lineage, u64, u64)> = Vec::new();
    for events in [3, 0, 2, 0, 0, 4] {
        let begin = bench.bounds().await.head;
        bench.publish_many("a", events).await;
        let end = bench.bounds().await.head;
        assert_eq!(begin.lineage, end.lineage);
        ranges.push((begin.lineage, begin.seq.0, end.seq.0));
        bench.restart().await;
    }
    let present = bench.bounds().await.head;
    ranges.push((present.lineage, present.seq.0, present.seq.0));
    for (n, (lineage, begin, end)) in ranges.iter().enumerate() {
        assert!(ranges[..n].iter().all(|earlier| earlier.0 != *lineage), "each start draws its own");
        for seq in 0..=12 {
            let expected = (*begin..=*end).contains(&seq);
            assert_eq!(
                bench.knows(Cursor::new(Seq(seq), *lineage)).await,
                expected,
                "start {n}, number {seq}"
            );
        }
    }
    let next = bench.publish(draft("a")).await.id;
    assert_eq!(next.lineage, present.lineage);
    assert!(bench.knows(next).await && bench.knows(present).await);
    let later = Cursor::new(Seq(next.seq.0 + 1), next.lineage);
    assert!(!bench.knows(later).await, "one past the head");
    let (before, _, end) = ranges[ranges.len() - 2];
    assert!(!bench.knows(Cursor::new(Seq(end + 1), before)).await, "an earlier lineage does not grow");
}

/// Another tenant's cursor and one of nobody's are unknown.
pub async fn foreign_cursors_are_unknown(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    let mine = bench.publish(draft("a")).await.id;
    let theirs = bench.publish_for(&other, vec![draft("a")]).await.unwrap().head;
    assert_ne!(mine.lineage, theirs.lineage);
    assert!(bench.knows(mine).await);
    assert!(!bench.knows(theirs).await);
    let node = bench.node();
    assert_eq!(node.resolve(&other, theirs).await.unwrap(), Resolution::Known);
    assert_eq!(node.resolve(&other, mine).await.unwrap(), Resolution::Unknown);
    for bits in [0, 1, mine.lineage.bits() ^ 1, u64::MAX] {
        assert!(!bench.knows(Cursor::new(Seq(0), Lineage::from_bits(bits))).await);
        assert!(!bench.knows(Cursor::new(Seq(1), Lineage::from_bits(bits))).await);
    }
    assert!(!bench.knows(Cursor::new(Seq::MAX, mine.lineage)).await);
}

/// An event's id is the same text for ever, and each one resumes exactly.
pub async fn ids_stay_the_same_over_twenty_restarts(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let mut ids: Vec<Cursor> = Vec::new();
    for _ in 0..20 {
        ids.push(bench.publish(draft("a")).await.id);
        ids.push(bench.publish(draft("b")).await.id);
        bench.restart().await;
    }
    let events = bench.read_all(&["*"]).await;
    assert_eq!(events.iter().map(|event| event.id.to_string()).collect::<Vec<_>>(), texts(&ids));
    for id in ids {
        assert!(bench.knows(id).await);
        let following = bench.read_after(id.seq.0, &["a", "b"]).await;
        assert_eq!(numbers(&following), (id.seq.0 + 1..=40).collect::<Vec<_>>());
    }
}

fn texts(ids: &[Cursor]) -> Vec<String> {
    ids.iter().map(Cursor::to_string).collect()
}

/// After a restored backup the cursors of what it does not hold are unknown, also once the numbers are used again.
pub async fn a_restored_backup_knows_only_its_own_history(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let first = bench.publish_many("a", 3).await;
    bench.restart().await;
    let second = bench.publish_many("a", 3).await;
    let backup = bench.harness.backup().await;
    let lost_in_the_run = bench.publish_many("a", 4).await;
    bench.restart().await;
    let started_later = bench.bounds().await.head;
    let lost_later = bench.publish_many("a", 2).await;
    bench.close().await;
    bench.harness.restore(&backup).await;
    bench.open().await;
    for round in 0..2 {
        for kept in first.iter().chain(&second) {
            assert!(bench.knows(*kept).await, "round {round}, kept {kept}");
        }
        for lost in lost_in_the_run.iter().chain(&lost_later).chain([&started_later]) {
            assert!(!bench.knows(*lost).await, "round {round}, lost {lost}");
        }
        assert_eq!(bench.bounds().await.head.seq, Seq(6 + 12 * round));
        bench.publish_many("a", 12).await;
        bench.restart().await;
    }
    let ids: Vec<Cursor> = bench.read_all(&["a"]).await.iter().map(|event| event.id).collect();
    assert_eq!(texts(&ids[..6]), texts(&[first, second].concat()));
    assert!(lost_in_the_run.iter().all(|lost| !ids.contains(lost)), "a number used again has another id");
}

/// A restored backup is whole: keys, ends and records are as they were when it was taken.
pub async fn what_a_backup_does_not_hold_never_happened(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let kept = bench.publish(keyed("a", "kept")).await;
    bench.publish(terminal("over")).await;
    let write = |text: &str| Changes { records: vec![put("r", text)], ..Changes::default() };
    bench.change(write("1")).await.unwrap();
    let backup = bench.harness.backup().await;
    let lost = bench.publish(keyed("a", "lost")).await;
    bench.publish(terminal("b")).await;
    bench.change(write("2")).await.unwrap();
    bench.close().await;
    bench.harness.restore(&backup).await;
    bench.open().await;
    assert_eq!(bench.record(&record_key("r")).await.map(|record| record.body), Some("1".to_owned()));
    assert_eq!(bench.publish(keyed("a", "kept")).await, Receipt { duplicate: true, ..kept });
    assert_eq!(bench.refusal(vec![draft("over")]).await, ErrorCode::ChannelEnded);
    let again = bench.publish(keyed("a", "lost")).await;
    assert!(!again.duplicate && again.id.seq == lost.id.seq && again.id != lost.id);
    bench.publish(draft("b")).await;
}

/// After a lost tail the cursors of the lost part are unknown, of whatever lineage; those before are still known.
pub async fn a_lost_tail_is_unknown(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let mut ids = bench.publish_many("a", 4).await;
    bench.restart().await;
    ids.extend(bench.publish_many("b", 4).await);
    bench.restart().await;
    ids.extend(bench.publish_many("a", 4).await);
    let head = bench.bounds().await.head;
    bench.close().await;
    let keep = Seq(6);
    bench.harness.cut_tail(&bench.tenant, keep).await;
    bench.open().await;
    for round in 0..2 {
        for id in &ids {
            assert_eq!(bench.knows(*id).await, id.seq <= keep, "round {round}, {id}");
        }
        assert!(!bench.knows(head).await);
        assert_eq!(bench.bounds().await.head.seq, Seq(6 + 20 * round));
        bench.publish_many("a", 20).await;
        bench.restart().await;
    }
    let events = bench.read_all(&["*"]).await;
    assert_eq!(numbers(&events), (1..=46).collect::<Vec<_>>());
    assert!(events.iter().zip(&ids).all(|(event, id)| (event.id == *id) == (id.seq <= keep)));
}

/// Every cursor that the log gives, events', pages', ends' and marks', is known then and after further restarts.
pub async fn every_position_given_is_known(harness: impl Harness) {
    let policy = Policy { events_per_channel: 5, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    let mut given: Vec<Cursor> = Vec::new();
    for round in 0..6 {
        bench.publish_many("a", 4).await;
        bench.publish_many("b", round).await;
        bench.trim().await;
        let bounds = bench.bounds().await;
        given.extend([bounds.floor, bounds.head]);
        for (patterns, max_examined) in [(&["a"][..], 3), (&["b:*"], 2), (&["c"], 1), (&["*"], 4)] {
            let mut wanted = Query { max_examined, ..query(patterns) };
            while wanted.after < bounds.head.seq {
                let page = bench.read(&wanted).await;
                given.extend(page.events.iter().map(|event| event.id));
                given.extend(page.trimmed.iter().map(|trimmed| trimmed.through));
                given.extend([page.scanned_to, page.head]);
                wanted.after = page.scanned_to.seq;
            }
        }
        bench.clock.advance(DAY / 2);
        bench.restart().await;
        for cursor in &given {
            assert!(bench.knows(*cursor).await, "round {round}, {cursor}");
        }
    }
}
