//! A decision's own idempotency keys: a repeated command does nothing and is answered as the first one was.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_core::port::store::{
    Action, Changes, Command, IdempotencyKey, Outcome, Policy, Receipt, Refused,
};
use tidings_core::port::{Directory, Store};
use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::{ErrorCode, Seq};
use tokio::task::JoinSet;

use super::Harness;
use super::kit::{Bench, DAY, HOUR, code, draft, keyed, numbered, put, record_key, tenant, terminal};

const MINUTE: Duration = Duration::from_secs(60);

fn key_in(scope: &str, key: &str, body: u8) -> IdempotencyKey {
    IdempotencyKey { scope: scope.into(), key: key.into(), fingerprint: Fingerprint([body; 16]) }
}

fn key(key: &str) -> IdempotencyKey {
    key_in("user POST /casts", key, 1)
}

fn other_body(name: &str) -> IdempotencyKey {
    IdempotencyKey { fingerprint: Fingerprint([2; 16]), ..key(name) }
}

/// One record, two events and an answer.
fn making(id: &str) -> Changes {
    Changes {
        records: vec![put(id, "1")],
        events: vec![draft("a"), draft("b")],
        answer: Some(format!("{{\"id\": {id:?}}}")),
        ..Changes::default()
    }
}

fn again(first: &Outcome) -> Outcome {
    let receipts = first.receipts.iter().map(|receipt| Receipt { duplicate: true, ..*receipt }).collect();
    Outcome { receipts, replayed: true, ..first.clone() }
}

/// The repeat has the first one's receipts, head and answer, and changes nothing; over a restart too.
pub async fn a_repeat_is_answered_as_the_first(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    let first = bench.change_as(vec![key("k")], making("r")).await.unwrap();
    assert!(!first.replayed && first.receipts.iter().all(|receipt| !receipt.duplicate));
    assert_eq!(first.answer.as_deref(), Some("{\"id\": \"r\"}"));
    bench.publish(draft("c")).await;
    for _ in 0..2 {
        let repeat = bench.change_as(vec![key("k")], making("s")).await.unwrap();
        assert_eq!(repeat, again(&first));
        assert!(bench.knows(repeat.head).await);
        assert_eq!(bench.bounds().await.head.seq, Seq(3));
        assert_eq!(bench.record(&record_key("r")).await.unwrap().version, 1);
        assert_eq!(bench.record(&record_key("s")).await, None);
        bench.restart().await;
    }
    let next = bench.change_as(vec![key("K")], making("s")).await.unwrap();
    assert!(!next.replayed, "keys are compared byte by byte");
    let silent = bench.change_as(vec![key("nothing")], Changes::default()).await.unwrap();
    assert_eq!((silent.answer.clone(), silent.receipts.len()), (None, 0));
    assert_eq!(bench.change_as(vec![key("nothing")], making("t")).await.unwrap(), again(&silent));
}

/// A known key's decision is not asked again; the key of another request is a conflict.
pub async fn a_known_key_comes_before_the_decision(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let submit = |idempotency: Vec<IdempotencyKey>| {
        let asked = Arc::clone(&asked);
        let decide = Box::new(move |found: &[_]| match found[0] {
            None => {
                asked.fetch_add(1, Ordering::SeqCst);
                Ok(Changes {
                    events: vec![terminal("a")],
                    records: vec![put("r", "1")],
                    ..Changes::default()
                })
            }
            Some(_) => Err(Problem::of(ErrorCode::AlreadyExists)),
        });
        let action = Action::Decide { reads: vec![record_key("r")], decide, idempotency };
        bench.node().submit(Command { tenant: bench.tenant.clone(), action })
    };
    let first = submit(vec![key("k")]).await.unwrap();
    assert_eq!(code(submit(vec![key("other")]).await), ErrorCode::AlreadyExists);
    assert_eq!(submit(vec![key("k")]).await.unwrap(), again(&first));
    assert_eq!(code(submit(vec![other_body("k")]).await), ErrorCode::IdempotencyConflict);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(bench.numbers(&["*"]).await, [1]);
}

/// In another scope or tenant it is another key.
pub async fn a_key_belongs_to_its_scope_and_tenant(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.change_as(vec![key("k")], making("r")).await.unwrap();
    let elsewhere = bench.change_as(vec![key_in("user POST /other", "k", 2)], making("s")).await.unwrap();
    assert!(!elsewhere.replayed);
    let decide = Box::new(|_: &[_]| Ok(making("r")));
    let action = Action::Decide { reads: Vec::new(), decide, idempotency: vec![other_body("k")] };
    assert!(!bench.node().submit(Command { tenant: other, action }).await.unwrap().replayed);
    assert_eq!(
        code(bench.change_as(vec![other_body("k")], making("t")).await),
        ErrorCode::IdempotencyConflict
    );
    assert!(!bench.publish(keyed("a", "k")).await.duplicate, "events have keys of their own");
}

