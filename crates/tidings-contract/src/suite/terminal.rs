//! Terminal events: nothing follows on the channel, until its name is free again.

use std::time::Duration;

use tidings_core::port::Directory;
use tidings_core::port::store::Policy;
use tidings_protocol::{Draft, ErrorCode, Seq};

use super::Harness;
use super::kit::{Bench, DAY, HOUR, draft, tenant, terminal, with_also};

const MINUTE: Duration = Duration::from_secs(60);

/// A later event on the channel is refused, as its channel or as a further one; other names are not touched.
pub async fn nothing_follows_a_terminal_event(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let other = tenant("other");
    bench.node().add_tenant(&other).await.unwrap();
    bench.publish(terminal("a:1")).await;
    for late in [draft("a:1"), terminal("a:1"), with_also("b", &["a:1"]), with_also("b", &["c", "a:1"])] {
        assert_eq!(bench.refusal(vec![late]).await, ErrorCode::ChannelEnded);
    }
    for fine in ["a", "a:1:x", "a:2", "A:1"] {
        bench.publish(draft(fine)).await;
    }
    bench.publish_for(&other, vec![draft("a:1")]).await.unwrap();
    let events = bench.read_all(&["*"]).await;
    assert_eq!(events.len(), 5);
    assert_eq!(
        events.iter().map(|event| event.terminal).collect::<Vec<_>>(),
        [true, false, false, false, false]
    );
}

/// A terminal event ends its own channel alone.
pub async fn further_channels_of_a_terminal_event_go_on(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(Draft { terminal: true, ..with_also("a", &["all", "user:1"]) }).await;
    bench.publish(draft("all")).await;
    bench.publish(with_also("b", &["user:1"])).await;
    assert_eq!(bench.refusal(vec![with_also("all", &["a"])]).await, ErrorCode::ChannelEnded);
    assert_eq!(bench.numbers(&["all", "user:*"]).await, [1, 2, 3]);
}

/// Within a batch, too, nothing follows the terminal event on its channel.
pub async fn a_batch_ends_with_its_terminal_event(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for late in [draft("a"), terminal("a"), with_also("b", &["a"])] {
        assert_eq!(bench.refusal(vec![draft("b"), terminal("a"), late]).await, ErrorCode::ChannelEnded);
    }
    assert_eq!(bench.bounds().await.head.seq, Seq::ZERO);
    bench.try_publish(vec![draft("a"), terminal("a"), draft("b"), terminal("b")]).await.unwrap();
    assert_eq!(bench.numbers(&["*"]).await, [1, 2, 3, 4]);
}

/// The terminal event of a batch that is refused ends nothing.
pub async fn a_refused_batch_ends_nothing(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(terminal("over")).await;
    assert_eq!(bench.refusal(vec![terminal("a"), draft("over")]).await, ErrorCode::ChannelEnded);
    bench.publish(draft("a")).await;
}

/// What has ended has ended also after a restart.
pub async fn an_ended_channel_stays_ended_over_a_restart(harness: impl Harness) {
    let mut bench = Bench::start(harness).await;
    bench.publish(terminal("a")).await;
    bench.restart().await;
    assert_eq!(bench.refusal(vec![draft("a")]).await, ErrorCode::ChannelEnded);
    bench.publish(draft("b")).await;
}

/// The name stays taken for a day and for the retention age after the terminal event has gone, the longer of the two
/// at least; for both together at most.
pub async fn the_mark_outlives_the_event_then_the_name_is_free(harness: impl Harness) {
    let age = 2 * DAY;
    let policy = Policy { retention_age: age, ..Policy::default() };
    let mut bench = Bench::start_with(harness, policy).await;
    bench.publish(terminal("a")).await;
    bench.advance(age + MINUTE).await;
    bench.trim().await;
    assert_eq!(bench.numbers(&["a"]).await, [0; 0]);
    for _ in 0..2 {
        assert_eq!(bench.refusal(vec![draft("a")]).await, ErrorCode::ChannelEnded);
        bench.advance(age / 2 - MINUTE).await;
        bench.trim().await;
        bench.restart().await;
        assert_eq!(bench.refusal(vec![with_also("b", &["a"])]).await, ErrorCode::ChannelEnded);
    }
    bench.advance(DAY + HOUR).await;
    bench.trim().await;
    assert_eq!(bench.publish(draft("a")).await.id.seq, Seq(2));
    bench.publish(terminal("a")).await;
    assert_eq!(bench.refusal(vec![draft("a")]).await, ErrorCode::ChannelEnded);
}
