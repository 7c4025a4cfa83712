//! A request put together byte by byte, and every byte that comes back for it: for tests that send what no client
//! library would, and look for what no answer may hold.
//!
//! A stream is read until it is open and quiet, a WebSocket until each of the messages sent has its answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tidings_protocol::chunk;
use tidings_protocol::ws::{Decoder, Limits, MaskKey, Message, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::http::Head;
use crate::target::Target;
use crate::wait::within;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a stream that is open must say nothing to count as having said it all.
const QUIET: Duration = Duration::from_millis(15);
/// The same for a call that must not miss anything.
const PATIENT: Duration = Duration::from_millis(500);
/// How many calls are under way at once.
const LANES: usize = 12;

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    method: &'static str,
    path: String,
    host: Option<String>,
    lines: Vec<Vec<u8>>,
    body: Option<Vec<u8>>,
    /// What is said on the WebSocket once it is open; `None` where this asks for none.
    messages: Option<Vec<Value>>,
    quiet: Duration,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status; 0 where the connection was closed without one.
    pub status: u16,
    /// Its head, where there is one.
    pub head: Option<Head>,
    /// The head as it came.
    pub head_text: Vec<u8>,
    /// The body without its framing; of a WebSocket the messages, a line each.
    pub body: Vec<u8>,
    /// The close frame's code and reason.
    pub close: Option<(u16, String)>,
}

impl Call {
    /// A request without credential and body.
    #[must_use]
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            host: None,
            lines: Vec::new(),
            body: None,
            messages: None,
            quiet: QUIET,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    /// A WebSocket.
    #[must_use]
    pub fn socket(path: impl Into<String>) -> Self {
        let upgrade = Self { messages: Some(Vec::new()), ..Self::get(path) };
        ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13"]
            .into_iter()
            .fold(upgrade, Self::line)
            .line("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// With this JSON as its body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string()).line("content-type: application/json")
    }

    /// With these bytes as its body.
    #[must_use]
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// With a further header line, without its CRLF.
    #[must_use]
    pub fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.lines.push(line.as_ref().to_vec());
        self
    }

    /// With the target's credential.
    #[must_use]
    pub fn by(self, target: &Target) -> Self {
        self.line(target.credential())
    }

    /// With another `Host` than the address.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// With a further parameter in its query.
    #[must_use]
    pub fn query(mut self, parameter: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(parameter);
        self
    }

    /// Says this on the WebSocket once it is open, and waits for the answer.
    #[must_use]
    pub fn saying(mut self, message: Value) -> Self {
        self.messages.get_or_insert_default().push(message);
        self
    }

    /// Waits longer until an open stream counts as quiet: on a busy machine it may be slow to say all.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { quiet: PATIENT, ..self }
    }

    /// The same with its path, header lines, body and messages changed as texts.
    ///
    /// # Panics
    /// If a message is no JSON afterwards.
    #[must_use]
    pub fn map_text(&self, change: impl Fn(&str) -> String) -> Self {
        let in_bytes = |bytes: &Vec<u8>| change(&String::from_utf8_lossy(bytes)).into_bytes();
        let in_json = |message: &Value| serde_json::from_str(&change(&message.to_string())).expect("JSON");
        Self {
            path: change(&self.path),
            lines: self.lines.iter().map(in_bytes).collect(),
            body: self.body.as_ref().map(in_bytes),
            messages: self.messages.as_ref().map(|messages| messages.iter().map(in_json).collect()),
            ..self.clone()
        }
    }

    /// All that it says, on a WebSocket too: what an answer may repeat.
    #[must_use]
    pub fn text(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = self.head_and_body(address);
        for message in self.messages.iter().flatten() {
            text.extend_from_slice(message.to_string().as_bytes());
        }
        text
    }

    fn head_and_body(&self, address: SocketAddr) -> Vec<u8> {
        let host = self.host.clone().unwrap_or_else(|| address.to_string());
        let mut text = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path).into_bytes();
        if self.messages.is_none() {
            text.extend_from_slice(b"connection: close\r\n");
        }
        for line in &self.lines {
            text.extend_from_slice(line);
            text.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            text.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(self.body.as_deref().unwrap_or_default());
        text
    }

    /// Sends it on a connection of its own.
    ///
    /// # Panics
    /// If the server takes no connections, or does not answer in time.
    pub async fn make(&self, address: SocketAddr) -> Reply {
        within(LIMIT, &self.name(), self.exchange(address)).await
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        let path: String = self.path.chars().take(120).collect();
        format!("{} {path}", self.method)
    }

    async fn exchange(&self, address: SocketAddr) -> Reply {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let (from, mut to) = stream.split();
        let text = self.head_and_body(address);
        let mut reading = Reading { from, raw: BytesMut::new(), ended: false, quiet: self.quiet };
        // A server that refuses does not read to the end: what it says is read meanwhile.
        let (_, head) = tokio::join!(to.write_all(&text), reading.head());
        let Some((head_text, head)) = head else { return Reply::default() };
        let mut reply = Reply { status: head.status, head_text, ..Reply::default() };
        if head.status == 101 {
            reading.socket(&mut to, self.messages.as_deref().unwrap_or_default(), &mut reply).await;
        } else if self.method != "HEAD" {
            reply.body = reading.body(&head).await;
        }
        reply.head = Some(head);
        reply
    }
}