/// Of several keys each stands for the command; one that is known is enough, and the rest stay new.
pub async fn any_known_key_is_enough(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let first = bench.change_as(vec![key("x"), key("y")], making("r")).await.unwrap();
    for keys in [vec![key("x")], vec![key("y")], vec![key("new"), key("y")], vec![key("x"), key("y")]] {
        assert_eq!(bench.change_as(keys, making("s")).await.unwrap(), again(&first));
    }
    assert_eq!(
        code(bench.change_as(vec![key("new"), other_body("y")], making("s")).await),
        ErrorCode::IdempotencyConflict
    );
    assert!(!bench.change_as(vec![key("new")], making("s")).await.unwrap().replayed);
}

/// A refused command keeps none of its keys: the same may be tried again, with another body too.
pub async fn a_refused_command_keeps_no_key(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    let late = Changes { events: vec![draft("over")], ..making("r") };
    assert_eq!(code(bench.change_as(vec![key("k")], late).await), ErrorCode::ChannelEnded);
    let refusing = Action::Decide {
        reads: Vec::new(),
        decide: Box::new(|_| Err(Problem::of(ErrorCode::NotFound))),
        idempotency: vec![key("k")],
    };
    let refused = bench.node().submit(Command { tenant: bench.tenant.clone(), action: refusing }).await;
    assert_eq!(code(refused), ErrorCode::NotFound);
    assert!(!bench.change_as(vec![other_body("k")], making("r")).await.unwrap().replayed);
}

/// Answers are kept for a day, whatever retention does to their events, and then forgotten.
pub async fn an_answer_is_kept_for_a_day(harness: impl Harness) {
    let policy = Policy { retention_age: HOUR, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    let first = bench.change_as(vec![key("k")], making("r")).await.unwrap();
    for advance in [2 * HOUR, 22 * HOUR - MINUTE] {
        bench.advance(advance).await;
        bench.trim().await;
        bench.restart().await;
        assert_eq!(bench.numbers(&["*"]).await, Vec::<u64>::new());
        assert_eq!(bench.change_as(vec![key("k")], making("s")).await.unwrap(), again(&first));
    }
    bench.advance(2 * MINUTE).await;
    bench.trim().await;
    assert!(!bench.change_as(vec![other_body("k")], making("s")).await.unwrap().replayed);
}

/// A decision's keys count to the same quota as those of events; known ones are not counted again.
pub async fn answers_count_to_the_quota(harness: impl Harness) {
    let policy = Policy { idempotency_keys: 3, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    bench.change_as(vec![key("1"), key("2")], making("r")).await.unwrap();
    let two_more = Changes { events: vec![keyed("a", "e")], ..Changes::default() };
    let over = bench.change_as(vec![key("3")], two_more).await;
    assert_eq!(code(over), ErrorCode::IdempotencyQuota);
    bench.restart().await;
    bench.publish(keyed("a", "e")).await;
    assert_eq!(code(bench.change_as(vec![key("3")], making("s")).await), ErrorCode::IdempotencyQuota);
    assert_eq!(bench.record(&record_key("s")).await, None);
    assert!(bench.change_as(vec![key("1")], making("s")).await.unwrap().replayed);
    bench.change(making("s")).await.unwrap();
    bench.advance(DAY + MINUTE).await;
    bench.trim().await;
    assert!(!bench.change_as(vec![key("3")], making("t")).await.unwrap().replayed);
}

/// Of many repeats at once one is carried out.
pub async fn racing_repeats_are_one_command(harness: impl Harness) {
    let bench = Arc::new(Bench::start(harness).await);
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let changes =
                Changes { events: vec![numbered("a", n)], answer: Some(n.to_string()), ..Changes::default() };
            bench.change_as(vec![key("k")], changes).await
        });
    }
    let outcomes: Vec<Outcome> = tasks.join_all().await.into_iter().collect::<Result<_, Refused>>().unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
    assert!(outcomes.iter().all(|outcome| outcome.answer == outcomes[0].answer));
    assert!(outcomes.iter().all(|outcome| outcome.head == outcomes[0].head));
    assert_eq!(bench.numbers(&["*"]).await, [1]);
}
