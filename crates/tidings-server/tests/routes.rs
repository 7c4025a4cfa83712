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

async fn text(router: &axum::Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

async fn answer(method: &str, path: &str) -> (StatusCode, Value) {
    let (status, body) = text(&router(), request(method, path)).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
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

#[tokio::test]
async fn every_refusal_is_counted_by_its_code_and_route() {
    let router = router();
    let requests = [
        request("POST", "/v1/publish"),
        request("POST", "/v1/publish"),
        request("DELETE", "/v1/publish"),
        request("GET", "/v1/history?channel=?"),
        request("POST", "/v1/sessions/one/subscriptions"),
        request("POST", "/v1/sessions/another/subscriptions"),
        request("POST", "/auth/login"),
        request("GET", "/v1/ws"),
        request("GET", "/an/address/of/no/route"),
        request("GET", "/%ff"),
        request("GET", &format!("/v1/events?channel={}", "a".repeat(9_000))),
    ];
    let asked = requests.len();
    for request in requests {
        assert!(text(&router, request).await.0.as_u16() >= 400);
    }
    for path in ["/healthz", "/metrics", "/openapi.json"] {
        assert_eq!(text(&router, request("GET", path)).await.0, StatusCode::OK);
    }
    // The twentieth request without a credential of an address is still looked at, the next is not; one that comes back
    // is told so by a stream.
    let comes_back = || {
        let mut asks = request("GET", "/v1/events?channel=a");
        asks.headers_mut().insert("last-event-id", "x".parse().unwrap());
        asks
    };
    let mut told = 0;
    for _ in 0..25 {
        told += usize::from(text(&router, comes_back()).await.0 == StatusCode::OK);
    }
    assert_eq!(told, 5);

    let (_, counts) = text(&router, request("GET", "/metrics")).await;
    let mut rows: Vec<&str> =
        counts.lines().filter_map(|line| line.strip_prefix("tidings_refusals_total")).collect();
    rows.sort_unstable();
    let expected = [
        r#"{code="invalid_body",route="/auth/login"} 1"#,
        r#"{code="invalid_channel",route="/v1/history"} 1"#,
        r#"{code="invalid_parameter",route="/v1/ws"} 1"#,
        r#"{code="invalid_parameter",route="none"} 1"#,
        r#"{code="method_not_allowed",route="/v1/publish"} 1"#,
        r#"{code="not_found",route="none"} 1"#,
        r#"{code="rate_limited",route="/v1/events"} 5"#,
        r#"{code="unauthenticated",route="/v1/events"} 20"#,
        r#"{code="unauthenticated",route="/v1/publish"} 2"#,
        r#"{code="unauthenticated",route="/v1/sessions/{session}/subscriptions"} 2"#,
        r#"{code="uri_too_long",route="/v1/events"} 1"#,
    ];
    assert_eq!(rows, expected);
    let counted = |row: &str| row.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    assert_eq!(rows.iter().map(|row| counted(row)).sum::<usize>(), asked + 25);
}
