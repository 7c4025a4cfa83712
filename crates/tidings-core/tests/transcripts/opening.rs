//! Opening, resuming, falling behind and coming back.

use tidings_core::session::Start;

use super::stage::{Limits, Stage, foreign, oldest, scene};

#[test]
fn a_fresh_stream_begins_with_what_comes_next() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["a"]);
        let mut stream = stage.open(&["a", "x:*"], Start::Head).await;
        stream.says("$ready id=1 a,x:* head=1").await;
        stage.publish(&["a", "b", "x:1", "x", "b+x:2"]);
        stream
            .says(
                "a#2 id
                 x:1#4 id
                 b+x:2#6 id",
            )
            .await;
    });
}

#[test]
fn a_resumed_stream_goes_on_after_its_cursor() {
    for limits in [Limits::default(), Limits::short()] {
        scene(async {
            let stage = Stage::new(limits);
            let cursor = stage.publish(&["a"]);
            stage.publish(&["a", "b", "a", "a"]);
            let mut stream = stage.open(&["a"], Start::Resume(cursor)).await;
            stream
                .says(
                    "$ready id=1 resumed a head=5
                     a#2 id
                     a#4 id
                     a#5 id",
                )
                .await;
        });
    }
}

#[test]
fn what_retention_removed_of_one_channel_is_said_of_that_one() {
    scene(async {
        let stage = Stage::new(Limits { kept: 2, ..Limits::short() });
        let cursor = stage.publish(&["a"]);
        stage.publish(&["b", "a", "a", "a", "a", "b"]);
        stage.trim();
        let mut stream = stage.open(&["a", "b"], Start::Resume(cursor)).await;
        stream
            .says(
                "$ready id=1 resumed a,b head=7
                 $reset expired a through=4
                 b#2 id
                 a#5 id
                 a#6 id
                 b#7 id",
            )
            .await;
    });
}

#[test]
fn a_gap_that_was_said_is_said_again_only_where_it_grows() {
    scene(async {
        let stage = Stage::new(Limits { kept: 3, ..Limits::short() });
        let cursor = stage.publish(&["a"]);
        stage.publish(&["b", "a", "a", "a", "b", "a", "c", "c"]);
        stage.trim();
        let mut stream = stage.open(&["a", "b"], Start::Resume(cursor)).await;
        let begin = stream.take(3).await;
        assert_eq!(begin, "$ready id=1 resumed a,b head=9\n$reset expired a through=3\nb#2 id\n");
        stage.publish(&["a", "a"]);
        stage.trim();
        stream
            .says(
                "a#4 id
                 $reset expired a through=5
                 b#6 id
                 a#7 id
                 a#10 id
                 a#11 id",
            )
            .await;
    });
}

#[test]
fn an_unknown_cursor_is_reset_to_the_head() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["a", "b"]);
        let mut stream = stage.open(&["a", "b"], Start::Unknown).await;
        stream
            .says(
                "$ready id=2 a,b head=2
                 $reset id=2 unknown a,b through=2",
            )
            .await;
        stage.publish(&["b"]);
        stream.says("b#3 id").await;
        assert_ne!(foreign().seq, stream.feed.session().position().seq);
    });
}

#[test]
fn the_start_is_the_oldest_retained_event_and_no_gap() {
    scene(async {
        let stage = Stage::new(Limits { kept: 2, ..Limits::short() });
        stage.publish(&["a", "a", "a", "x:1", "a", "x:1", "x:1"]);
        stage.trim();
        let mut stream = stage.open(&["a", "x:*"], oldest()).await;
        stream
            .says(
                "$ready id=0 a,x:* head=7
                 a#3 id
                 a#5 id
                 x:1#6 id
                 x:1#7 id",
            )
            .await;
    });
}

#[test]
fn the_start_is_no_gap_on_later_pages_either() {
    scene(async {
        let stage = Stage::new(Limits { kept: 2, ..Limits::short() });
        stage.publish(&["x:1", "x:1", "x:2", "x:2", "x:2", "x:2", "x:2"]);
        stage.trim();
        let mut stream = stage.open(&["x:*"], oldest()).await;
        stream
            .says(
                "$ready id=0 x:* head=7
                 x:1#1 id
                 x:1#2 id
                 x:2#6 id
                 x:2#7 id",
            )
            .await;
    });
}

#[test]
fn what_is_lost_after_the_start_is_a_gap() {
    scene(async {
        let stage = Stage::new(Limits { kept: 2, ..Limits::short() });
        let mut stream = stage.open(&["a"], oldest()).await;
        stream.says("$ready id=0 a head=0").await;
        stage.publish(&["a", "a", "a", "a", "a"]);
        stage.trim();
        stream
            .says(
                "$reset expired a through=3
                 a#4 id
                 a#5 id",
            )
            .await;
    });
}

#[test]
fn a_stream_that_was_run_over_reads_the_log_and_returns() {
    scene(async {
        let stage = Stage::new(Limits::short());
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stage.publish(&["a", "a", "b", "a", "a", "a"]);
        stream
            .says(
                "a#1 id
                 a#2 id
                 a#4 id
                 a#5 id
                 a#6 id",
            )
            .await;
        assert!(stream.feed.is_caught_up());
        stage.publish(&["a"]);
        stream.says("a#7 id").await;
    });
}

#[test]
fn a_prefix_of_which_many_channels_were_trimmed_is_named_itself() {
    scene(async {
        let stage = Stage::new(Limits { kept: 1, ..Limits::short() });
        let channels: Vec<String> = (0..70).map(|n| format!("m:{n}")).collect();
        let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
        let cursor = stage.publish(&["a"]);
        stage.publish(&channels);
        stage.publish(&channels);
        stage.trim();
        let mut stream = stage.open(&["m:*"], Start::Resume(cursor)).await;
        let begin = stream.take(3).await;
        assert_eq!(begin, "$ready id=1 resumed m:* head=141\n$reset expired m:* through=71\nm:0#72 id\n");
    });
}
