//! Held values: throttled on their way into the log, durable all the while.

use std::time::Duration;

use tidings_core::port::store::{Action, Changes, Command, Hold};
use tidings_core::port::{Clock, Directory, Log, Store};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Draft, ErrorCode, Seq};

use super::Harness;
use super::kit::{
    Bench, HOUR, code, data, draft, numbered, numbers, put, query, record_key, tenant, terminal,
};

/// Long, so that no real timer ends it while a test runs.
const WINDOW: Duration = Duration::from_secs(600);
const TENTH: Duration = Duration::from_secs(60);

fn hold_on(stage: &str, event: Draft) -> Changes {
    let hold = Hold { stage: stage.into(), window: WINDOW, event, records: Vec::new() };
    Changes { hold: vec![hold], ..Changes::default() }
}

/// A value of a stage, with the record that changes with it.
fn value(n: usize) -> Changes {
    let mut changes = hold_on("s", numbered("a", n));
    changes.hold[0].records = vec![put("r", &n.to_string())];
    changes
}

async fn values<H: Harness>(bench: &Bench<H>) -> Vec<String> {
    data(&bench.read_all(&["*"]).await).into_iter().map(str::to_owned).collect()
}

/// Nothing is known of the stage: the value enters the log with its record at once.
pub async fn the_first_value_passes_at_once(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let outcome = bench.change(value(1)).await.unwrap();
    assert!(outcome.receipts.is_empty(), "receipts are of a command's own events");
    assert_eq!(outcome.head.seq, Seq(1));
    assert_eq!(values(&bench).await, ["1"]);
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!((record.version, record.body.as_str(), record.at), (1, "1", outcome.head));
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), [1]);
}

/// Later values wait unseen, the latest in place of the one before, and enter when the window is over.
pub async fn the_latest_follows_at_the_windows_end(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let begin = bench.clock.now();
    bench.change(value(1)).await.unwrap();
    for n in 2..=9 {
        bench.advance(TENTH).await;
        let outcome = bench.change(value(n)).await.unwrap();
        assert_eq!(outcome.head.seq, Seq(1));
        assert_eq!(values(&bench).await, ["1"], "held values are not seen");
        assert_eq!(bench.bounds().await.head.seq, Seq(1));
    }
    bench.advance(2 * TENTH - Duration::from_millis(1)).await;
    assert_eq!(values(&bench).await, ["1"]);
    bench.advance(Duration::from_millis(1)).await;
    assert_eq!(values(&bench).await, ["1", "9"]);
    let event = &bench.read_after(1, &["a"]).await[0];
    assert_eq!(event.time, Timestamp(begin.0 + i64::try_from(WINDOW.as_millis()).unwrap()));
    bench.advance(TENTH).await;
    bench.change(value(10)).await.unwrap();
    assert_eq!(values(&bench).await, ["1", "9"], "the next window began with the event");
    bench.advance(WINDOW - TENTH).await;
    assert_eq!(values(&bench).await, ["1", "9", "10"]);
    bench.advance(10 * WINDOW).await;
    assert_eq!(values(&bench).await, ["1", "9", "10"], "nothing enters twice");
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), [1, 2, 3]);
}

/// While a value is held, its record is as it was; then both change in one commit.
pub async fn event_and_record_of_a_held_value_commit_together(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.change(value(1)).await.unwrap();
    bench.change(value(2)).await.unwrap();
    let unchanged = |record: Option<&tidings_core::port::store::Record>| {
        assert_eq!(record.map(|record| (record.version, record.body.as_str())), Some((1, "1")));
    };
    unchanged(bench.record(&record_key("r")).await.as_ref());
    let seeing = bench.decide(vec![record_key("r")], move |found| {
        unchanged(found[0].as_ref());
        Ok(Changes::default())
    });
    seeing.await.unwrap();
    bench.publish(draft("b")).await;
    bench.advance(WINDOW).await;
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!((record.version, record.body.as_str(), record.at.seq), (2, "2", Seq(3)));
    assert_eq!(numbers(&bench.read_all(&["a"]).await), [1, 3]);
}

/// One stage's window says nothing of another's, nor of the same name in another tenant.
pub async fn stages_are_held_each_for_itself(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    for stage in ["s", "t"] {
        bench.change(hold_on(stage, numbered("a", 1))).await.unwrap();
    }
    let theirs =
        |n| Action::Decide { reads: vec![], decide: Box::new(move |_| Ok(value(n))), idempotency: vec![] };
    bench.node().submit(Command { tenant: other.clone(), action: theirs(1) }).await.unwrap();
    assert_eq!(bench.bounds().await.head.seq, Seq(2));
    bench.advance(TENTH).await;
    for (stage, n) in [("t", 2), ("s", 3)] {
        bench.change(hold_on(stage, numbered("a", n))).await.unwrap();
    }
    bench.node().submit(Command { tenant: other.clone(), action: theirs(4) }).await.unwrap();
    bench.advance(WINDOW).await;
    let mut own = values(&bench).await;
    own[2..].sort();
    assert_eq!(own, ["1", "1", "2", "3"]);
    let page = bench.node().read(&other, &query(&["*"])).await.unwrap();
    assert_eq!(data(&page.events), ["1", "4"]);
}

