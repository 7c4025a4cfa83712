//! A client over HTTP/2 that stops taking bytes: every deadline holds all the same.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A stream whose client has taken its first piece and takes nothing more; and its connection, which ends by itself.
async fn stalled(target: &Target) -> (Response<Incoming>, JoinHandle<()>) {
    let socket = TcpStream::connect(target.address).await.unwrap();
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(1_024);
    let (mut requests, connection) = client.handshake(TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = Request::get("http://tidings/v1/events?channel=stall")
        .header("authorization", format!("Bearer {}", target.key))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut stream = requests.send_request(request).await.unwrap();
    assert_eq!(stream.status(), 200);
    stream.body_mut().frame().await.unwrap().unwrap();
    (stream, connection)
}

async fn offer(target: &Target) {
    let mut lane = Lane::new(target);
    for _ in 0..20 {
        lane.expect(&json!({"channel": "stall", "type": "t", "data": "x".repeat(8_000)})).await;
    }
}

async fn no_stream_is_left(server: &Server, what: &str) {
    until(Duration::from_secs(5), what, async || {
        (Figures::read(server.address()).await.streams() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_that_takes_nothing_for_the_write_timeout_loses_its_connection() {
    let server = Server::start(ServerOptions::new().set("stream.write_timeout", "1s")).await;
    let target = server.master().await;
    let (_stream, connection) = stalled(&target).await;
    offer(&target).await;
    no_stream_is_left(&server, "the stalled stream to be given back").await;
    tokio::time::timeout(Duration::from_secs(5), connection).await.expect("the connection is cut").unwrap();
    report("a stalled stream over HTTP/2 was cut after its write timeout");
}

#[tokio::test]
async fn a_revoked_key_ends_it_within_its_last_moment() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let made = server.json(&["key", "create", "--name", "stalls", "--grant", "subscribe:*"]).await;
    let reader = Target::new(target.address, made["key"].as_str().unwrap());
    let (_stream, _connection) = stalled(&reader).await;
    offer(&target).await;
    server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
    no_stream_is_left(&server, "the revoked stream to be given back").await;
    report("a stalled stream over HTTP/2 ended with its key");
}

#[tokio::test]
async fn it_does_not_keep_the_server_from_leaving() {
    let mut server = Server::start(ServerOptions::new().set("stream.write_timeout", "30s")).await;
    let target = server.master().await;
    let (_stream, _connection) = stalled(&target).await;
    offer(&target).await;
    server.terminate();
    let status = server.ended(Duration::from_secs(16)).await;
    assert!(status.success());
    report("a stalled stream over HTTP/2 was left behind when the server left");
}
