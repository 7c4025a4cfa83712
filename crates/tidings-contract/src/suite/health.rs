//! Health: a failed commit is the last one until the next start.

use tidings_core::port::store::Refused;
use tidings_core::port::{StorageError, Store};

use super::Harness;
use super::kit::{Bench, by_number, draft};

/// A fresh node is well, and stays so when it refuses.
pub async fn a_fresh_node_is_well(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    Store::health(&**bench.node()).unwrap();
    bench.publish(super::kit::terminal("a")).await;
    bench.try_publish(vec![draft("a")]).await.unwrap_err();
    Store::health(&**bench.node()).unwrap();
    bench.restart().await;
    Store::health(&**bench.node()).unwrap();
}

fn has_failed<T>(answer: &Result<T, Refused>) -> bool {
    matches!(answer, Err(Refused::Storage(StorageError::Failed(_))))
}

/// After a failed commit every command fails until the next start, which finds a log without a hole.
pub async fn a_failed_commit_stops_writing_until_the_next_start(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.publish_many("a", 3).await;
    if !bench.harness.fail_next_commit(bench.node()) {
        return;
    }
    assert!(has_failed(&bench.try_publish(vec![draft("a")]).await));
    for _ in 0..3 {
        assert!(has_failed(&bench.try_publish(vec![draft("b")]).await));
        assert!(matches!(Store::health(&**bench.node()), Err(StorageError::Failed(_))));
    }
    let told = bench.recorder.events(&bench.tenant);
    assert_eq!(told.len(), 3, "what failed was not told");
    bench.restart().await;
    Store::health(&**bench.node()).unwrap();
    bench.publish(draft("c")).await;
    let events = bench.read_all(&["*"]).await;
    assert!((4..=5).contains(&by_number(&events).len()), "whether the failed one is stored is unknown");
    assert!(events.iter().all(|event| event.channel.as_str() != "b"));
}
