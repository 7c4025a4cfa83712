//! The server is asked to leave while streams, polls and publishes are under way: everybody is told, nothing is lost,
//! and it is gone in time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tidings_acceptance::follower::{finish_all, goal};
use tidings_acceptance::http::{Answer, Connection, ask, request};
use tidings_acceptance::numbered::draft;
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::{Load, Make};
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{
    Ask, Entry, Follower, Journal, Outcome, Records, Server, ServerOptions, Target, Transport, report,
};
use tidings_protocol::ws::CloseCode;
use tokio::time::Instant;

const STREAMS: usize = 300;
const POLLS: usize = 50;
const DRAIN: Duration = Duration::from_secs(5);
const BUSY: &str = "drain:busy";
const QUIET: &str = "drain:quiet";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_told_and_nothing_is_lost() {
    let options = ServerOptions::new().set("drain.timeout", "5s").set("stream.heartbeat", "1s");
    let mut server = Server::start(options).await;
    let target = server.master().await;
    let (set_goal, goal) = goal();
    let transport = |index: usize| if index.is_multiple_of(2) { Transport::Sse } else { Transport::Ws };
    let channel = |index: usize| if index % 10 < 8 { BUSY } else { QUIET };
    let mut streams: Vec<Follower> = (0..STREAMS)
        .map(|index| Follower::start(&target, transport(index), &Ask::of(&[channel(index)]), &goal))
        .collect();
    for stream in &mut streams {
        within(Duration::from_secs(30), "a stream to open", stream.opened(1)).await;
    }
    let mut waiting = Vec::new();
    for _ in 0..POLLS {
        waiting.push(tokio::spawn(wait_on_quiet(target.clone())));
    }
    attached(&target, STREAMS + POLLS).await;
    let rude = [rude_client(&target, "/v1/events", "").await, rude_client(&target, "/v1/ws", UPGRADE).await];
    attached(&target, STREAMS + POLLS + rude.len()).await;
    // Polls on the busy channel are answered and sent again all the time.
    let polls: Vec<Follower> =
        (0..POLLS).map(|_| Follower::start(&target, Transport::Poll, &Ask::of(&[BUSY]), &goal)).collect();
    let make: Make = Arc::new(|n| draft(if n.is_multiple_of(100) { "drain:else" } else { BUSY }, n, 100));
    let load = Load::start(&target, 16, 500, 1, u64::MAX / 2, &make);
    load.has_acked(500, Duration::from_secs(30)).await;

    let flying = until(Duration::from_secs(10), "publishes in flight", async || {
        let flying = load.in_flight();
        (flying > 0).then_some(flying)
    });
    let flying = flying.await;
    let asked = Instant::now();
    server.terminate();
    let status = server.ended(DRAIN).await;
    let took = asked.elapsed();
    assert!(status.success(), "the server ended with {status}");
    for poll in waiting {
        check_poll(&within(Duration::from_secs(5), "the answer to a poll", poll).await.unwrap());
    }
    let told = until(Duration::from_secs(5), "every stream to have read its end", async || {
        let told: Vec<Journal> = streams.iter().map(Follower::seen).collect();
        told.iter().all(|journal| journal.end().is_some() || journal.cuts > 0).then_some(told)
    });
    let told = told.await;
    server.run().await;
    load.has_acked(load.acked() + 300, Duration::from_secs(30)).await;
    let attempts = within(Duration::from_secs(30), "the publishers to end", load.stop()).await;

    let spread = check_ends(&told);
    let unanswered: Vec<_> =
        attempts.iter().filter(|attempt| matches!(attempt.outcome, Outcome::Unknown(_))).collect();
    let refused = attempts.iter().filter(|attempt| attempt.outcome.is_refused("server_shutdown")).count();
    report(format!(
        "drain: {STREAMS} streams told to come back in {}..{} ms ({} different), {POLLS} waiting polls answered with 200, \
         {flying} publishes in flight ({refused} refused, {} unanswered); gone after {took:.1?} of {DRAIN:?}",
        spread.iter().min().unwrap(),
        spread.iter().max().unwrap(),
        spread.len(),
        unanswered.len(),
    ));
    assert!(unanswered.is_empty(), "publishes without an answer: {unanswered:?}");

    let records = Records::new(attempts, &history(&target, &["*"], None).await);
    set_goal.send_replace(records.head());
    let mut journals = finish_all(streams, Duration::from_secs(60)).await;
    journals.extend(finish_all(polls, Duration::from_secs(30)).await);
    let verdict = records.judge(&journals, true);
    verdict.expect_clean("drain");
    assert_eq!(verdict.announced, 0);
    assert!(verdict.resumed >= STREAMS + POLLS, "everybody came back");
}

