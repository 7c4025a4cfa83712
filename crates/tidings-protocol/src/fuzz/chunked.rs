//! Targets of [`crate::chunk`].

use super::{Choices, cuttings};
use crate::chunk::{Chunk, Decoder, InvalidChunk, LAST, Limits, Part};

/// What came of a body: its payload, whether it ended or failed, and how many bytes were read up to there.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    payload: Vec<u8>,
    result: Result<bool, InvalidChunk>,
    read: usize,
}

/// Any bytes as a chunked body: the same for every cutting, and complete exactly where a plain parser says so.
pub fn chunked(data: &[u8]) {
    let tight = usize::from(data.last().copied().unwrap_or_default()) % 32;
    for limits in [Limits::default(), Limits { head_bytes: tight, trailer_bytes: tight * 2 }] {
        let [whole, bytes, pieces] = cuttings(data);
        let outcome = read(&whole, limits);
        for cutting in [bytes, pieces] {
            assert_eq!(read(&cutting, limits), outcome, "cutting matters");
        }
        match reference(data, limits) {
            Some((payload, read)) => assert_eq!(outcome, Outcome { payload, result: Ok(true), read }),
            None => assert_ne!(outcome.result, Ok(true), "ended, but is not a whole body"),
        }
    }
}

/// The input as payloads: framed and read again they are what they were.
pub fn chunk_frames(data: &[u8]) {
    let mut choices = Choices::of(data);
    let mut body = Vec::new();
    let mut expected = Vec::new();
    while !choices.is_empty() {
        let capacity = usize::from(choices.byte());
        let payload = choices.bytes(255).to_owned();
        let chunk = Chunk::build(capacity, |out| out.extend_from_slice(&payload));
        assert_eq!(chunk, Chunk::new(&payload));
        assert_eq!(chunk.payload(), payload);
        assert_eq!(chunk.is_empty(), payload.is_empty());
        body.extend_from_slice(chunk.framed());
        expected.extend_from_slice(&payload);
    }
    body.extend_from_slice(LAST);
    let read_bytes = body.len();
    body.extend_from_slice(b"0\r\n");
    for cutting in cuttings(&body) {
        let expected = Outcome { payload: expected.clone(), result: Ok(true), read: read_bytes };
        assert_eq!(read(&cutting, Limits::default()), expected);
    }
}

fn read(pieces: &[&[u8]], limits: Limits) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut outcome = Outcome { payload: Vec::new(), result: Ok(false), read: 0 };
    for &piece in pieces {
        let mut rest = piece;
        let result = read_piece(&mut decoder, &mut rest, &mut outcome.payload);
        outcome.read += piece.len() - rest.len();
        if let Err(error) = result {
            assert_eq!(decoder.decode(&mut &b"0\r\n\r\n"[..]), Err(error), "an error is for good");
            outcome.result = Err(error);
            break;
        }
        assert!(rest.is_empty() || decoder.is_ended(), "None means that all was read");
    }
    if outcome.result.is_ok() {
        outcome.result = Ok(decoder.is_ended());
    }
    outcome
}

fn read_piece(decoder: &mut Decoder, rest: &mut &[u8], payload: &mut Vec<u8>) -> Result<(), InvalidChunk> {
    while let Some(part) = decoder.decode(rest)? {
        match part {
            Part::Data(data) => {
                assert!(!data.is_empty());
                payload.extend_from_slice(data);
            }
            Part::End => assert!(decoder.is_ended()),
        }
    }
    Ok(())
}

/// A whole body, read in the simplest way: its payload and its length. `None` for anything else.
fn reference(data: &[u8], limits: Limits) -> Option<(Vec<u8>, usize)> {
    let mut payload = Vec::new();
    let mut rest = data;
    loop {
        let line = take_line(&mut rest)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let after = line[digits..].trim_ascii_start();
        let is_end = line.len() == digits || after.starts_with(b";");
        if line.len() > limits.head_bytes || !is_end {
            return None;
        }
        let size = u64::from_str_radix(str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).ok()?;
        payload.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let mut trailer_bytes = 0;
    loop {
        let line = take_line(&mut rest)?;
        if line.is_empty() {
            return Some((payload, data.len() - rest.len()));
        }
        trailer_bytes += line.len() + 2;
        if trailer_bytes > limits.trailer_bytes {
            return None;
        }
    }
}

/// A line that ends with CRLF, without it, if it has no other control character than tab.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    line.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control()).then_some(line)
}
