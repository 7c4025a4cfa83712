//! `kill -9`, again and again, under publishers and subscribers that come back: nothing acknowledged is lost, nothing
//! comes twice or out of order, no gap is silent.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tidings_acceptance::follower::{finish_all, goal};
use tidings_acceptance::numbered::draft;
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::{Load, Make};
use tidings_acceptance::report::random;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Ask, Follower, Outcome, Records, Server, ServerOptions, Transport, report};

const KILLS: usize = 20;
const SUBSCRIBERS: usize = 200;
const RATE: u64 = 500;
const CHANNELS: u64 = 8;

/// Every fourth follows everything, the others a channel each; cursors go by query or by header.
fn ask(index: usize) -> Ask {
    let channel = match index % 4 {
        0 => "crash:*".to_owned(),
        _ => format!("crash:{}", index as u64 % CHANNELS),
    };
    Ask { by_header: index.is_multiple_of(2), ..Ask::of(&[&channel]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_nine() {
    let mut random = random("crash");
    let mut server = Server::start(ServerOptions::new().set("stream.heartbeat", "1s")).await;
    let target = server.master().await;
    let (set_goal, goal) = goal();
    let mut followers: Vec<Follower> = (0..SUBSCRIBERS)
        .map(|index| Follower::start(&target, Transport::nth(index), &ask(index), &goal))
        .collect();
    all_open(&mut followers, 1).await;
    let make: Make = Arc::new(|n| draft(&format!("crash:{}", n % CHANNELS), n, 60 + (n % 50) as usize * 20));
    let load = Load::start(&target, 16, RATE, 1, u64::MAX / 2, &make);

    let (mut struck, mut flying) = (0, 0);
    for kill in 0..KILLS {
        let more = random.random_range(100..300);
        load.has_acked(load.acked() + more, Duration::from_secs(30)).await;
        let in_flight = until(Duration::from_secs(10), "a publish to be in flight", async || {
            let in_flight = load.in_flight();
            (in_flight > 0).then_some(in_flight)
        });
        flying += in_flight.await;
        struck += 1;
        server.kill().await;
        server.run().await;
        if kill % 2 == 0 {
            // Whoever is back now is cut again; else some are still on their way.
            all_open(&mut followers, 2 + kill / 2).await;
        }
    }
    load.has_acked(load.acked() + 200, Duration::from_secs(30)).await;
    let attempts = within(Duration::from_secs(60), "the publishers to end", load.stop()).await;
    let cut = attempts.iter().filter(|attempt| matches!(attempt.outcome, Outcome::Unknown(_))).count();
    let records = Records::new(attempts, &history(&target, &["*"], None).await);
    set_goal.send_replace(records.head());
    let journals = finish_all(followers, Duration::from_secs(60)).await;
    report(format!(
        "crash: {KILLS} kills, {struck} of them with something in flight ({flying} publishes); {cut} publishes cut off; \
         {} connections broke",
        journals.iter().map(|journal| journal.cuts).sum::<usize>()
    ));
    assert!(struck > 0 && cut > 0, "no kill struck anything");
    let verdict = records.judge(&journals, true);
    verdict.expect_clean("crash");
    assert_eq!(verdict.announced, 0, "no crash makes a gap");
    assert!(verdict.resumed >= SUBSCRIBERS, "hardly anybody resumed");
}

async fn all_open(followers: &mut [Follower], times: usize) {
    let all = async {
        for follower in followers {
            follower.opened(times).await;
        }
    };
    within(Duration::from_secs(30), "the subscribers to be back", all).await;
}
