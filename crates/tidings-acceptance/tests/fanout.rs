//! One run of events to a crowd on every transport: each has all of them, in order, once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use tidings_acceptance::follower::{finish_all, goal};
use tidings_acceptance::numbered::draft;
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::{Load, Make};
use tidings_acceptance::wait::within;
use tidings_acceptance::{Ask, Follower, Records, Server, ServerOptions, Target, Transport, report};
use tokio::time::Instant;

const EVENTS: u64 = 2_000;
const CROWD: [(Transport, usize); 3] =
    [(Transport::Sse, 1_000), (Transport::Ws, 1_000), (Transport::Poll, 100)];
const CHANNEL: &str = "crowd:all";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_every_transport_has_all_events_in_order_once() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let (set_goal, goal) = goal();
    let began = Instant::now();
    let mut crowd = Vec::new();
    for (transport, count) in CROWD {
        // A hundred at a time, so that the test itself does not overflow the listener's queue.
        for _ in 0..count {
            crowd.push(Follower::start(&target, transport, &Ask::of(&[CHANNEL]), &goal));
            if crowd.len() % 100 == 0 {
                joined(&mut crowd).await;
            }
        }
    }
    joined(&mut crowd).await;
    report(format!("fanout: {} subscribers joined in {:.1?}", crowd.len(), began.elapsed()));

    let began = Instant::now();
    let make: Make = Arc::new(|n| draft(CHANNEL, n, 100));
    let load = Load::start(&target, 32, 1_000, 1, EVENTS, &make);
    let attempts = within(Duration::from_secs(60), "all events to be published", load.done()).await;
    let records = Records::new(attempts, &history(&target, &["*"], None).await);
    let published = began.elapsed();
    assert_eq!(records.log().len() as u64, EVENTS);
    set_goal.send_replace(records.head());
    let journals = finish_all(crowd, Duration::from_secs(60)).await;
    report(format!(
        "fanout: published in {published:.1?}, everybody had everything after {:.1?}",
        began.elapsed()
    ));

    let verdict = records.judge(&journals, true);
    verdict.expect_clean("fanout");
    let expected: usize = CROWD.iter().map(|(_, count)| count * usize::try_from(EVENTS).unwrap()).sum();
    assert_eq!((verdict.received, verdict.resumed), (expected, 0));
    check_metrics(&target).await;
}

async fn joined(crowd: &mut [Follower]) {
    let all = async {
        for follower in crowd {
            follower.opened(1).await;
        }
    };
    within(Duration::from_secs(30), "the crowd to join", all).await;
}

/// The server has not had to end any of the streams itself.
async fn check_metrics(target: &Target) {
    let answer = tidings_acceptance::http::ask(target, "GET", "/metrics", None).await.unwrap();
    let text = String::from_utf8(answer.body).unwrap();
    assert!(!text.contains("write_stalled"), "{text}");
}