/// A command settles what is held before its own events and forgets the window.
pub async fn settling_comes_before_the_next_event(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.change(value(1)).await.unwrap();
    bench.change(value(2)).await.unwrap();
    let settling = Changes {
        settle: vec!["nothing is known of this".into(), "s".into()],
        records: vec![put("r", "done")],
        events: vec![Draft { terminal: true, ..numbered("a", 3) }],
        ..Changes::default()
    };
    let outcome = bench.change(settling).await.unwrap();
    assert_eq!(outcome.receipts.iter().map(|receipt| receipt.id.seq.0).collect::<Vec<_>>(), [3]);
    assert_eq!(values(&bench).await, ["1", "2", "3"]);
    let record = bench.record(&record_key("r")).await.unwrap();
    assert_eq!((record.version, record.body.as_str(), record.at), (3, "done", outcome.head));
    bench.change(hold_on("s", numbered("b", 4))).await.unwrap();
    assert_eq!(values(&bench).await, ["1", "2", "3", "4"], "the window was forgotten");
    bench.advance(10 * WINDOW).await;
    assert_eq!(values(&bench).await.len(), 4);
}

/// A held value is durable when it is answered; a start settles it, once, and its commit is told like any other.
pub async fn a_held_value_survives_a_kill_and_enters_once(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.change(value(1)).await.unwrap();
    bench.change(value(2)).await.unwrap();
    bench.change(value(3)).await.unwrap();
    bench.close().await;
    assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), [1]);
    bench.open().await;
    for _ in 0..2 {
        assert_eq!(values(&bench).await, ["1", "3"]);
        let record = bench.record(&record_key("r")).await.unwrap();
        assert_eq!((record.version, record.body.as_str(), record.at.seq), (2, "3", Seq(2)));
        assert!(bench.knows(record.at).await);
        assert_eq!(numbers(&bench.recorder.events(&bench.tenant)), [1, 2]);
        bench.advance(2 * WINDOW).await;
        bench.restart().await;
    }
    bench.change(value(4)).await.unwrap();
    assert_eq!(values(&bench).await, ["1", "3", "4"]);
}

/// A command that is refused neither holds a value nor opens or forgets a window.
pub async fn a_refused_command_holds_nothing(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    let refused = |changes: Changes| Changes { events: vec![draft("over")], ..changes };
    assert_eq!(code(bench.change(refused(value(1))).await), ErrorCode::ChannelEnded);
    bench.change(value(2)).await.unwrap();
    assert_eq!(values(&bench).await, ["null", "2"], "no window was opened");
    bench.change(value(3)).await.unwrap();
    assert_eq!(code(bench.change(refused(value(4))).await), ErrorCode::ChannelEnded);
    let settling = Changes { settle: vec!["s".into()], ..Changes::default() };
    assert_eq!(code(bench.change(refused(settling)).await), ErrorCode::ChannelEnded);
    assert_eq!(values(&bench).await, ["null", "2"], "nothing was settled");
    bench.advance(WINDOW).await;
    assert_eq!(values(&bench).await, ["null", "2", "3"]);
}

/// A window in which nothing was held ends quietly, and the next value passes at once.
pub async fn a_window_passes_while_nothing_is_held(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.change(value(1)).await.unwrap();
    bench.advance(WINDOW).await;
    bench.change(value(2)).await.unwrap();
    assert_eq!(values(&bench).await, ["1", "2"]);
    bench.advance(2 * WINDOW).await;
    assert_eq!(values(&bench).await, ["1", "2"]);
}

/// A value for an ended channel is refused; where the channel ended while it was held, nothing of it enters.
pub async fn an_ended_channel_takes_no_held_value(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.change(value(1)).await.unwrap();
    bench.change(value(2)).await.unwrap();
    bench.change(hold_on("t", numbered("b", 1))).await.unwrap();
    bench.change(hold_on("t", numbered("b", 2))).await.unwrap();
    bench.try_publish(vec![terminal("a"), terminal("b")]).await.unwrap();
    assert_eq!(code(bench.change(value(3)).await), ErrorCode::ChannelEnded);
    assert_eq!(code(bench.change(hold_on("new", draft("a"))).await), ErrorCode::ChannelEnded);
    bench.advance(WINDOW).await;
    bench.restart().await;
    assert_eq!(values(&bench).await, ["1", "1", "null", "null"]);
    assert_eq!(bench.record(&record_key("r")).await.unwrap().version, 1);
}

/// A clock that is set back ends the window rather than drawing it out.
pub async fn a_clock_set_back_holds_nothing_longer(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let begin = bench.clock.now();
    bench.change(value(1)).await.unwrap();
    bench.advance(TENTH).await;
    bench.change(value(2)).await.unwrap();
    bench.clock.set(Timestamp(begin.0 - i64::try_from(HOUR.as_millis()).unwrap()));
    bench.wake().await;
    assert_eq!(values(&bench).await, ["1", "2"]);
}
