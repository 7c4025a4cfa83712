//! Events that tell which they are: `{"n":7,"pad":"…"}`, so that what comes can be told from what was sent.

use serde_json::{Value, json};
use tidings_protocol::Cursor;

/// Where the number stands in an event as it is received.
const NUMBER: &str = "\"data\":{\"n\":";
const ID: &str = "\"id\":\"";

/// An event with a number, as it is published; its data is about `bytes` long.
#[must_use]
pub fn draft(channel: &str, n: u64, bytes: usize) -> Value {
    json!({"channel": channel, "type": "numbered", "data": data(n, bytes)})
}

/// The same with an idempotency key.
#[must_use]
pub fn keyed_draft(channel: &str, n: u64, bytes: usize) -> Value {
    let mut draft = draft(channel, n, bytes);
    draft["idempotencyKey"] = key(n).into();
    draft
}

/// The idempotency key of a number.
#[must_use]
pub fn key(n: u64) -> String {
    format!("key-{n}")
}

/// An event's data.
#[must_use]
pub fn data(n: u64, bytes: usize) -> Value {
    let pad = bytes.saturating_sub(20);
    json!({"n": n, "pad": "x".repeat(pad)})
}

/// The number in a received event's JSON.
#[must_use]
pub fn number(event: &str) -> Option<u64> {
    let (_, rest) = event.split_once(NUMBER)?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// The id in a received event's JSON.
#[must_use]
pub fn id(event: &str) -> Option<Cursor> {
    let (_, rest) = event.split_once(ID)?;
    rest.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_are_found() {
        let event = format!(r#"{{"id":"0000000000001.0000002","channel":"a","data":{}}}"#, data(12, 40));
        assert_eq!(number(&event), Some(12));
        assert_eq!(id(&event).unwrap().to_string(), "0000000000001.0000002");
        assert_eq!((number("{}"), id("{}")), (None, None));
    }
}