/// A poll that has nothing to answer but that the server leaves.
async fn wait_on_quiet(target: Target) -> Answer {
    let mut connection = Connection::open(target.address).await.unwrap();
    let path = format!("/v1/poll?channel={QUIET}");
    let head = connection.exchange(&request(&target, "GET", &path, "", None)).await.unwrap().json();
    let cursor = head["cursor"].as_str().unwrap();
    let path = format!("{path}&after={cursor}&wait=60");
    connection.exchange(&request(&target, "GET", &path, "", None)).await.expect("an answer to a poll")
}

fn check_poll(answer: &Answer) {
    let body = answer.json();
    assert_eq!(answer.status(), 200, "{body}");
    assert_eq!((&body["events"], &body["resets"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert!(body["cursor"].as_str().is_some_and(|cursor| cursor.parse::<tidings_protocol::Cursor>().is_ok()));
}

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// Opens a stream, and then neither reads nor closes.
async fn rude_client(target: &Target, path: &str, more: &str) -> Connection {
    let mut connection = Connection::open(target.address).await.unwrap();
    let path = format!("{path}?channel={BUSY}");
    connection.send(&request(target, "GET", &path, more, None)).await.unwrap();
    connection
}

/// Waits until so many sessions are at the head.
async fn attached(target: &Target, count: usize) {
    let wanted = format!("tidings_sessions_attached {count}");
    let read = async || {
        let answer = ask(target, "GET", "/metrics", None).await.ok()?;
        String::from_utf8(answer.body).ok()?.lines().any(|line| line == wanted).then_some(())
    };
    until(Duration::from_secs(10), &format!("{count} sessions at the head"), read).await;
}

/// Every stream had its `$end` with its position, and after that at most refusals; the delays that were named.
fn check_ends(journals: &[Journal]) -> HashSet<u64> {
    let mut spread = HashSet::new();
    for journal in journals {
        let is_end = |entry: &Entry| matches!(entry, Entry::End { .. });
        let first = journal.entries.iter().position(is_end).expect("an end");
        for (index, entry) in journal.entries[first..].iter().enumerate() {
            let Entry::End { reason, after, id } = entry else {
                panic!("{:?}: {entry:?}", journal.transport)
            };
            assert_eq!(reason, "server_shutdown");
            assert_eq!(
                *id,
                journal.cursor.filter(|_| index == 0),
                "the position stands beside it, unless it refuses"
            );
            assert!(after.is_some(), "a time to stay away");
            spread.extend(after.filter(|_| index == 0));
        }
        assert_eq!(journal.cuts, 0, "{:?}: closed in order", journal.transport);
        if journal.transport == Transport::Ws {
            assert!(
                !journal.codes.is_empty() && journal.codes.iter().all(|code| *code == CloseCode::LATER.get())
            );
        }
        let is_known = |(status, code): &(u16, String)| (*status, code.as_str()) == (503, "server_shutdown");
        assert!(journal.refusals.iter().all(is_known), "{:?}", journal.refusals);
    }
    assert!(spread.len() > journals.len() / 10, "they would come back all at once: {spread:?}");
    spread
}
