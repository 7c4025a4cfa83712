//! Order: numbers from 1 without a hole in commit order, batches whole, and the same for every reader.

use std::sync::Arc;

use tidings_core::port::store::{Outcome, Refused};
use tidings_core::port::{Directory, Log, StorageError};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Draft, ErrorCode, Lineage, Seq, TenantId};
use tokio::task::JoinSet;

use super::Harness;
use super::kit::{
    Bench, by_number, data, draft, json, numbered, numbers, query, tenant, terminal, with_also,
};

/// The first event is 1, and each one after it is one more; ids carry the present lineage.
pub async fn numbers_run_from_one_without_a_hole(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let before = bench.bounds().await;
    assert_eq!((before.floor.seq, before.head.seq), (Seq::ZERO, Seq::ZERO));
    for n in 1..=20 {
        let receipt = bench.publish(draft(if n % 2 == 0 { "a" } else { "b" })).await;
        assert_eq!(receipt.id, Cursor::new(Seq(n), before.head.lineage));
        assert!(!receipt.duplicate);
        assert_eq!(bench.bounds().await.head, receipt.id);
    }
    let outcome = bench.try_publish(vec![draft("a"), draft("b"), draft("a")]).await.unwrap();
    assert_eq!(outcome.receipts.iter().map(|receipt| receipt.id.seq.0).collect::<Vec<_>>(), [21, 22, 23]);
    assert_eq!(outcome.head, bench.bounds().await.head);
    assert_eq!(bench.numbers(&["*"]).await, (1..=23).collect::<Vec<_>>());
}

/// Tenants have logs of their own: neither numbers nor events of one show in another.
pub async fn each_tenant_counts_for_itself(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.publish_many("a", 3).await;
    let outcome = bench.publish_for(&other, vec![numbered("a", 7)]).await.unwrap();
    assert_eq!(outcome.receipts[0].id.seq, Seq(1));
    bench.publish_many("a", 1).await;
    assert_eq!(bench.numbers(&["*"]).await, [1, 2, 3, 4]);
    let page = bench.node().read(&other, &query(&["*"])).await.unwrap();
    assert_eq!(data(&page.events), ["7"]);
    assert_eq!(page.head, outcome.head);
}

