//! How many events go into one request, and what its body and answer look like.

use bytes::Bytes;
use serde::Deserialize;
use tidings_protocol::Cursor;
use tidings_protocol::limits::{BATCH_BYTES, BATCH_EVENTS};

use super::draft::Sealed;
use super::error::PublishError;

/// What stands around the events of a body.
const AROUND: &str = r#"{"events":[]}"#;

/// The room that is left in a request.
#[derive(Debug)]
pub(super) struct Room {
    events: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { events: BATCH_EVENTS, bytes: BATCH_BYTES - AROUND.len() }
    }
}

impl Room {
    /// Whether the event's text still goes in; if so its room is taken.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        // With the comma after it.
        let bytes = text.len() + 1;
        if self.events == 0 || bytes > self.bytes {
            return false;
        }
        self.events -= 1;
        self.bytes -= bytes;
        true
    }
}

/// The events cut into requests, in their order.
pub(super) fn parts(mut events: &[Sealed]) -> impl Iterator<Item = &[Sealed]> {
    std::iter::from_fn(move || {
        let mut room = Room::default();
        let count = events.iter().take_while(|event| room.takes(&event.text)).count();
        let (part, rest) = events.split_at(count);
        events = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// The body of a request.
pub(super) fn body(events: &[Sealed]) -> Bytes {
    let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    Bytes::from(format!(r#"{{"events":[{}]}}"#, texts.join(",")))
}

/// An event that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its position, for good.
    pub id: Cursor,
    /// Whether its idempotency key was known: the event is the one that was published first.
    pub duplicate: bool,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    events: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: &'a str,
    duplicate: bool,
}

/// The receipts of an answer to `count` events.
///
/// # Errors
/// [`PublishError::Misunderstood`].
pub(super) fn receipts(answer: &[u8], count: usize) -> Result<Vec<Receipt>, PublishError> {
    let wrong = |why: &dyn std::fmt::Display| PublishError::Misunderstood(why.to_string());
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|error| wrong(&error))?;
    let receipt = |row: &Row<'_>| Ok(Receipt { id: row.id.parse()?, duplicate: row.duplicate });
    let receipts: Result<Vec<_>, tidings_protocol::cursor::InvalidCursor> =
        answer.events.iter().map(receipt).collect();
    let receipts = receipts.map_err(|error| wrong(&error))?;
    if receipts.len() != count {
        return Err(wrong(&format_args!("{count} events were sent, {} are answered for", receipts.len())));
    }
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::*;

    fn sealed(bytes: usize) -> Sealed {
        Draft::new("a", "t", &"x".repeat(bytes)).unwrap().seal().unwrap()
    }

    #[test]
    fn parts_keep_to_both_limits() {
        let small = vec![sealed(1); 201];
        let counts: Vec<usize> = parts(&small).map(<[Sealed]>::len).collect();
        assert_eq!(counts, [100, 100, 1]);
        let large = vec![sealed(60_000); 40];
        for part in parts(&large) {
            assert!(body(part).len() <= BATCH_BYTES);
        }
        assert_eq!(parts(&large).map(<[Sealed]>::len).collect::<Vec<_>>(), [17, 17, 6]);
        assert_eq!(parts(&[]).count(), 0);
    }

    #[test]
    fn answers_are_counted() {
        let answer = br#"{"events":[{"id":"0000000000001.0000002","duplicate":true}]}"#;
        let receipts = super::receipts(answer, 1).unwrap();
        assert_eq!(
            (receipts[0].id.to_string().as_str(), receipts[0].duplicate),
            ("0000000000001.0000002", true)
        );
        assert!(super::receipts(answer, 2).is_err());
        assert!(super::receipts(b"<html>", 1).is_err());
        assert!(super::receipts(br#"{"events":[{"id":"x","duplicate":true}]}"#, 1).is_err());
    }
}
