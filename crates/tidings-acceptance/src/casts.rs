//! Casts as their owners and helpers use them: requests, and the frames of their streams.

use serde_json::{Value, json};

use crate::http::{Answer, Connection, request};
use crate::target::Target;

/// A request and its answer; `more` are further header lines, each ending in CRLF.
///
/// # Panics
/// If it is not answered.
pub async fn send(target: &Target, method: &str, path: &str, more: &str, body: Option<&Value>) -> Answer {
    let body = body.map(Value::to_string);
    let request = request(target, method, path, &format!("connection: close\r\n{more}"), body.as_deref());
    let mut connection = Connection::open(target.address).await.expect("a connection");
    connection.exchange(&request).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// The JSON of an answer that is a success.
///
/// # Panics
/// If it is none.
#[allow(clippy::must_use_candidate, reason = "that it is one may be all a test asks")]
pub fn good(answer: &Answer) -> Value {
    assert!((200..300).contains(&answer.status()), "{} {}", answer.status(), answer.json());
    answer.json()
}

/// Creates a cast; the record.
///
/// # Panics
/// If that is refused.
pub async fn create(target: &Target, body: &Value) -> Value {
    good(&send(target, "POST", "/api/casts", "", Some(body)).await)
}

/// Reads a cast.
///
/// # Panics
/// If that is refused.
pub async fn read(target: &Target, id: &str) -> Value {
    good(&send(target, "GET", &format!("/api/casts/{id}"), "", None).await)
}

/// Tells an event of a cast, as another backend does.
///
/// # Panics
/// If it is not answered.
pub async fn tell(target: &Target, id: &str, body: &Value) -> Answer {
    send(target, "POST", &format!("/api/casts/{id}/events"), "", Some(body)).await
}

/// Tells one of the six kinds of events and expects it to be taken; the record.
///
/// # Panics
/// If it is refused.
pub async fn told(target: &Target, id: &str, kind: &str, data: Value) -> Value {
    good(&tell(target, id, &json!({"type": kind, "data": data})).await)
}

/// What a helper tells first: the cast is made, queued, for this user.
///
/// # Panics
/// If it is refused.
pub async fn mention(target: &Target, id: &str, user: &str) -> Value {
    let body = json!({"type": "STATUS_CHANGED", "userId": user, "data": {"status": "queued"}});
    good(&tell(target, id, &body).await)
}
