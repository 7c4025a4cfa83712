//! Records: versions, decisions inside the transaction, and the cursor up to which events are contained.

use std::sync::Arc;

use tidings_core::port::store::{Changes, Decision, Record, RecordWrite};
use tidings_core::port::{Directory, Store};
use tidings_protocol::problem::Problem;
use tidings_protocol::{ErrorCode, Seq};
use tokio::task::JoinSet;

use super::Harness;
use super::kit::{Bench, code, draft, keyed, numbered, numbers, put, record_key, tenant, terminal};

fn writing(records: Vec<RecordWrite>) -> Changes {
    Changes { records, ..Changes::default() }
}

fn body(record: Option<&Record>) -> Option<&str> {
    record.map(|record| record.body.as_str())
}

/// 1 at the creation, one more with each change, also with one to the same state.
pub async fn versions_count_changes(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    assert_eq!(bench.record(&record_key("r")).await, None);
    for (version, text) in [(1, "{\"n\":1}"), (2, "{\"n\":2}"), (3, "{\"n\":2}")] {
        bench.change(writing(vec![put("r", text), put(&format!("other-{version}"), "0")])).await.unwrap();
        let record = bench.record(&record_key("r")).await.unwrap();
        assert_eq!((record.version, record.body.as_str(), record.key), (version, text, record_key("r")));
        assert_eq!(bench.record(&record_key(&format!("other-{version}"))).await.unwrap().version, 1);
    }
    bench.change(writing(vec![put("r", "4"), put("r", "5")])).await.unwrap();
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!((record.version, record.body.as_str()), (5, "5"));
}

/// The decision is given the records it names, in its order, as they are.
pub async fn a_decision_sees_the_present_records(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(draft("a")).await;
    bench.change(writing(vec![put("x", "1"), put("y", "2")])).await.unwrap();
    let reads = vec![record_key("y"), record_key("missing"), record_key("x"), record_key("y")];
    let decision = |found: &[Option<Record>]| -> Decision {
        let seen: Vec<Option<&str>> = found.iter().map(|record| body(record.as_ref())).collect();
        assert_eq!(seen, [Some("2"), None, Some("1"), Some("2")]);
        let record = found[0].as_ref().unwrap();
        assert_eq!((record.version, record.at.seq, &record.key), (1, Seq(1), &record_key("y")));
        Ok(writing(vec![put("y", "3")]))
    };
    bench.decide(reads, decision).await.unwrap();
    assert_eq!(body(bench.record(&record_key("y")).await.as_ref()), Some("3"));
}

/// 64 tasks count one record up: no decision is taken on a state that another has changed meanwhile.
pub async fn decisions_do_not_overtake_each_other(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let count_up = |found: &[Option<Record>]| -> Decision {
                let n: usize = found[0].as_ref().map_or(0, |record| record.body.parse().unwrap());
                let events = vec![numbered("count", n + 1)];
                Ok(Changes { events, ..writing(vec![put("count", &(n + 1).to_string())]) })
            };
            bench.decide(vec![record_key("count")], count_up).await.unwrap();
        });
    }
    tasks.join_all().await;
    let record = bench.record(&record_key("count")).await.unwrap();
    assert_eq!((record.version, record.body.as_str()), (64, "64"));
    let events = bench.read_all(&["count"]).await;
    let counted: Vec<String> = events.iter().map(|event| event.data.get().to_owned()).collect();
    assert_eq!(
        counted,
        (1..=64).map(|n| n.to_string()).collect::<Vec<_>>(),
        "events in the order of the decisions"
    );
}

/// A decision that refuses, and changes that cannot be, leave everything as it was.
pub async fn a_refusal_changes_nothing(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    bench.publish(keyed("a", "k")).await;
    bench.change(writing(vec![put("r", "1")])).await.unwrap();
    let refusing = bench.decide(vec![record_key("r")], |found| {
        let version = found[0].as_ref().unwrap().version;
        Err(Problem::new(ErrorCode::NotFound, format!("version {version}")).at("/x").retry_after(3))
    });
    let problem = match refusing.await {
        Err(tidings_core::port::store::Refused::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(problem, Problem::new(ErrorCode::NotFound, "version 1").at("/x").retry_after(3));
    let attempts =
        [(draft("over"), ErrorCode::ChannelEnded), (numbered("a", 1), ErrorCode::IdempotencyConflict)];
    for (mut event, expected) in attempts {
        if expected == ErrorCode::IdempotencyConflict {
            event.idempotency_key = Some("k".into());
        }
        let records = vec![put("r", "2"), put("new", "1"), RecordWrite::Delete(record_key("r"))];
        let changes = Changes { events: vec![draft("b"), event], ..writing(records) };
        assert_eq!(code(bench.change(changes).await), expected);
    }
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!((record.version, record.body.as_str()), (1, "1"));
    assert_eq!(bench.record(&record_key("new")).await, None);
    assert_eq!(bench.numbers(&["*"]).await, [1, 2]);
}

/// A record's cursor contains the events of its change, and only what was committed by then.
pub async fn a_record_and_its_event_commit_together(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish_many("b", 2).await;
    let changes =
        Changes { events: vec![draft("a"), draft("a")], ..writing(vec![put("r", "1"), put("s", "1")]) };
    let outcome = bench.change(changes).await.unwrap();
    assert_eq!(outcome.receipts.iter().map(|receipt| receipt.id.seq.0).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(outcome.head.seq, Seq(4));
    for id in ["r", "s"] {
        let record = bench.record(&record_key(id)).await.unwrap();
        assert_eq!(record.at, outcome.head);
        assert!(bench.knows(record.at).await);
    }
    bench.publish_many("a", 2).await;
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!(record.at, outcome.head, "events after the change are not contained in it");
    assert_eq!(numbers(&bench.read_after(record.at.seq.0, &["a"]).await), [5, 6]);
}

/// A record that was removed is not there; made again it is a new one.
pub async fn a_deleted_record_begins_anew(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.change(writing(vec![put("r", "1")])).await.unwrap();
    bench.change(writing(vec![put("r", "2")])).await.unwrap();
    let delete = writing(vec![RecordWrite::Delete(record_key("r"))]);
    bench.change(delete.clone()).await.unwrap();
    assert_eq!(bench.record(&record_key("r")).await, None);
    bench.change(delete).await.unwrap();
    bench.change(writing(vec![put("r", "3")])).await.unwrap();
    assert_eq!(bench.record(&record_key("r")).await.unwrap().version, 1);
}

/// The same name in another tenant, or of another kind, is another record.
pub async fn records_belong_to_their_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.change(writing(vec![put("r", "1")])).await.unwrap();
    assert_eq!(bench.node().record(&other, &record_key("r")).await.unwrap().record, None);
    let of_another_kind = tidings_core::port::store::RecordKey { kind: "other".into(), ..record_key("r") };
    assert_eq!(bench.record(&of_another_kind).await, None);
    assert!(bench.node().record(&tenant("nobody"), &record_key("r")).await.is_err());
}

/// Records stay, with version and cursor, and the cursor still counts.
pub async fn records_survive_a_restart(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let changes = Changes { events: vec![draft("a")], ..writing(vec![put("r", "\"é\"")]) };
    bench.change(changes).await.unwrap();
    let before = bench.record(&record_key("r")).await.unwrap();
    bench.restart().await;
    bench.publish(draft("a")).await;
    assert_eq!(bench.record(&record_key("r")).await.unwrap(), before);
    assert!(bench.knows(before.at).await);
    assert_eq!(numbers(&bench.read_after(before.at.seq.0, &["a"]).await), [2]);
}
