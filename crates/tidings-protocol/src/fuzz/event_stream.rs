//! Targets of [`crate::sse`].

use std::time::Duration;

use super::{Choices, cuttings};
use crate::sse::{Block, Decoder, Event, FieldValue, Item, TooLarge, put_comment};

#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Event { id: String, event: String, data: String },
    Position(String),
    Retry(Duration),
    Comment(String),
}

impl From<Item<'_>> for Seen {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Event(Event { id, event, data }) => {
                Self::Event { id: id.to_owned(), event: event.to_owned(), data: data.to_owned() }
            }
            Item::Position(id) => Self::Position(id.to_owned()),
            Item::Retry(delay) => Self::Retry(delay),
            Item::Comment(text) => Self::Comment(text.to_owned()),
        }
    }
}

/// Any bytes as a stream: like the standard read literally, for every cutting, with and without a tight limit.
pub fn sse(data: &[u8]) {
    let (seen, result, last_id) = read(&[data], usize::MAX);
    assert_eq!(result, Ok(()), "no limit, no error");
    let (expected, expected_id) = reference(data);
    assert_eq!((&seen, &last_id), (&expected, &expected_id), "the decoder and the standard disagree");

    let limit = usize::from(data.first().copied().unwrap_or_default()) % 64;
    let [whole, bytes, pieces] = cuttings(data);
    let limited = read(&whole, limit);
    assert!(seen.starts_with(&limited.0), "a limit changed what was seen before it struck");
    for cutting in [bytes, pieces] {
        assert_eq!(read(&cutting, usize::MAX), (seen.clone(), Ok(()), last_id.clone()), "cutting matters");
        assert_eq!(read(&cutting, limit), limited, "cutting matters under a limit");
    }
}

/// The input as ids, types, comments and data: everything written is read again, and nothing else.
pub fn sse_blocks(data: &[u8]) {
    let mut choices = Choices::of(data);
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    let mut last_id = String::new();
    while !choices.is_empty() {
        write_block(&mut choices, &mut stream, &mut expected, &mut last_id);
    }
    for cutting in cuttings(&stream) {
        assert_eq!(read(&cutting, usize::MAX), (expected.clone(), Ok(()), last_id.clone()));
    }
}

fn write_block(
    choices: &mut Choices<'_>,
    stream: &mut Vec<u8>,
    expected: &mut Vec<Seen>,
    last_id: &mut String,
) {
    let flags = choices.byte();
    let [id, event, text] =
        [16, 16, 80].map(|most| String::from_utf8_lossy(choices.bytes(most)).into_owned());
    let [id, event] = [&id, &event].map(|text| {
        FieldValue::new(text).unwrap_or_else(|error| {
            let valid = FieldValue::valid_prefix(text);
            assert_eq!(valid.as_str().len(), error.at);
            valid
        })
    });
    if flags & 16 != 0 {
        put_comment(stream, event);
        expected.push(Seen::Comment(event.as_str().to_owned()));
        return;
    }
    let block = Block {
        id: (flags & 1 != 0).then_some(id),
        event: (flags & 2 != 0).then_some(event),
        retry: (flags & 4 != 0).then_some(Duration::from_millis(id.as_str().len() as u64 * 1001)),
        data: (flags & 8 != 0).then_some(&text),
    };
    let start = stream.len();
    block.write(stream);
    assert_eq!(stream.len() - start, block.encoded_len());
    assert_eq!(stream[start..], block.to_bytes());

    expected.extend(block.retry.map(Seen::Retry));
    if block.id.is_some() {
        id.as_str().clone_into(last_id);
    }
    if block.data.is_some() {
        let event =
            block.event.map(FieldValue::as_str).filter(|event| !event.is_empty()).unwrap_or("message");
        let data = text.replace("\r\n", "\n").replace('\r', "\n");
        expected.push(Seen::Event { id: last_id.clone(), event: event.to_owned(), data });
    } else if block.id.is_some() {
        expected.push(Seen::Position(last_id.clone()));
    }
}

fn read(pieces: &[&[u8]], limit: usize) -> (Vec<Seen>, Result<(), TooLarge>, String) {
    let mut decoder = Decoder::new(limit);
    let mut seen = Vec::new();
    let result = read_into(&mut decoder, pieces, limit, &mut seen);
    if result.is_err() {
        assert_eq!(decoder.decode(&mut &b"data: x\n\n"[..]), Err(TooLarge { limit }), "an error is for good");
        assert_eq!(decoder.buffered(), 0);
    }
    (seen, result, decoder.last_event_id().to_owned())
}

fn read_into(
    decoder: &mut Decoder,
    pieces: &[&[u8]],
    limit: usize,
    seen: &mut Vec<Seen>,
) -> Result<(), TooLarge> {
    for mut piece in pieces.iter().copied() {
        while let Some(item) = decoder.decode(&mut piece)? {
            seen.push(item.into());
        }
        assert!(piece.is_empty(), "None means that all was read");
        assert!(decoder.buffered() <= limit.saturating_mul(2).saturating_add(1));
    }
    Ok(())
}

/// WHATWG HTML 9.2.5 and 9.2.6, word for word, on a stream that is there whole.
fn reference(stream: &[u8]) -> (Vec<Seen>, String) {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();

    let (mut seen, mut last_id) = (Vec::new(), String::new());
    let (mut data, mut event, mut id, mut block_has_id) =
        (String::new(), String::new(), String::new(), false);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => {
                last_id.clone_from(&id);
                if let Some(data) = data.strip_suffix('\n') {
                    let event = if event.is_empty() { "message" } else { &event };
                    let (id, event, data) = (id.clone(), event.to_owned(), data.to_owned());
                    seen.push(Seen::Event { id, event, data });
                } else if block_has_id {
                    seen.push(Seen::Position(id.clone()));
                }
                (data, event, block_has_id) = (String::new(), String::new(), false);
            }
            "" => seen.push(Seen::Comment(value.to_owned())),
            "event" => value.clone_into(&mut event),
            "data" => data.extend([value, "\n"]),
            "id" if !value.contains('\0') => {
                value.clone_into(&mut id);
                block_has_id = true;
            }
            "retry" if !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit()) => {
                seen.push(Seen::Retry(Duration::from_millis(value.parse().unwrap_or(u64::MAX))));
            }
            _ => {}
        }
    }
    (seen, last_id)
}
