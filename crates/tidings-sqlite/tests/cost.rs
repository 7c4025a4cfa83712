//! What reading and keeping cost: the same however much is stored.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

mod bench;

use bench::{Bench, default, publish, read};
use tidings_contract::suite::kit::{draft, numbers, query};
use tidings_core::port::Log;
use tidings_core::port::log::Query;
use tidings_core::port::store::Policy;
use tidings_protocol::Seq;
use tidings_sqlite::{Durability, SqliteStore};

/// Events spread over a hundred channels, one in a thousand on `rare`.
async fn fill(store: &SqliteStore, from: usize, to: usize) {
    for batch in (from..to).step_by(100) {
        let on =
            |n: usize| if n.is_multiple_of(1_000) { "rare".to_owned() } else { format!("busy:{}", n % 100) };
        publish(store, (batch..batch + 100).map(|n| draft(&on(n))).collect()).await.unwrap();
    }
}

/// Positions counted from the head, so that what follows is the same at every size.
async fn examined(store: &SqliteStore, rows: &[u64]) -> Vec<usize> {
    let head = store.bounds(&default()).await.unwrap().head.seq.0;
    let mut examined = Vec::new();
    for patterns in
        [&["busy:7"][..], &["rare"], &["busy:1", "busy:2", "rare"], &["quiet"], &["busy:*"], &["*"]]
    {
        for back in rows {
            let query = Query { after: Seq(head - back), max_events: 50, ..query(patterns) };
            let page = read(store, &query).await;
            assert!(page.examined <= 50.max(usize::try_from(*back).unwrap()));
            examined.push(page.examined);
        }
    }
    examined
}

#[tokio::test]
async fn a_resume_costs_the_same_with_twenty_times_as_many_events() {
    let bench = Bench { durability: Durability::Os, ..Bench::new() };
    let store = bench.open();
    fill(&store, 0, 10_000).await;
    let few = examined(&store, &[0, 10, 1_000, 5_000]).await;
    fill(&store, 10_000, 200_000).await;
    let many = examined(&store, &[0, 10, 1_000, 5_000]).await;
    assert_eq!(few, many);
    store.close();
}

#[tokio::test]
async fn the_wal_does_not_grow_without_bound() {
    let policy = Policy { events_per_channel: 100, ..Policy::default() };
    let bench = Bench { durability: Durability::Os, policy, ..Bench::new() };
    let store = bench.open();
    let wal = bench.directory.path().join("tidings.db-wal");
    let mut largest = 0;
    let mut written = 0;
    for n in 0..600_usize {
        let data = format!("\"{}\"", "x".repeat(1_000));
        let drafts: Vec<_> = (0..100)
            .map(|channel| tidings_protocol::Draft {
                data: tidings_contract::suite::kit::json(&data),
                ..draft(&format!("c:{}", (n * 7 + channel) % 300))
            })
            .collect();
        written += 100 * data.len() as u64;
        publish(&store, drafts).await.unwrap();
        largest = largest.max(std::fs::metadata(&wal).unwrap().len());
    }
    println!("{written} bytes of data were written; the WAL had at most {largest}");
    assert!(written > 50 << 20);
    assert!(largest < 40 << 20, "{largest}");
    store.trim_now().await.unwrap();
    store.close();
    assert!(bench.number("SELECT count(*) FROM events") <= 300 * 100);
    assert!(!wal.exists(), "the WAL is gone once everything is in the file");
}

/// Publishing goes on while a lot is removed, and what is given is right at every moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_pass_between_the_slices_of_retention() {
    let mut bench = Bench { durability: Durability::Os, ..Bench::new() };
    bench.policy.retention_age = std::time::Duration::from_secs(3600);
    let store = bench.open();
    fill(&store, 0, 40_000).await;
    bench.clock.advance(std::time::Duration::from_secs(7200));
    let trimming = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { store.trim_now().await.unwrap() }
    });
    let mut between = 0;
    while !trimming.is_finished() {
        publish(&store, vec![draft("new")]).await.unwrap();
        between += 1;
        let page = read(&store, &Query { max_events: 10, ..query(&["busy:7"]) }).await;
        // Its events are 8, 108, 208 and so on: the first that is given follows the last that is named as removed.
        let next = page.trimmed.first().map_or(8, |trimmed| trimmed.through.seq.0 + 100);
        assert_eq!(numbers(&page.events).first().copied().unwrap_or(40_008), next);
    }
    trimming.await.unwrap();
    println!("{between} publishes passed while 40,000 events were removed");
    assert!(between > 10, "{between}");
    let left = read(&store, &query(&["*"])).await;
    assert_eq!(numbers(&left.events).first(), Some(&40_001));
    assert_eq!(left.events.len(), between);
    store.close();
    assert_eq!(bench.number("SELECT count(*) FROM channel_events"), i64::try_from(between).unwrap());
}
