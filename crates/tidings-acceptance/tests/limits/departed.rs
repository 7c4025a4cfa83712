//! Polls whose clients went away while they waited.

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::PATIENCE;

/// So many wait at once.
const POLLS: u64 = 30;

async fn waiting(target: &Target) -> u64 {
    Figures::read(target.address).await.sum("tidings_sessions_attached", "")
}

async fn until_waiting(target: &Target, polls: u64) {
    tidings_acceptance::wait::until(PATIENCE, &format!("{polls} polls that wait"), async || {
        (waiting(target).await == polls).then_some(())
    })
    .await;
}

async fn poll(target: &Target, cursor: &str) -> Connection {
    let path = format!("/v1/poll?channel=a&after={cursor}&wait=60");
    let mut connection = Connection::open(target.address).await.unwrap();
    connection.send(&request(target, "GET", &path, "", None)).await.unwrap();
    connection
}

#[tokio::test]
async fn a_poll_waits_for_as_long_as_its_client_is_there() {
    let server = Server::start(ServerOptions::unlimited()).await;
    let master = server.master().await;
    let cursor = Lane::new(&master).expect(&json!({"channel": "a", "type": "t", "data": 0})).await;
    let cursor = cursor[0].to_string();
    let mut stays = poll(&master, &cursor).await;
    let mut leaves = Vec::new();
    for _ in 0..POLLS {
        leaves.push(poll(&master, &cursor).await);
    }
    until_waiting(&master, POLLS + 1).await;
    let began = Instant::now();
    for (n, connection) in leaves.into_iter().enumerate() {
        if n % 2 == 0 { connection.reset() } else { drop(connection) }
    }
    until_waiting(&master, 1).await;
    let took = began.elapsed();

    // Who says no more, but reads, is answered at once with what there is.
    let mut half = poll(&master, &cursor).await.into_stream();
    half.shutdown().await.unwrap();
    let mut answer = String::new();
    within(Duration::from_secs(10), "an answer", half.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"events\":[]"), "{answer}");

    // Who asks for more meanwhile is answered in order.
    let mut asks = poll(&master, &cursor).await;
    asks.send(&request(&master, "GET", "/healthz", "", None)).await.unwrap();
    until_waiting(&master, 2).await;
    Lane::new(&master).expect(&json!({"channel": "a", "type": "t", "data": "for who stayed"})).await;
    for connection in [&mut stays, &mut asks] {
        let head = within(PATIENCE, "an answer", connection.head()).await.unwrap();
        let body = connection.body(&head).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("for who stayed"));
    }
    let head = within(PATIENCE, "the next answer", asks.head()).await.unwrap();
    assert_eq!(asks.body(&head).await.unwrap(), br#"{"status":"ok"}"#);
    report(format!(
        "limits: {POLLS} polls of 60 s ended {took:?} after their clients had gone, and none else"
    ));
}
