//! Heartbeats, deadlines, and ends.

use std::time::Duration;

use tidings_core::hub::Signal;
use tidings_core::session::{JoinAt, Start};
use tidings_protocol::EndReason;
use tidings_protocol::time::Timestamp;

use super::stage::{Limits, Stage, join, oldest, scene};

#[test]
fn a_heartbeat_says_where_the_position_is_and_whether_it_moved() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stream.wait(30);
        stream.says("heartbeat same=0").await;
        stage.publish(&["b", "b"]);
        stream.wait(30);
        stream.says("heartbeat moved=2").await;
        stage.publish(&["a"]);
        stream.says("a#3 id").await;
        stream.wait(29);
        stream.says("").await;
        stream.wait(1);
        stream.says("heartbeat same=3").await;
    });
}

#[test]
fn a_heartbeat_while_joining_has_no_position() {
    scene(async {
        let stage = Stage::new(Limits { page_events: 1, ..Limits::default() });
        let floor = stage.floor();
        stage.publish(&["b", "b"]);
        let mut stream = stage.open(&["a"], Start::Head).await;
        let _answer = stream.change(vec![join("b", JoinAt::After(floor))], &[]);
        assert_eq!(stream.take(2).await, "$ready id=2 a head=2\n$subscribed b from=0\n");
        // The page is asked for, and has not come.
        let frame =
            stream.feed.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()), Duration::ZERO);
        assert!(frame.is_pending());
        stream.wait(30);
        stream
            .says(
                "heartbeat
                 b#1
                 b#2
                 $joined id=2 b",
            )
            .await;
    });
}

#[test]
fn a_stream_lives_as_long_as_it_may() {
    scene(async {
        let mut limits = Limits::default();
        limits.session.lifetime = Some(Duration::from_secs(20));
        let stage = Stage::new(limits);
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stage.publish(&["b"]);
        assert_eq!(stream.feed.next_deadline(), Some(Duration::from_secs(20)));
        stream.wait(20);
        stage.publish(&["a"]);
        stream
            .says(
                "$end id=1 lifetime now
                 over",
            )
            .await;
        assert_eq!(stream.feed.next_deadline(), None);
    });
}

#[test]
fn a_credential_that_ends_is_announced_and_ends_the_stream() {
    scene(async {
        let stage = Stage::new(Limits { expires: Some(100), ..Limits::default() });
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stream.wait(40);
        stream.says("$expiring at=1000").await;
        stream.wait(60);
        stream
            .says(
                "$end id=0 expired auth
                 over",
            )
            .await;
    });
}

#[test]
fn a_renewed_credential_carries_the_stream_on() {
    scene(async {
        let stage = Stage::new(Limits { expires: Some(70), ..Limits::default() });
        let mut stream = stage.open(&["a"], Start::Head).await;
        stream.says("$ready id=0 a head=0").await;
        stream.wait(20);
        stream.says("$expiring at=1000").await;
        for at in [2_000, 3_000] {
            stream.signal(Signal::Credential(Some(Timestamp(at)), Some(Duration::from_secs(100))));
        }
        stream.says("").await;
        stream.wait(50);
        stream.says("$expiring at=3000").await;
        stream.signal(Signal::Credential(None, None));
        stream.says("").await;
        stream.wait(1_000);
        stream.says("heartbeat same=0").await;
    });
}

#[test]
fn a_stream_that_takes_no_byte_is_cut_without_a_word() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a"], Start::Head).await;
        stage.publish(&["a", "a"]);
        assert_eq!(stream.take(2).await, "$ready id=0 a head=0\na#1 id\n");
        stream.block();
        stream.wait(20);
        stream.feed.progress(Duration::from_secs(20));
        stream.block();
        stream.wait(29);
        assert!(!stream.feed.session().is_over());
        stream.wait(1);
        stream.says("abort write_stalled").await;
        assert_eq!(stream.take(1).await, "over\n");
    });
}

#[test]
fn an_end_passes_over_what_waits_and_says_from_where_to_go_on() {
    scene(async {
        let stage = Stage::new(Limits::default());
        let mut stream = stage.open(&["a"], Start::Head).await;
        stage.publish(&["a", "a", "a"]);
        assert_eq!(stream.take(2).await, "$ready id=0 a head=0\na#1 id\n");
        stream.signal(Signal::End(EndReason::ServerShutdown, Some(Duration::from_millis(1_500))));
        stage.publish(&["a"]);
        stream
            .says(
                "$end id=1 server_shutdown later after=1500
                 over",
            )
            .await;
        let cursor = stream.feed.session().position();
        let mut stream = stage.open(&["a"], Start::Resume(cursor)).await;
        stream
            .says(
                "$ready id=1 resumed a head=4
                 a#2 id
                 a#3 id
                 a#4 id",
            )
            .await;
    });
}

#[test]
fn an_end_at_once_does_not_hide_that_a_cursor_was_unknown() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["a"]);
        let mut stream = stage.open(&["a"], Start::Unknown).await;
        stream.signal(Signal::End(EndReason::SignedOut, None));
        stream
            .says(
                "$ready id=1 a head=1
                 $reset id=1 unknown a through=1
                 $end id=1 signed_out auth
                 over",
            )
            .await;
    });
}

#[test]
fn a_stream_may_begin_with_no_channel() {
    scene(async {
        let stage = Stage::new(Limits::default());
        stage.publish(&["a"]);
        let mut stream = stage.open(&[], oldest()).await;
        stream.says("$ready id=0  head=1").await;
        stream.wait(30);
        stream.says("heartbeat moved=1").await;
    });
}
