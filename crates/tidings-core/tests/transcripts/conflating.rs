//! What is left out in favour of what, and what never is.

use tidings_contract::suite::kit::terminal;
use tidings_core::session::Start;
use tidings_protocol::Draft;

use super::stage::{Limits, Stage, keyed, on, scene};

#[test]
fn of_waiting_events_the_last_with_a_key_stands_for_the_others() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stage.post(vec![keyed("a", "k"), on("a"), keyed("a", "k"), keyed("a", "l"), keyed("a", "k")]);
        stream
            .says(
                "a#2 id
                 a#4 id
                 $lagged k skipped=2
                 a#5 id",
            )
            .await;
        stage.post(vec![keyed("a", "k")]);
        stream.says("a#6 id").await;
        stage.post(vec![keyed("a", "k")]);
        stream.says("a#7 id").await;
    });
}

#[test]
fn only_the_same_channel_and_also_and_key_supersede() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["*"], Start::Head).await;
        stream.says("$ready id=0 * head=0").await;
        stage.post(vec![
            keyed("a", "k"),
            keyed("b", "k"),
            keyed("a+b", "k"),
            keyed("b+a", "k"),
            keyed("a", "l"),
            keyed("a+b", "k"),
        ]);
        stream
            .says(
                "a#1 id
                 b#2 id
                 b+a#4 id
                 a#5 id
                 $lagged k skipped=1
                 a+b#6 id",
            )
            .await;
    });
}

#[test]
fn a_terminal_event_is_never_left_out_but_stands_for_what_came_before() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a", "b"], Start::Head).await;
        stream.says("$ready id=0 a,b head=0").await;
        let last = Draft { key: Some("k".into()), ..terminal("a") };
        stage.post(vec![keyed("a", "k"), keyed("b", "k"), last, keyed("b", "k")]);
        stream
            .says(
                "$lagged k skipped=1
                 a#3 id
                 $lagged k skipped=1
                 b#4 id",
            )
            .await;
    });
}

#[test]
fn only_what_this_stream_will_be_sent_supersedes() {
    scene(async {
        let stage = Stage::new(Limits { page_events: 2, ..Limits::short() });
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        // In pages of two: the third is not there to stand for the first.
        stage.post(vec![keyed("a", "k"), on("a"), keyed("a", "k"), on("a")]);
        stream
            .says(
                "a#1 id
                 a#2 id
                 a#3 id
                 a#4 id",
            )
            .await;
    });
}

#[test]
fn polls_are_given_everything_and_told_resets_alone() {
    scene(async {
        let mut limits = Limits { kept: 3, ..Limits::short() };
        limits.session.conflate = false;
        limits.session.controls = false;
        limits.session.heartbeat = None;
        let stage = Stage::new(limits);
        let cursor = stage.floor();
        stage.post(vec![keyed("a", "k"), keyed("a", "k"), keyed("a", "k"), keyed("a", "k")]);
        stage.trim();
        let mut poll = stage.open(&["a"], Start::Resume(cursor)).await;
        poll.says(
            "$reset expired a through=1
             a#2 id
             a#3 id
             a#4 id",
        )
        .await;
        assert!(poll.feed.is_caught_up());
        let mut poll = stage.open(&["a"], Start::Unknown).await;
        poll.says("$reset id=4 unknown a through=4").await;
    });
}
