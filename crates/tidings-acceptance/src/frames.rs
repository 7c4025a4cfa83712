//! A reader of server-sent events that keeps what the standard's own parser drops: which block had an `id`, which a
//! `retry`, and the text itself (HTML, "Parsing an event stream"). Independent of the codec that the server uses.

use std::collections::VecDeque;
use std::io;

use serde_json::Value;
use tidings_protocol::chunk::{Decoder, Part};

use crate::http::{Answer, Connection, Head, invalid, request};
use crate::target::Target;

/// One block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// The name of the event; empty where there was none.
    pub name: String,
    /// The block's own `id`.
    pub id: Option<String>,
    /// The block's own `retry`.
    pub retry: Option<u64>,
    /// The data as JSON; null where there was none.
    pub data: Value,
}

impl Frame {
    /// Whether it speaks of the stream itself.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.name.starts_with('$')
    }
}

/// Takes text apart as it comes.
#[derive(Debug, Default)]
pub struct Parser {
    rest: Vec<u8>,
    /// Everything so far.
    pub text: String,
}

impl Parser {
    /// The blocks that are complete with these bytes; comments are none.
    ///
    /// # Errors
    /// `InvalidData` for a line that no server of events may write, and data that is no JSON.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<Frame>> {
        self.rest.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            let block = String::from_utf8(block).map_err(|_| invalid("a block that is not UTF-8"))?;
            frames.extend(parse(&block)?);
            self.text.push_str(&block);
        }
        Ok(frames)
    }
}

fn parse(block: &str) -> io::Result<Option<Frame>> {
    let (mut frame, mut data, mut is_empty) = (Frame::default(), None::<String>, true);
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        let (field, value) = line.split_once(": ").ok_or_else(|| invalid(&format!("a line: {line:?}")))?;
        is_empty = false;
        match field {
            "event" => frame.name = value.to_owned(),
            "id" => frame.id = Some(value.to_owned()),
            "retry" => frame.retry = Some(value.parse().map_err(|_| invalid("a retry that is no number"))?),
            "data" if data.is_none() => data = Some(value.to_owned()),
            "data" => return Err(invalid("data on more than one line")),
            other => return Err(invalid(&format!("a field {other:?}"))),
        }
    }
    if let Some(data) = data {
        frame.data = serde_json::from_str(&data).map_err(|error| invalid(&format!("{error}: {data}")))?;
    }
    Ok((!is_empty).then_some(frame))
}

/// One stream over HTTP/1.1.
#[derive(Debug)]
pub struct Frames {
    /// The head of the answer.
    pub head: Head,
    connection: Connection,
    chunks: Decoder,
    parser: Parser,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl Frames {
    /// Opens a stream; `more` are further header lines, each ending in CRLF.
    ///
    /// # Errors
    /// The answer, where it is no stream.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn open(target: &Target, path: &str, more: &str) -> Result<Self, Answer> {
        let mut connection = Connection::open(target.address).await.expect("a connection");
        connection.send(&request(target, "GET", path, more, None)).await.expect("a request is taken");
        Self::answered(connection).await
    }

    /// The stream that answers what was sent on a connection.
    ///
    /// # Errors
    /// As [`Self::open`].
    ///
    /// # Panics
    /// As [`Self::open`].
    pub async fn answered(mut connection: Connection) -> Result<Self, Answer> {
        let head = connection.head().await.expect("an answer");
        let is_stream = head.status == 200 && head.header("transfer-encoding") == Some("chunked");
        if !is_stream {
            let body = connection.body(&head).await.expect("the body of an answer");
            return Err(Answer { head, body });
        }
        let (chunks, parser) = (Decoder::default(), Parser::default());
        Ok(Self { head, connection, chunks, parser, ready: VecDeque::new(), ended: false })
    }

    /// Everything that has come, as it came, without the framing of HTTP.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.parser.text
    }

    /// The connection under it.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// What comes next; `None` at the end that the server has made. May be dropped and called again.
    ///
    /// # Errors
    /// The socket's, and `InvalidData`.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            if self.connection.buffer().is_empty() {
                self.connection.fill().await?;
            }
            self.take()?;
        }
    }

    fn take(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(self.connection.buffer());
        let mut input = &bytes[..];
        while let Some(part) = self.chunks.decode(&mut input).map_err(|error| invalid(&error.to_string()))? {
            match part {
                Part::Data(data) => self.ready.extend(self.parser.push(data)?),
                Part::End => self.ended = true,
            }
        }
        if self.ended && !self.parser.rest.is_empty() {
            return Err(invalid("a stream that ends within a block"));
        }
        Ok(())
    }

    /// The next block that is not only a `retry` or an `id`.
    ///
    /// # Panics
    /// If the stream ends or breaks before.
    pub async fn event(&mut self) -> Frame {
        loop {
            let frame = self.next().await.expect("a stream that lives").expect("a stream that goes on");
            if !frame.name.is_empty() {
                return frame;
            }
        }
    }

    /// All blocks with a name up to the server's end.
    ///
    /// # Panics
    /// If the stream breaks.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await.expect("a stream that ends as it should") {
            if !frame.name.is_empty() {
                frames.push(frame);
            }
        }
        frames
    }

    /// All blocks with a name up to and with the first that satisfies the condition.
    ///
    /// # Panics
    /// If the stream ends or breaks before.
    pub async fn until(&mut self, mut is_last: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.event().await;
            let done = is_last(&frame);
            frames.push(frame);
            if done {
                return frames;
            }
        }
    }
}

/// Text of a stream with what differs from run to run replaced: cursors by `<e1>`, `<e2>`… in the order in which they
/// first appear, times by `<time>`, the session's id by `<session>`.
#[must_use]
pub fn redacted(text: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut after_session = 0_i32;
    let pieces = text.split_inclusive(['"', '\n']).map(|piece| {
        let end = piece.len() - usize::from(piece.ends_with(['"', '\n']));
        let (word, mark) = piece.split_at(end);
        let (before, word) = word.strip_prefix("id: ").map_or(("", word), |word| ("id: ", word));
        after_session = if word == "session" { 2 } else { after_session - 1 };
        let shown = if word.parse::<tidings_protocol::Cursor>().is_ok() {
            let index = known.iter().position(|seen| seen == word).unwrap_or_else(|| {
                known.push(word.to_owned());
                known.len() - 1
            });
            format!("<e{}>", index + 1)
        } else if word.len() == 24 && word.ends_with('Z') && word.contains('T') {
            "<time>".to_owned()
        } else if after_session == 0 {
            "<session>".to_owned()
        } else {
            word.to_owned()
        };
        format!("{before}{shown}{mark}")
    });
    pieces.collect()
}
