//! A publisher: one connection, kept alive, one `POST /v1/publish` at a time.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use tidings_protocol::Cursor;
use tidings_protocol::cursor::CURSOR_BYTES;

use super::dial::forget_on_close;
use super::scan::status;
use super::source::Source;
use super::subscriber::is_momentary;
use super::tally::Ledger;
use crate::client::target::Target;

/// Digits of the time in an event.
const AT_DIGITS: usize = 16;

/// A publisher.
#[derive(Debug)]
pub(super) struct Publisher {
    stream: TcpStream,
    request: Vec<u8>,
    /// Where the time stands in the request, for each event.
    at: Vec<usize>,
    answer: Vec<u8>,
}

/// An event's data of `bytes` bytes that ends with the time `at`.
pub(super) fn data(bytes: usize, at: u64) -> String {
    let pad = bytes.saturating_sub(r#"{"pad":"","at":"0123456789abcdef"}"#.len());
    format!(r#"{{"pad":"{}","at":"{at:016x}"}}"#, "x".repeat(pad))
}

impl Publisher {
    /// Publishes `batch` events at a time.
    pub(super) fn new(stream: TcpStream, target: &Target, channel: &str, bytes: usize, batch: usize) -> Self {
        forget_on_close(&stream);
        let event = format!(r#"{{"channel":"{channel}","type":"tick","data":{}}}"#, data(bytes, 0));
        let body =
            if batch == 1 { event } else { format!(r#"{{"events":[{}]}}"#, vec![event; batch].join(",")) };
        let head = format!(
            "POST {}/v1/publish HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            target.prefix,
            target.authority,
            target.key,
            body.len(),
        );
        let mark = r#""at":""#;
        let at = body.match_indices(mark).map(|(at, _)| head.len() + at + mark.len()).collect();
        Self { stream, request: (head + &body).into_bytes(), at, answer: Vec::new() }
    }
}

impl Source for Publisher {
    fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn send(&mut self, now: u64) -> io::Result<()> {
        let now = format!("{now:016x}");
        for at in &self.at {
            self.request[*at..*at + AT_DIGITS].copy_from_slice(now.as_bytes());
        }
        self.answer.clear();
        // A request is far smaller than a socket's buffer, and the last one has been answered.
        self.stream.write_all(&self.request)
    }

    fn answered(&mut self, ledger: &mut Ledger) -> io::Result<bool> {
        let mut space = [0; 16 * 1024];
        match self.stream.read(&mut space) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.answer.extend_from_slice(&space[..read]),
            Err(error) if is_momentary(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        let Some(body) = whole_body(&self.answer) else { return Ok(false) };
        if status(&self.answer) != Some(200) {
            let text = String::from_utf8_lossy(body).into_owned();
            return Err(io::Error::other(format!("a publish was refused: {text}")));
        }
        for seq in numbers(body) {
            ledger.note(seq);
        }
        Ok(true)
    }
}

/// The body of an answer, once it is all there.
pub(super) fn whole_body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    answer.get(end..end + length?)
}

/// The numbers of the ids in `{"events":[{"id":"…"}…]}`.
fn numbers(body: &[u8]) -> impl Iterator<Item = u64> {
    let mark = br#""id":""#;
    let ids = body.windows(mark.len() + CURSOR_BYTES).filter(move |window| window.starts_with(mark));
    ids.filter_map(move |window| Cursor::from_bytes(&window[mark.len()..]).ok()).map(|cursor| cursor.seq.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let body = r#"{"events":[{"id":"0000000000017.0000009","duplicate":false}]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(whole_body(answer.as_bytes()), Some(body.as_bytes()));
        assert_eq!(whole_body(&answer.as_bytes()[..answer.len() - 1]), None);
        assert_eq!(numbers(body.as_bytes()).collect::<Vec<_>>(), [39]);
    }

    #[test]
    fn data_has_the_asked_size() {
        assert_eq!(data(200, 7).len(), 200);
        assert_eq!(super::super::scan::sent_at(data(200, 7).as_bytes()), Some(7));
    }
}
