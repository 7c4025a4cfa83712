//! The commit sink: told in order, after durability, before the answer.

use std::sync::Arc;

use tidings_core::port::Log;
use tidings_core::port::store::Changes;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ErrorCode, Seq};
use tokio::task::JoinSet;

use super::Harness;
use super::kit::{Bench, by_number, draft, keyed, numbered, numbers, put, query, terminal};

/// Whoever has an answer finds its events told already; what is told has no hole.
pub async fn commits_are_told_in_order_before_the_answer(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let mut tasks = JoinSet::new();
    for publisher in 0..64usize {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            for n in 0..4 {
                let outcome =
                    bench.try_publish(vec![numbered("a", publisher), numbered("b", n)]).await.unwrap();
                for receipt in outcome.receipts {
                    assert!(bench.recorder.has(&bench.tenant, receipt.id), "told before the answer");
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(by_number(&bench.recorder.events(&bench.tenant)).len(), 64 * 4 * 2);
}

/// From the moment a commit is told, every read sees it.
pub async fn what_is_told_can_be_read(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let publishing = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.publish_many("a", 200).await })
    };
    let mut told = bench.recorder.watch();
    let mut looks = 0;
    while *told.borrow_and_update() < 200 {
        told.changed().await.unwrap();
        let count = *told.borrow() as u64;
        let head = bench.bounds().await.head.seq;
        assert!(head >= Seq(count), "told {count}, read {head}");
        let page = bench.node().read(&bench.tenant, &query(&["a"])).await.unwrap();
        assert!(page.events.len() as u64 >= count);
        looks += 1;
    }
    assert!(looks > 0);
    publishing.await.unwrap();
}

/// Refusals, repetitions and changes of records alone tell nothing.
pub async fn what_changes_no_log_is_not_told(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(keyed("a", "k")).await;
    bench.publish(terminal("over")).await;
    assert!(bench.publish(keyed("a", "k")).await.duplicate);
    assert_eq!(bench.refusal(vec![draft("over")]).await, ErrorCode::ChannelEnded);
    bench.decide(vec![], |_| Err(Problem::of(ErrorCode::NotFound))).await.unwrap_err();
    let outcome =
        bench.change(Changes { records: vec![put("r", "{}")], ..Changes::default() }).await.unwrap();
    assert!(outcome.receipts.is_empty());
    assert_eq!(outcome.head.seq, Seq(2));
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), [1, 2]);
}
