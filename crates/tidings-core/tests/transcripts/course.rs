//! Streams that begin with a state and end with the terminal event.

use std::sync::Arc;

use tidings_core::Entry;
use tidings_core::hub::Signal;
use tidings_core::session::{Course, Ending, Start};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Draft, EndReason, Event, Filter};

use super::stage::{Limits, Stage, Stream, on, scene};

fn terminal(channel: &str) -> Draft {
    Draft { terminal: true, kind: "done".parse().unwrap(), ..on(channel) }
}

/// Lets terminal events pass; `types` are what is asked for.
fn filter(types: &[&str]) -> Filter {
    let types = types.iter().map(|text| text.parse().unwrap()).collect();
    Filter { types, terminal: true, ..Filter::default() }
}

fn state(at: Cursor) -> Vec<Arc<Entry>> {
    vec![Entry::new(Event {
        id: at,
        time: Timestamp(0),
        channel: "state".parse().unwrap(),
        also: Box::new([]),
        kind: "s".parse().unwrap(),
        category: None,
        key: None,
        actor: None,
        version: None,
        mutation_id: None,
        terminal: true,
        data: serde_json::value::RawValue::from_string("1".into()).unwrap(),
    })]
}

fn with_terminal() -> Course {
    Course { ending: Ending::WithTerminal, ..Course::default() }
}

async fn follow(stage: &Stage, types: &[&str], start: Start, course: Course) -> Stream {
    stage.follow(&["a"], start, filter(types), course).await
}

const END: &str = "terminal_state never";

#[test]
fn a_state_comes_first_and_what_follows_its_cursor_after_it() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let at = stage.publish(&["a"]);
        stage.publish(&["a"]);
        let course = Course { state: state(at), ending: Ending::WithTerminal };
        let mut stream = follow(&stage, &[], Start::After(at), course).await;
        stream.says("$ready a head=2\nstate#1 id\na#2 id").await;
    });
}

#[test]
fn the_stream_ends_after_the_terminal_event_live_and_from_the_log() {
    for limits in [Limits::default(), Limits::short()] {
        scene(async {
            let stage = Stage::new(limits);
            let start = stage.floor();
            let mut live = follow(&stage, &[], Start::Head, with_terminal()).await;
            assert_eq!(live.take(1).await, "$ready id=0 a head=0\n");
            stage.publish(&["a", "b", "a"]);
            stage.post(vec![terminal("a")]);
            stage.publish(&["b", "b", "b"]);
            let expected = format!("a#1 id\na#3 id\na#4 id\n$end id=4 {END}\nover");
            live.says(&expected).await;
            let mut replay = follow(&stage, &[], Start::Resume(start), with_terminal()).await;
            replay.says(&format!("$ready id=0 resumed a head=7\n{expected}")).await;
        });
    }
}

#[test]
fn it_ends_also_where_the_terminal_event_itself_is_not_asked_for() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = follow(&stage, &["other"], Start::Head, with_terminal()).await;
        stage.publish(&["a"]);
        stage.post(vec![terminal("a")]);
        stream.says(&format!("$ready id=0 a head=0\n$end id=2 {END}\nover")).await;
    });
}

#[test]
fn the_end_of_another_channel_of_the_event_is_not_the_streams() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = follow(&stage, &[], Start::Head, with_terminal()).await;
        stage.post(vec![terminal("b+a")]);
        stage.publish(&["a"]);
        stream.says("$ready id=0 a head=0\nb+a#1 id\na#2 id").await;
    });
}

#[test]
fn what_has_ended_is_told_to_its_end_or_by_its_final_state() {
    scene(async {
        let stage = Stage::new(Limits { kept: 1, ..Limits::short() });
        let first = stage.publish(&["a"]);
        let end = stage.post(vec![terminal("a")]);
        let over = || Course { ending: Ending::Over(state(end)), ..Course::default() };
        let mut stream = follow(&stage, &[], Start::Resume(first), over()).await;
        stream.says(&format!("$ready id=1 resumed a head=2\na#2 id\n$end id=2 {END}\nover")).await;
        // Without a cursor: the state, and the end.
        let course = Course { state: state(end), ending: Ending::Over(Vec::new()) };
        let mut stream = follow(&stage, &[], Start::After(end), course).await;
        stream.says(&format!("$ready a head=2\nstate#2 id\n$end id=2 {END}\nover")).await;
        // The terminal event is gone: its state stands for it.
        stage.post(vec![on("b"), on("b")]);
        let lost = Ending::Over(state(end));
        let mut stream =
            follow(&stage, &[], Start::Resume(end), Course { ending: lost, ..Course::default() }).await;
        stream.says(&format!("$ready id=2 resumed a head=4\nstate#2 id\n$end id=4 {END}\nover")).await;
    });
}

#[test]
fn a_right_that_ends_takes_back_what_waits_before_the_end() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = follow(&stage, &[], Start::Head, with_terminal()).await;
        stage.publish(&["a", "a"]);
        stage.post(vec![terminal("a")]);
        assert_eq!(stream.take(2).await, "$ready id=0 a head=0\na#1 id\n");
        stream.signal(Signal::End(EndReason::ServerShutdown, None));
        stream.signal(Signal::End(EndReason::SignedOut, None));
        stream.says("$end id=1 signed_out auth\nover").await;
    });
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = follow(&stage, &[], Start::Head, with_terminal()).await;
        stage.post(vec![terminal("a")]);
        assert_eq!(stream.take(2).await, "$ready id=0 a head=0\na#1 id\n");
        stream.signal(Signal::End(EndReason::SignedOut, None));
        stream.says(&format!("$end id=1 {END}\nover")).await;
    });
}
