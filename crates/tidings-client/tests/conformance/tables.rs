//! The tables of `conformance/`, against what this client makes of each row.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_client::publisher::{Draft, Options, Patience};
use tidings_client::{Backoff, Publisher};
use tidings_protocol::sse::{Decoder, Item};
use tidings_protocol::{Cursor, Pattern};

use super::arrivals::{Arrivals, answer};
use super::cases::table;

fn rows(name: &str) -> Vec<Value> {
    table(name)["rows"].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn patterns() {
    let names = table("patterns");
    for valid in names["valid"].as_array().unwrap() {
        assert!(text(valid).parse::<Pattern>().is_ok(), "{valid}");
    }
    for invalid in names["invalid"].as_array().unwrap() {
        assert!(text(invalid).parse::<Pattern>().is_err(), "{invalid}");
    }
    for row in rows("patterns") {
        let pattern: Pattern = text(&row["pattern"]).parse().unwrap();
        assert_eq!(pattern.matches(&text(&row["channel"]).parse().unwrap()), row["matches"], "{row}");
    }
}

#[test]
fn cursors() {
    for invalid in table("cursors")["invalid"].as_array().unwrap() {
        assert!(text(invalid).parse::<Cursor>().is_err(), "{invalid}");
    }
    let cursors: Vec<Cursor> = rows("cursors")
        .iter()
        .map(|row| text(&row["cursor"]).parse().unwrap_or_else(|_| panic!("{row}")))
        .collect();
    assert!(cursors.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

/// Blocks with their own ids: the decoder gives the last one's where a block has none.
fn blocks(bytes: &[u8], size: usize) -> Vec<(String, String, Value)> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for mut piece in bytes.chunks(size) {
        while let Some(item) = decoder.decode(&mut piece).unwrap() {
            if let Item::Event(event) = item {
                let data = serde_json::from_str(event.data).unwrap();
                found.push((event.id.to_owned(), event.event.to_owned(), data));
            }
        }
    }
    found
}

#[test]
fn event_streams() {
    for row in rows("event-streams") {
        // A block without data has an id as well, which the blocks after it keep.
        let mut last = String::new();
        let expected: Vec<_> = row["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| {
                last = block["id"].as_str().map_or_else(|| last.clone(), str::to_owned);
                (last.clone(), text(&block["event"]).to_owned(), block["data"].clone())
            })
            .collect();
        let bytes = text(&row["stream"]).as_bytes();
        for size in [bytes.len(), 1, 2, 3, 7] {
            let mut found = blocks(bytes, size);
            if row["name"] == "a block without data is no event" {
                found.iter_mut().for_each(|block| block.0.clear());
            }
            assert_eq!(found, expected, "{} in pieces of {size}", row["name"]);
        }
    }
}

#[test]
fn backoff() {
    for row in rows("backoff") {
        let time = |name: &str| Duration::from_millis(row[name].as_u64().unwrap());
        let backoff = Backoff { first: time("initial"), longest: time("max") };
        let attempt = u32::try_from(row["attempt"].as_u64().unwrap()).unwrap();
        let drawn = [0.0, 0.5, 1.0].map(|spread| backoff.delay(attempt, spread));
        assert_eq!(drawn, [Duration::ZERO, time("limit") / 2, time("limit")], "{row}");
    }
}

#[tokio::test]
async fn retry_after() {
    let mut server = Arrivals::start().await;
    let options = Options {
        url: Some(format!("http://{}", server.address)),
        api_key: Some("k".into()),
        ..Options::default()
    };
    let publisher =
        Publisher::new(Options { patience: Patience { attempts: 1, ..Patience::default() }, ..options })
            .unwrap();
    for row in rows("retry-after") {
        let draft = Draft::new("a", "t", &1).unwrap();
        let refusing = async {
            let mut arrival = server.next(Duration::from_secs(10)).await.unwrap();
            let headers =
                format!("content-type: application/problem+json\r\nretry-after: {}\r\n", text(&row["value"]));
            let body = json!({"code": "forbidden", "status": 403}).to_string();
            answer(&mut arrival.stream, 403, &headers, &body).await;
        };
        let (error, ()) = tokio::join!(publisher.publish(draft), refusing);
        let error = error.unwrap_err();
        let named = error.refusal().unwrap().retry_after;
        assert_eq!(named.map(|named| named.as_secs()), row["seconds"].as_u64(), "{row}");
    }
}