/// Every member of a draft is in the event as it was given; its time is the clock's.
pub async fn an_event_reads_as_it_was_published(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.clock.set(Timestamp(1_763_000_000_123));
    let full = Draft {
        kind: "gig:created".parse().unwrap(),
        category: Some("GIG_EVENTS".parse().unwrap()),
        key: Some("the key".into()),
        actor: Some("ü\"1".into()),
        version: Some((1 << 53) - 1),
        mutation_id: Some("m-1".into()),
        terminal: true,
        data: json(r#"{"b":1.50,"a":[null,"é\u0000 "],"b":2e400}"#),
        idempotency_key: Some("k".into()),
        ..with_also("band:1", &["user:a@b.c", "z"])
    };
    let id = bench.publish(full.clone()).await.id;
    bench.publish(draft("plain")).await;
    let events = bench.read_all(&["*"]).await;
    let (event, plain) = (&events[0], &events[1]);
    assert_eq!(event.id, id);
    assert_eq!(event.time, Timestamp(1_763_000_000_123));
    assert_eq!((&event.channel, &event.also), (&full.channel, &full.also));
    assert_eq!((&event.kind, &event.category, &event.key), (&full.kind, &full.category, &full.key));
    assert_eq!(
        (&event.actor, event.version, &event.mutation_id),
        (&full.actor, full.version, &full.mutation_id)
    );
    assert!(event.terminal && !plain.terminal);
    assert_eq!(event.data.get(), full.data.get());
    assert!(
        plain.also.is_empty() && plain.category.is_none() && plain.key.is_none() && plain.actor.is_none()
    );
    assert!(plain.version.is_none() && plain.mutation_id.is_none());
    let told = bench.recorder.events(&bench.tenant);
    assert_eq!(
        told.iter().map(tidings_protocol::Event::to_json).collect::<Vec<_>>(),
        [event.to_json(), plain.to_json()]
    );
}

/// Where one event of a batch cannot be, nothing of the batch is.
pub async fn a_batch_is_all_or_none(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    let batch = vec![draft("a"), draft("b"), draft("over"), draft("c")];
    assert_eq!(bench.refusal(batch).await, ErrorCode::ChannelEnded);
    assert_eq!(bench.numbers(&["*"]).await, [1]);
    assert_eq!(bench.bounds().await.head.seq, Seq(1));
    assert_eq!(bench.publish(draft("a")).await.id.seq, Seq(2));
}

fn labelled(on: &str, label: &str) -> Draft {
    Draft { data: json(&format!("\"{label}\"")), ..draft(on) }
}

/// 64 publishers at once: each batch stands together, each publisher's events in its order, and readers, receipts and
/// the commit sink agree on the whole.
pub async fn concurrent_publishers_have_one_order(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let mut tasks = JoinSet::new();
    for publisher in 0..64usize {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let mut receipts = Vec::new();
            for round in 0..6 {
                let size = 1 + (publisher + round) % 3;
                let name = |n| format!("{publisher}/{round}/{n}");
                let on = format!("c:{}", (publisher + round) % 5);
                let batch = (0..size).map(|n| labelled(&on, &name(n))).collect();
                let outcome = bench.try_publish(batch).await.unwrap();
                assert!(outcome.head.seq >= outcome.receipts[size - 1].id.seq);
                receipts
                    .extend(outcome.receipts.iter().enumerate().map(|(n, receipt)| (receipt.id, name(n))));
                let seqs: Vec<u64> = outcome.receipts.iter().map(|receipt| receipt.id.seq.0).collect();
                assert!(
                    seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
                    "a batch stands together: {seqs:?}"
                );
            }
            assert!(receipts.is_sorted_by(|a, b| a.0.seq < b.0.seq), "a publisher's events in its order");
            receipts
        });
    }
    let receipts: Vec<(Cursor, String)> = tasks.join_all().await.into_iter().flatten().collect();
    let events = bench.read_all(&["*"]).await;
    assert_eq!(events.len(), receipts.len());
    let by_number = by_number(&events);
    for (id, name) in &receipts {
        let event = &by_number[&id.seq.0];
        assert_eq!((event.id, event.data.get()), (*id, format!("\"{name}\"").as_str()));
    }
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), numbers(&events));
    assert_eq!(numbers(&bench.read_all(&["c:*"]).await), numbers(&events));
    assert_eq!(numbers(&bench.read_all(&["c:0", "c:1", "c:2", "c:3", "c:4"]).await), numbers(&events));
}

/// Commands that are refused in the midst of others leave those whole, and no hole.
pub async fn a_refused_command_disturbs_no_other(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    bench.publish(terminal("over")).await;
    let mut tasks = JoinSet::new();
    for n in 0..64usize {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let is_refused = n % 3 == 0;
            let last = if is_refused { "over" } else { "c" };
            let answer = bench.try_publish(vec![numbered("a", n), numbered("b", n), numbered(last, n)]).await;
            assert_eq!(answer.is_err(), is_refused);
            is_refused
        });
    }
    let refused = tasks.join_all().await.into_iter().filter(|refused| *refused).count();
    assert_eq!(refused, 22);
    let events = bench.read_all(&["*"]).await;
    assert_eq!(by_number(&events).len(), 1 + 3 * 42);
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), numbers(&events));
    let on_a = bench.read_all(&["a"]).await;
    let mut seen: Vec<usize> = data(&on_a).iter().map(|text| text.parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..64).filter(|n| n % 3 != 0).collect::<Vec<_>>());
}

fn is_unknown_tenant<T>(answer: &Result<T, StorageError>) -> bool {
    matches!(answer, Err(StorageError::UnknownTenant))
}

/// A tenant that does not exist has no log, and nothing can be written for it.
pub async fn an_unknown_tenant_is_refused(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let nobody: TenantId = tenant("nobody");
    let answer: Result<Outcome, Refused> = bench.publish_for(&nobody, vec![draft("a")]).await;
    assert!(matches!(answer, Err(Refused::Storage(StorageError::UnknownTenant))), "{answer:?}");
    assert!(is_unknown_tenant(&bench.node().bounds(&nobody).await));
    assert!(is_unknown_tenant(&bench.node().read(&nobody, &query(&["*"])).await));
    let cursor = Cursor::new(Seq::ZERO, Lineage::from_bits(1));
    assert!(is_unknown_tenant(&bench.node().resolve(&nobody, cursor).await));
    bench.publish(draft("a")).await;
}
