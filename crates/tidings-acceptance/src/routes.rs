//! Every route that takes a credential, as a request without one: what tests of credentials and walls send each of
//! their cases to.

use serde_json::json;

use crate::call::Call;

/// What the requests are about.
#[derive(Debug, Clone)]
pub struct Things {
    /// A channel that belongs to no app.
    pub channel: String,
    /// An open stream of whoever asks.
    pub session: String,
    /// A cast that has not ended.
    pub cast: String,
    /// A cast that is to be cancelled.
    pub doomed: String,
    /// An id that no cast has.
    pub unborn: String,
}

/// The requests, by name. Sent with the credential of an admin who may publish and subscribe to everything, each is
/// answered with success; sent by anybody else, it would have an effect or tell something.
#[must_use]
pub fn all(things: &Things) -> Vec<(&'static str, Call)> {
    let mut all = core(things);
    all.extend(casts(things));
    all
}

fn core(things: &Things) -> Vec<(&'static str, Call)> {
    let Things { channel, session, .. } = things;
    let event = json!({"channel": channel, "type": "t", "data": {"n": 1}});
    let session = format!("/v1/sessions/{session}");
    vec![
        ("POST /v1/publish", Call::post("/v1/publish", &event)),
        ("GET /v1/events", Call::get(format!("/v1/events?channel={channel}"))),
        ("HEAD /v1/events", Call::new("HEAD", format!("/v1/events?channel={channel}"))),
        ("GET /v1/ws", Call::socket(format!("/v1/ws?channel={channel}"))),
        ("GET /v1/poll", Call::get(format!("/v1/poll?channel={channel}"))),
        ("POST /v1/poll", Call::post("/v1/poll", &json!({"channel": [channel]}))),
        ("GET /v1/history", Call::get(format!("/v1/history?channel={channel}"))),
        (
            "POST /v1/sessions/…/subscriptions",
            Call::post(format!("{session}/subscriptions"), &json!({"add": [{"channel": "more"}]})),
        ),
        ("POST /v1/sessions/…/credential", Call::new("POST", format!("{session}/credential"))),
        ("POST /v1/tickets", Call::post("/v1/tickets", &json!({"channels": [channel]}))),
        ("GET /auth/me", Call::get("/auth/me")),
        ("GET /auth/sessions", Call::get("/auth/sessions")),
    ]
}

fn casts(things: &Things) -> Vec<(&'static str, Call)> {
    let Things { cast, doomed, unborn, .. } = things;
    let cast = format!("/api/casts/{cast}");
    vec![
        ("GET /api/casts", Call::get("/api/casts")),
        ("POST /api/casts", Call::post("/api/casts", &json!({"id": unborn}))),
        ("GET /api/casts/…", Call::get(&cast)),
        ("PATCH /api/casts/…", Call::new("PATCH", &cast).json(&json!({"message": "changed"}))),
        ("POST /api/casts/…/cancel", Call::new("POST", format!("/api/casts/{doomed}/cancel"))),
        ("GET /api/casts/…/events", Call::get(format!("{cast}/events"))),
        (
            "POST /api/casts/…/events",
            Call::post(format!("{cast}/events"), &json!({"type": "note", "data": {"n": 1}})),
        ),
        ("GET /api/casts/events", Call::get("/api/casts/events")),
    ]
}
