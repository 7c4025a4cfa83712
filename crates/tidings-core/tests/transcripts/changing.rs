//! Changing a live stream: adding channels with and without what they missed, removing them, losing the right to them.

use tidings_core::hub::Signal;
use tidings_core::session::{JoinAt, Start};
use tidings_protocol::{EndReason, ErrorCode};

use super::stage::{Limits, Stage, Stream, join, patterns, scene};

/// A stream of `a` at the head, which has said `$ready`.
async fn at_head(stage: &Stage) -> Stream {
    let mut stream = stage.open(&["a"], Start::Head).await;
    assert!(stream.take(1).await.starts_with("$ready"));
    stream
}

#[test]
fn a_channel_joins_where_the_stream_is() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["b"]);
        let mut stream = at_head(&stage).await;
        stage.publish(&["b"]);
        let answer = stream.change(vec![join("b", JoinAt::Here)], &[]);
        stream
            .says(
                "$subscribed b from=2
                 $joined id=2 b",
            )
            .await;
        assert_eq!(answer.await.unwrap().added, patterns(&["b"]));
        stage.publish(&["b", "a"]);
        stream
            .says(
                "b#3 id
                 a#4 id",
            )
            .await;
    });
}

#[test]
fn a_channel_joins_with_what_it_missed_but_for_what_another_covered() {
    scene(async {
        let stage = Stage::new(Limits::short());
        let since = stage.publish(&["b"]);
        let mut stream = at_head(&stage).await;
        stage.publish(&["b", "b+a", "a", "a+b", "b"]);
        stream
            .says(
                "b+a#3 id
                 a#4 id
                 a+b#5 id",
            )
            .await;
        let changed = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        stream
            .says(
                "$subscribed b from=1
                 b#2
                 b#6
                 $joined id=6 b",
            )
            .await;
        assert!(changed.await.unwrap().refused.is_empty());
        stage.publish(&["b"]);
        stream.says("b#7 id").await;
    });
}

#[test]
fn events_of_other_channels_wait_for_a_join() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let since = stage.floor();
        stage.publish(&["b", "b"]);
        let mut stream = at_head(&stage).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        assert_eq!(stream.take(2).await, "$subscribed b from=0\nb#1\n");
        stage.publish(&["a", "b"]);
        stream
            .says(
                "b#2
                 $joined id=2 b
                 a#3 id
                 b#4 id",
            )
            .await;
    });
}

#[test]
fn a_cut_before_joined_is_made_good_with_the_cursor_and_the_same_since() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let since = stage.floor();
        stage.publish(&["b", "b"]);
        let mut stream = at_head(&stage).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        assert_eq!(stream.take(2).await, "$subscribed b from=0\nb#1\n");
        let cursor = stream.feed.session().position();
        drop(stream);
        stage.publish(&["a", "b"]);
        let mut stream = stage.open(&["a"], Start::Resume(cursor)).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        stream
            .says(
                "$ready id=2 resumed a head=4
                 a#3 id
                 $subscribed b from=0
                 b#1
                 b#2
                 b#4
                 $joined id=4 b",
            )
            .await;
    });
}

#[test]
fn an_unknown_since_resets_the_channel_alone_and_moves_no_id() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["b"]);
        let mut stream = at_head(&stage).await;
        let _answer = stream.change(vec![join("b", JoinAt::Unknown)], &[]);
        stream
            .says(
                "$subscribed b from=1
                 $reset unknown b through=1
                 $joined id=1 b",
            )
            .await;
    });
}

#[test]
fn channels_with_different_beginnings_join_one_after_the_other() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let floor = stage.floor();
        let one = stage.publish(&["b+c"]);
        stage.publish(&["b", "c", "d"]);
        let mut stream = at_head(&stage).await;
        let joins = vec![
            join("b", JoinAt::After(one)),
            join("c", JoinAt::After(floor)),
            join("d", JoinAt::After(one)),
        ];
        let _answer = stream.change(joins, &[]);
        stream
            .says(
                "$subscribed b,d from=1
                 b#2
                 d#4
                 $joined id=4 b,d
                 $subscribed c from=0
                 b+c#1
                 c#3
                 $joined id=4 c",
            )
            .await;
    });
}

#[test]
fn a_join_is_told_what_retention_has_removed() {
    scene(async {
        let stage = Stage::new(Limits { kept: 1, ..Limits::short() });
        let since = stage.publish(&["b"]);
        stage.publish(&["b", "b", "b"]);
        let floor = stage.floor();
        stage.trim();
        let mut stream = at_head(&stage).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        stream
            .says(
                "$subscribed b from=1
                 $reset expired b through=3
                 b#4
                 $joined id=4 b",
            )
            .await;
        let _answer = stream.change(vec![join("c", JoinAt::Oldest(floor))], &["b"]);
        stream
            .says(
                "$subscribed c from=0
                 $joined id=4 c",
            )
            .await;
        let _answer = stream.change(vec![join("b", JoinAt::Oldest(floor))], &[]);
        stream
            .says(
                "$subscribed b from=0
                 b#4
                 $joined id=4 b",
            )
            .await;
    });
}

