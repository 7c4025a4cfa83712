//! The description of the casts' routes and streams against the router that serves them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tidings_apps::casts::{Casts, CastsConfig};
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
    let casts = Casts::new(CastsConfig { lifetime: Duration::from_secs(300), github_secret: None });
    let parts = Parts {
        store: store.clone(),
        directory: store.clone(),
        users: store.clone(),
        audit: store,
        tokens: Verifier::default(),
        modules: vec![casts],
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

async fn document(path: &str) -> Value {
    answer("GET", path).await.1
}

#[tokio::test]
async fn every_described_route_is_served() {
    let document = document("/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    let casts: Vec<_> = paths.iter().filter(|(path, _)| path.starts_with("/api/")).collect();
    assert_eq!(casts.len(), 6);
    for (path, operations) in casts {
        for method in operations.as_object().unwrap().keys() {
            let (status, body) = answer(&method.to_uppercase(), &path.replace("{id}", "x")).await;
            let unserved = body["code"] == "not_found" || status == StatusCode::METHOD_NOT_ALLOWED;
            assert!(!unserved, "{method} {path}: {status} {body}");
        }
    }
}

#[tokio::test]
async fn methods_that_are_not_described_are_not_served() {
    let document = document("/openapi.json").await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "patch", "put", "delete"] {
            if operations.get(method).is_none() {
                let path = path.replace("{id}", "x").replace("{session}", "x");
                let (status, _) = answer(&method.to_uppercase(), &path).await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    for path in ["/openapi.json", "/asyncapi.json"] {
        let document = document(path).await;
        let text = document.to_string();
        let mut references = text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()).peekable();
        assert!(references.peek().is_some());
        for reference in references {
            assert!(document.pointer(&format!("/{reference}")).is_some(), "{path}: {reference}");
        }
    }
}

#[tokio::test]
async fn path_parameters_are_described_and_names_in_queries_are_distinct() {
    let document = document("/openapi.json").await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            let named = parameters.iter().map(|parameter| {
                let reference = parameter["$ref"].as_str().unwrap();
                let parameter = document.pointer(reference.trim_start_matches('#')).unwrap();
                (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap())
            });
            let mut named: Vec<_> = named.collect();
            assert_eq!(path.contains("{id}"), named.contains(&("path", "id")), "{method} {path}");
            let before = named.len();
            named.sort_unstable();
            named.dedup();
            assert_eq!(named.len(), before, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_casts_streams_carry_frames_and_controls() {
    let document = document("/asyncapi.json").await;
    for channel in ["casts", "oneCast"] {
        let messages = document["channels"][channel]["messages"].as_object().unwrap();
        for name in ["status", "progress", "complete", "failed", "artifact", "batch", "ready", "end"] {
            assert!(messages.contains_key(name), "{channel} without {name}");
        }
        assert!(!messages.contains_key("event"), "{channel} has the casts' view, not the native one");
    }
}