impl Reply {
    /// Whether the request was carried out, or the stream opened.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self.status {
            101 => self.has("\"$ready\""),
            200 if self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) => {
                self.body.is_empty() || self.has("event: $ready") || self.has("event:$ready")
            }
            status => (200..300).contains(&status),
        }
    }

    /// The first value of a header, the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.header(name)
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of the refusal: the problem's, or the close frame's reason; empty where there is none.
    #[must_use]
    pub fn code(&self) -> String {
        match &self.close {
            Some((_, reason)) => reason.clone(),
            None => self.json()["code"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Whether the text stands in the body.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        holds(&self.body, text)
    }

    /// Whether the text stands anywhere in it.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        holds(&self.head_text, text)
            || self.has(text)
            || self.close.as_ref().is_some_and(|(_, why)| why.contains(text))
    }

    /// The status and what was said, short enough for a message.
    #[must_use]
    pub fn told(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(400).collect();
        format!("{} {:?} {body}", self.status, self.close)
    }
}

/// Whether the text stands in the bytes, whatever its letters' case.
#[must_use]
pub fn holds(bytes: &[u8], text: &str) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

struct Reading<'a> {
    from: ReadHalf<'a>,
    raw: BytesMut,
    ended: bool,
    quiet: Duration,
}

impl Reading<'_> {
    async fn fill(&mut self) {
        if !matches!(self.from.read_buf(&mut self.raw).await, Ok(1..)) {
            self.ended = true;
        }
    }

    async fn head(&mut self) -> Option<(Vec<u8>, Head)> {
        loop {
            if let Some(end) = self.raw.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = self.raw.split_to(end + 4);
                let head = Head::parse(&text[..end]).expect("a response");
                return Some((text.to_vec(), head));
            }
            if self.ended {
                return None;
            }
            self.fill().await;
        }
    }

    async fn body(&mut self, head: &Head) -> Vec<u8> {
        if head.header("transfer-encoding") != Some("chunked") {
            let length = head.header("content-length").and_then(|length| length.parse().ok());
            let length: usize = length.unwrap_or(0);
            while self.raw.len() < length && !self.ended {
                self.fill().await;
            }
            return self.raw.to_vec();
        }
        let (mut chunks, mut body) = (chunk::Decoder::default(), Vec::new());
        loop {
            let raw = self.raw.split();
            let mut input = &raw[..];
            while let Some(part) = chunks.decode(&mut input).expect("chunks") {
                match part {
                    chunk::Part::Data(data) => body.extend_from_slice(data),
                    chunk::Part::End => return body,
                }
            }
            let is_open = holds(&body, "event: $ready") || holds(&body, "event:$ready");
            if self.ended || is_open && timeout(self.quiet, self.fill()).await.is_err() {
                return body;
            }
            if !is_open {
                self.fill().await;
            }
        }
    }

    async fn socket(&mut self, to: &mut WriteHalf<'_>, messages: &[Value], reply: &mut Reply) {
        let mut decoder = Decoder::new(Role::Client, Limits { message_bytes: 4 << 20, ..Limits::default() });
        let mut messages = messages.iter();
        let (mut open, mut answers, mut awaited) = (false, 0, 0);
        loop {
            let raw = self.raw.split();
            let mut input = &raw[..];
            while let Some(message) = decoder.decode(&mut input).expect("frames") {
                match message {
                    Message::Text(text) => {
                        open |= text.contains("\"$ready\"");
                        answers += usize::from(text.contains("\"ref\":"));
                        reply.body.extend_from_slice(text.as_bytes());
                        reply.body.push(b'\n');
                    }
                    Message::Close(close) => {
                        reply.close = close.map(|close| (close.code().get(), close.reason().to_owned()));
                        return;
                    }
                    _ => {}
                }
            }
            if self.ended {
                return;
            }
            if open && answers == awaited {
                let Some(message) = messages.next() else {
                    if timeout(self.quiet, self.fill()).await.is_err() {
                        return;
                    }
                    continue;
                };
                let frame = Message::text(message.to_string()).encode_masked(MaskKey(rand::random()));
                let _ = to.write_all(&frame).await;
                awaited += 1;
            }
            self.fill().await;
        }
    }
}

/// Makes all of them, some at once; the replies in their order.
///
/// # Panics
/// As [`Call::make`].
pub async fn make_all(address: SocketAddr, calls: Vec<Call>) -> Vec<(Call, Reply)> {
    let (calls, next) = (Arc::new(calls), Arc::new(AtomicUsize::new(0)));
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (calls, next) = (calls.clone(), next.clone());
            tokio::spawn(async move {
                let mut replies = Vec::new();
                while let Some((index, call)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    calls.get(index).map(|call| (index, call))
                } {
                    replies.push((index, call.make(address).await));
                }
                replies
            })
        })
        .collect();
    let mut replies = BTreeMap::new();
    for lane in lanes {
        replies.extend(lane.await.expect("a lane"));
    }
    calls.iter().cloned().zip(replies.into_values()).collect()
}