#[test]
fn what_a_gap_kept_from_one_channel_is_given_to_another() {
    scene(async {
        let stage = Stage::new(Limits { kept: 1, ..Limits::short() });
        let since = stage.floor();
        stage.publish(&["a+b", "a"]);
        stage.trim();
        let mut stream = stage.open(&["a"], Start::Resume(since)).await;
        stream
            .says(
                "$ready id=0 resumed a head=2
                 $reset expired a through=1
                 a#2 id",
            )
            .await;
        let _answer = stream.change(vec![join("b", JoinAt::After(since))], &[]);
        stream
            .says(
                "$subscribed b from=0
                 a+b#1
                 $joined id=2 b",
            )
            .await;
    });
}

#[test]
fn a_removed_channel_gives_nothing_more() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a", "b"], Start::Head).await;
        stream.says("$ready id=0 a,b head=0").await;
        let answer = stream.change(Vec::new(), &["b", "c"]);
        stage.publish(&["b", "a"]);
        stream
            .says(
                "b#1 id
                 a#2 id",
            )
            .await;
        assert!(answer.await.unwrap().added.is_empty());
        stage.publish(&["b", "a"]);
        stream.says("a#4 id").await;
    });
}

#[test]
fn one_channel_too_many_is_refused_and_the_rest_holds() {
    scene(async {
        let mut limits = Limits::default();
        limits.session.max_channels = 2;
        let stage = Stage::new(limits);
        let mut stream = at_head(&stage).await;
        let joins = ["b", "c", "a"].map(|name| join(name, JoinAt::Here)).to_vec();
        let answer = stream.change(joins, &[]);
        stream
            .says(
                "$subscribed b,a from=0
                 $joined id=0 b,a",
            )
            .await;
        let answer = answer.await.unwrap();
        assert_eq!(answer.added, patterns(&["b", "a"]));
        assert_eq!(answer.refused, [(patterns(&["c"]).remove(0), ErrorCode::TooManyChannels)]);
    });
}

#[test]
fn a_lost_right_strikes_what_waits() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a", "b"], Start::Head).await;
        stage.publish(&["a", "b", "a+b", "b"]);
        assert_eq!(stream.take(2).await, "$ready id=0 a,b head=0\na#1 id\n");
        stream.signal(Signal::Unauthorize(patterns(&["b"])));
        stream
            .says(
                "$reset unauthorized b
                 a+b#3 id",
            )
            .await;
        stage.publish(&["b", "a"]);
        stream.says("a#6 id").await;
    });
}

#[test]
fn a_right_that_ends_while_joining_leaves_the_rest_to_join() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let floor = stage.floor();
        stage.publish(&["b", "c", "b", "c"]);
        let mut stream = at_head(&stage).await;
        let joins = vec![join("b", JoinAt::After(floor)), join("c", JoinAt::After(floor))];
        let _answer = stream.change(joins, &[]);
        assert_eq!(stream.take(2).await, "$subscribed b,c from=0\nb#1\n");
        stream.signal(Signal::Unauthorize(patterns(&["b"])));
        stream
            .says(
                "$reset unauthorized b
                 c#2
                 c#4
                 $joined id=4 c",
            )
            .await;
    });
}

#[test]
fn a_change_that_waits_adds_nothing_whose_right_has_ended() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let floor = stage.floor();
        stage.publish(&["b", "b"]);
        let mut stream = at_head(&stage).await;
        let _first = stream.change(vec![join("b", JoinAt::After(floor))], &[]);
        let second = stream.change(vec![join("c", JoinAt::Here), join("d", JoinAt::Here)], &[]);
        assert_eq!(stream.take(1).await, "$subscribed b from=0\n");
        stream.signal(Signal::Unauthorize(patterns(&["c"])));
        stream
            .says(
                "b#1
                 b#2
                 $joined id=2 b
                 $subscribed d from=2
                 $joined id=2 d",
            )
            .await;
        assert_eq!(second.await.unwrap().added, patterns(&["d"]));
    });
}

#[test]
fn without_a_right_left_the_stream_ends() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a", "b"], Start::Head).await;
        stage.publish(&["a", "b"]);
        assert_eq!(stream.take(2).await, "$ready id=0 a,b head=0\na#1 id\n");
        stream.signal(Signal::Unauthorize(patterns(&["a", "b"])));
        stream
            .says(
                "$end id=1 revoked auth
                 over",
            )
            .await;
    });
}

#[test]
fn an_end_while_joining_carries_no_id() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let floor = stage.floor();
        stage.publish(&["b", "b"]);
        let mut stream = at_head(&stage).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(floor))], &[]);
        assert_eq!(stream.take(2).await, "$subscribed b from=0\nb#1\n");
        stream.wait(30);
        stream.signal(Signal::End(EndReason::ServerShutdown, Some(std::time::Duration::from_secs(2))));
        stream
            .says(
                "$end server_shutdown later after=2000
                 over",
            )
            .await;
    });
}

#[test]
fn only_so_many_changes_wait() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let stream = at_head(&stage).await;
        let ask = || {
            let (reply, _) = tokio::sync::oneshot::channel();
            Signal::Change { add: Vec::new(), remove: Vec::new(), reply }
        };
        let taken = (0..100).filter(|_| stream.feed.mailbox().signal(ask())).count();
        assert_eq!(taken, 16);
        stream.signal(Signal::End(EndReason::Lifetime, None));
    });
}
