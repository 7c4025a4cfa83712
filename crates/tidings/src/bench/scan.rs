//! A quick look at what a server sends: which events and controls are in it, and no more.
//!
//! Owns: finding the ends of SSE blocks (in their chunks) and of WebSocket frames, and the id of each. Leaves out: JSON.
//! A driver must cost less than what it measures; what it takes on trust here, the codecs' own tests prove. It counts on
//! Tidings putting each block into a chunk of its own; a proxy that cuts chunks anew is found out and is an error.

use clap::ValueEnum;
use serde::Serialize;
use tidings_protocol::cursor::CURSOR_BYTES;

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wire {
    /// Server-sent events over HTTP/1.1.
    Sse,
    /// WebSocket.
    Websocket,
}

/// One thing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// The response head: its status.
    Head(u16),
    /// An event: its id, and the bytes that it ends with.
    Event(&'a [u8], &'a [u8]),
    /// `$ready`, with its id.
    Ready(&'a [u8]),
    /// `$reset`: something cannot be given.
    Reset,
    /// A ping to be answered.
    Ping,
    /// `$end`, a close frame, or the body's end.
    End,
}

/// What was sent is not what this scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream is not as this server writes it: is there a proxy in between?")]
pub(super) struct Garbled;

/// Reads one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    wire: Wire,
    has_head: bool,
}

impl Scan {
    /// A stream that begins with a response head.
    pub(super) const fn new(wire: Wire) -> Self {
        Self { wire, has_head: false }
    }

    /// A stream without a head.
    pub(super) const fn headless(wire: Wire) -> Self {
        Self { wire, has_head: true }
    }

    /// Finds what is complete in `bytes`; answers how many bytes that was.
    ///
    /// # Errors
    /// [`Garbled`].
    pub(super) fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        mut take: impl FnMut(Item<'a>),
    ) -> Result<usize, Garbled> {
        let mut at = 0;
        if !self.has_head {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(0) };
            take(Item::Head(status(bytes).ok_or(Garbled)?));
            self.has_head = true;
            at = end + 4;
        }
        let body = &bytes[at..];
        let read = match self.wire {
            Wire::Sse => chunks(body, take)?,
            Wire::Websocket => frames(body, take)?,
        };
        Ok(at + read)
    }
}

/// The status of a response head.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

/// When the publisher says that it sent an event whose data ends with `"at":"<16 hex digits>"`.
pub(super) fn sent_at(event: &[u8]) -> Option<u64> {
    let end = event.iter().rposition(u8::is_ascii_hexdigit)? + 1;
    let text = std::str::from_utf8(event.get(end.checked_sub(16)?..end)?).ok()?;
    u64::from_str_radix(text, 16).ok()
}

fn chunks<'a>(bytes: &'a [u8], mut take: impl FnMut(Item<'a>)) -> Result<usize, Garbled> {
    let mut at = 0;
    while let Some((head, size)) = chunk_head(&bytes[at..])? {
        let Some(chunk) = bytes.get(at + head..at + head + size + 2) else { break };
        let payload = &chunk[..size];
        if size == 0 {
            take(Item::End);
        } else if !payload.ends_with(b"\n\n") {
            return Err(Garbled);
        } else if let Some(item) = block(payload) {
            take(item);
        }
        at += head + size + 2;
    }
    Ok(at)
}

/// A chunk's head, and its size; none where more bytes are needed.
fn chunk_head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Garbled> {
    let mut size = 0usize;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'\r' if at > 0 => return Ok((bytes.len() > at + 1).then_some((at + 2, size))),
            _ => return Err(Garbled),
        };
        size = size * 16 + usize::from(digit);
    }
    if bytes.len() < 10 { Ok(None) } else { Err(Garbled) }
}

fn block(block: &[u8]) -> Option<Item<'_>> {
    let (id, rest) = match block.strip_prefix(b"id: ") {
        Some(rest) => rest.split_at_checked(CURSOR_BYTES)?,
        None => (&[][..], block),
    };
    let name = rest.strip_prefix(b"\n").unwrap_or(rest).strip_prefix(b"event: ")?;
    named(id, name, block)
}

