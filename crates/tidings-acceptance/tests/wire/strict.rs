//! HTTP/1.1 responses, read strictly (RFC 9112): what is not exactly as it must be is a failed test.

use tidings_protocol::{sse, ws};

/// A response's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice: {self:?}");
        value
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Takes a head off the front.
pub(crate) fn take_head(input: &mut &[u8]) -> Head {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of a head");
    let text = std::str::from_utf8(&input[..end]).expect("a head in ASCII");
    *input = &input[end + 4..];
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap();
    // To a request in HTTP/1.0 an answer may be in either.
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let rest = rest.unwrap_or_else(|| panic!("a status line, not {line:?}"));
    let (status, reason) = rest.split_once(' ').expect("a status and a reason");
    assert!(status.len() == 3 && reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("a header, not {line:?}"));
        assert!(is_token(name) && !value.bytes().any(|byte| byte.is_ascii_control()), "{line:?}");
        (name.to_ascii_lowercase(), value.to_owned())
    });
    let head = Head { status: status.parse().unwrap(), headers: headers.collect() };
    let framings = head.header("content-length").is_some() && head.header("transfer-encoding").is_some();
    assert!(!framings, "two framings: {head:?}");
    head
}

/// Takes a whole response with a length off the front.
pub(crate) fn take_response(input: &mut &[u8]) -> (Head, Vec<u8>) {
    let head = take_head(input);
    let length: usize = head.header("content-length").expect("a length").parse().unwrap();
    assert!(input.len() >= length, "{head:?}: the body is short");
    let (body, rest) = input.split_at(length);
    *input = rest;
    (head, body.to_vec())
}

/// Takes a chunked body, or as much of it as there is, off the front: its payload, and whether it has ended.
pub(crate) fn take_chunks(input: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut payload = Vec::new();
    while !input.is_empty() {
        let end = input.windows(2).position(|window| window == b"\r\n").expect("the end of a chunk's size");
        let digits = std::str::from_utf8(&input[..end]).unwrap();
        assert!(
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "a size, not {digits:?}"
        );
        let size = usize::from_str_radix(digits, 16).unwrap();
        let rest = &input[end + 2..];
        assert!(rest.len() >= size + 2 && &rest[size..size + 2] == b"\r\n", "a chunk of {size} bytes");
        payload.extend_from_slice(&rest[..size]);
        *input = &rest[size + 2..];
        if size == 0 {
            return (payload, true);
        }
    }
    (payload, false)
}

/// The names of an event stream's blocks, `retry` for a delay and `:` for a comment; no byte may be left over.
pub(crate) fn blocks(payload: &[u8]) -> Vec<String> {
    let (mut decoder, mut input, mut names) = (sse::Decoder::default(), payload, Vec::new());
    while let Some(item) = decoder.decode(&mut input).unwrap() {
        names.push(match item {
            sse::Item::Event(event) => event.event.to_owned(),
            sse::Item::Position(_) => "id".to_owned(),
            sse::Item::Retry(_) => "retry".to_owned(),
            sse::Item::Comment(_) => ":".to_owned(),
        });
    }
    assert_eq!(decoder.buffered(), 0, "half a block");
    names
}

/// The messages of a WebSocket: the text of each, `close N` for a close.
pub(crate) fn messages(mut input: &[u8]) -> Vec<String> {
    let mut decoder = ws::Decoder::new(ws::Role::Client, ws::Limits::default());
    let mut said = Vec::new();
    while let Some(message) = decoder.decode(&mut input).unwrap() {
        said.push(match message {
            ws::Message::Text(text) => text.into_owned(),
            ws::Message::Close(close) => format!("close {}", close.map_or(1005, |close| close.code().get())),
            other => format!("{other:?}"),
        });
    }
    assert!(input.is_empty() && decoder.buffered() == 0, "half a frame");
    said
}
