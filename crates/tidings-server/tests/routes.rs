//! The description of the API against the router that serves it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::hub::{Hub, HubLimits};
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::store::{Batch, Commits, Policy};
use tidings_protocol::time::Timestamp;
use tidings_server::jwt::Verifier;
use tidings_server::{App, Config, Parts, routes};
use tower::ServiceExt;

/// Tells the hub that is made after the store.
#[derive(Default)]
struct Relay(OnceLock<Arc<Hub>>);

impl Commits for Relay {
    fn committed(&self, batch: Batch) {
        self.0.get().expect("a hub").committed(batch);
    }
}

fn router() -> axum::Router {
    let relay = Arc::new(Relay::default());
    let clock = Arc::new(TestClock::at(Timestamp(0)));
    let store = Arc::new(MemoryStore::open(&MemoryDisk::new(), clock, Policy::default(), relay.clone()));
    let hub = Hub::new(store.clone(), HubLimits::default());
    assert!(relay.0.set(hub.clone()).is_ok());
    let pages = Pages::new(store.clone(), PageLimits::default());
    let parts = Parts {
        store: store.clone(),
        directory: store.clone(),
        users: store.clone(),
        audit: store,
        tokens: Verifier::new(Vec::new()).expect("no issuer"),
        modules: Vec::new(),
        hub,
        pages,
    };
    routes::router(App::new(Config::default(), parts))
}

async fn answer(method: &str, path: &str) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn every_described_route_is_served() {
    let (_, document) = answer("GET", "/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 12);
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let (status, body) =
                answer(&method.to_uppercase(), &path.replace("{session}", "x").replace("{id}", "x")).await;
            let unserved = body["code"] == "not_found" || status == StatusCode::METHOD_NOT_ALLOWED;
            assert!(!unserved, "{method} {path}: {status} {body}");
        }
    }
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused_as_problems() {
    assert_eq!(answer("GET", "/v2/events").await.1["code"], "not_found");
    let (status, problem) = answer("DELETE", "/v1/publish").await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("method_not_allowed"))
    );
}