fn frames<'a>(bytes: &'a [u8], mut take: impl FnMut(Item<'a>)) -> Result<usize, Garbled> {
    let mut at = 0;
    while let Some((head, size)) = frame_head(&bytes[at..])? {
        let Some(payload) = bytes.get(at + head..at + head + size) else { break };
        let item = match bytes[at] {
            0x81 => text(payload),
            0x88 => Some(Item::End),
            0x89 => Some(Item::Ping),
            0x8A => None,
            _ => return Err(Garbled),
        };
        if let Some(item) = item {
            take(item);
        }
        at += head + size;
    }
    Ok(at)
}

fn frame_head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Garbled> {
    Ok(match *bytes {
        [_, len @ 0..=125, ..] => Some((2, usize::from(len))),
        [_, 126, high, low, ..] => Some((4, usize::from(u16::from_be_bytes([high, low])))),
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            let size = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            Some((10, usize::try_from(size).map_err(|_| Garbled)?))
        }
        [_, len, ..] if len > 127 => return Err(Garbled),
        _ => None,
    })
}

fn text(text: &[u8]) -> Option<Item<'_>> {
    let rest = text.strip_prefix(b"{")?;
    let (id, rest) = match rest.strip_prefix(b"\"id\":\"") {
        Some(rest) => rest.split_at_checked(CURSOR_BYTES)?,
        None => (&[][..], rest),
    };
    let name = rest.strip_prefix(b"\",").unwrap_or(rest).strip_prefix(b"\"event\":\"")?;
    named(id, name, text)
}

fn named<'a>(id: &'a [u8], name: &[u8], whole: &'a [u8]) -> Option<Item<'a>> {
    if name.first() != Some(&b'$') {
        return Some(Item::Event(id, whole));
    }
    match name {
        _ if name.starts_with(b"$ready") => Some(Item::Ready(id)),
        _ if name.starts_with(b"$reset") => Some(Item::Reset),
        _ if name.starts_with(b"$end") => Some(Item::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0000000000017.0000009";

    fn items(wire: Wire, bytes: &[u8]) -> (usize, Vec<String>) {
        let mut found = Vec::new();
        let read = Scan::new(wire).read(bytes, |item| {
            found.push(match item {
                Item::Event(id, event) => format!("{} {:?}", String::from_utf8_lossy(id), sent_at(event)),
                other => format!("{other:?}").chars().take(5).collect(),
            });
        });
        (read.unwrap(), found)
    }

    fn chunked(blocks: &[String]) -> Vec<u8> {
        let mut bytes = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n".to_vec();
        for block in blocks {
            bytes.extend(format!("{:x}\r\n{block}\r\n", block.len()).bytes());
        }
        bytes
    }

    #[test]
    fn blocks_are_found_in_their_chunks() {
        let blocks = [
            "retry: 1000\n\n".to_owned(),
            format!("id: {ID}\nevent: $ready\ndata: {{}}\n\n"),
            ":\n\n".to_owned(),
            format!("id: {ID}\nevent: tick\ndata: {{\"at\":\"00000000000000ff\"}}}}\n\n"),
            format!("id: {ID}\n\n"),
        ];
        let mut bytes = chunked(&blocks);
        let whole = bytes.len();
        bytes.extend(b"1");
        let (read, found) = items(Wire::Sse, &bytes);
        assert_eq!(read, whole);
        assert_eq!(found, ["Head(".to_owned(), "Ready".to_owned(), format!("{ID} Some(255)")]);
        assert_eq!(items(Wire::Sse, &bytes[..whole - 1]).0, whole - blocks[4].len() - 6);
        assert!(Scan::headless(Wire::Sse).read(b"3\r\nid:\r\n", |_| ()).is_err());
    }

    #[test]
    fn frames_are_found() {
        let mut bytes = b"HTTP/1.1 101 S\r\n\r\n".to_vec();
        let event =
            format!("{{\"id\":\"{ID}\",\"event\":\"tick\",\"data\":{{\"at\":\"000000000000000a\"}}}}");
        for text in [format!("{{\"id\":\"{ID}\",\"event\":\"$ready\",\"data\":{{}}}}"), event] {
            bytes.extend([0x81, u8::try_from(text.len()).unwrap()]);
            bytes.extend(text.bytes());
        }
        bytes.extend([0x89, 0]);
        let (read, found) = items(Wire::Websocket, &bytes);
        assert_eq!(read, bytes.len());
        assert_eq!(
            found,
            ["Head(".to_owned(), "Ready".to_owned(), format!("{ID} Some(10)"), "Ping".to_owned()]
        );
    }
}
