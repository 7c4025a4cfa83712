//! The example: a program of its own, whose casts are followed as they happen.

use std::net::SocketAddr;
use std::sync::Arc;

use axum_casts::{Store, app, tell_the_rest};
use serde_json::{Value, json};
use tidings_acceptance::casts::{good, read, send};
use tidings_acceptance::poll::history;
use tidings_acceptance::{Server, ServerOptions, Target};
use tidings_client::{Backoff, CastStatus, Publisher, publisher};
use tokio::net::TcpListener;

use crate::publishing;

/// The program at work, as a target for requests.
async fn program(store: &Arc<Store>, publisher: Publisher) -> Target {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let target = Target::new(listener.local_addr().unwrap(), "");
    tokio::spawn(axum::serve(listener, app(store.clone(), publisher)).into_future());
    target
}

async fn types(target: &Target, id: &str) -> Vec<String> {
    let log = history(target, &[&format!("cast:{id}")], None).await;
    log.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_the_program_does_is_told() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let store = Arc::new(Store::open(server.scratch().join("casts.json")).await.unwrap());
    let program = program(&store, Publisher::new(publishing(&target)).unwrap()).await;
    let post = async |path: String, body: Value| send(&program, "POST", &path, "", Some(&body)).await;
    let mut made = Vec::new();
    for _ in 0..2 {
        let cast = good(&post("/casts".to_owned(), json!({"userId": "user_1", "spell": "hello"})).await);
        assert_eq!(cast["isTold"], true);
        made.push(cast["id"].as_str().unwrap().to_owned());
    }
    for (id, end, body, kind) in [
        (&made[0], "complete", json!({"costCents": 250}), "COMPLETED"),
        (&made[1], "fail", json!({"errorMessage": "out of memory"}), "FAILED"),
    ] {
        for (step, body) in [("start", json!({})), ("progress", json!({"progress": 50})), (end, body)] {
            assert_eq!(good(&post(format!("/casts/{id}/{step}"), body).await)["id"], **id);
        }
        assert_eq!(types(&target, id).await, ["STATUS_CHANGED", "STARTED", "PROGRESS_UPDATE", kind]);
        assert_eq!(post(format!("/casts/{id}/start"), json!({})).await.status(), 409);
    }
    let cast = read(&target, &made[0]).await;
    assert_eq!((cast["userId"].as_str(), cast["costCents"].as_u64()), (Some("user_1"), Some(250)));
    assert!(cast["duration"].is_u64());
    assert_eq!(post("/casts/nothing/start".to_owned(), json!({})).await.status(), 404);
}

#[tokio::test]
async fn what_a_crash_left_untold_is_told_at_the_next_start() {
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let path = server.scratch().join("casts.json");
    let mut options = publishing(&target);
    options.patience = publisher::Patience { attempts: 1, ..options.patience };
    options.patience.backoff = Backoff { first: Default::default(), longest: Default::default() };
    let impatient = Publisher::new(options).unwrap();
    let store = Arc::new(Store::open(&path).await.unwrap());
    let program = program(&store, impatient).await;
    server.kill().await;
    let refused = send(&program, "POST", "/casts", "", Some(&json!({"userId": "u", "spell": "s"}))).await;
    assert_eq!(refused.status(), 503);
    server.run().await;

    let store = Store::open(&path).await.unwrap();
    let untold = store.untold().await;
    assert_eq!(untold.len(), 1);
    let publisher = Publisher::new(publishing(&target)).unwrap();
    assert_eq!(tell_the_rest(&store, &publisher).await.unwrap(), 1);
    let id = &untold[0].id;
    assert_eq!((store.untold().await.len(), read(&target, id).await["status"].clone()), (0, json!("queued")));
    // An end that was told and not marked is no error.
    let ended = store.change(id, |cast| cast.status = CastStatus::Cancelled).await.unwrap();
    publisher.publish_cast_status_change(id, &ended.user_id, ended.status).await.unwrap();
    assert_eq!(tell_the_rest(&store, &publisher).await.unwrap(), 1);
    assert_eq!(store.untold().await.len(), 0);
    assert_eq!(read(&target, id).await["status"], "cancelled");
}
