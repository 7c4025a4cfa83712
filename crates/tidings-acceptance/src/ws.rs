//! A reader of `GET /v1/ws`, that can ask as well.

use std::collections::VecDeque;

use serde_json::Value;
use tidings_protocol::ws::{Decoder, Limits, MaskKey, Message, Role, accept_key, request_key};

use crate::http::{Connection, invalid, request};
use crate::subscription::{Ask, Closed, Item, cursor, item};
use crate::target::Target;

/// One WebSocket.
#[derive(Debug)]
pub struct Ws {
    connection: Connection,
    decoder: Decoder,
    ready: VecDeque<Item>,
    /// Pongs that are owed.
    owed: Vec<u8>,
    /// Answers to requests, as they came.
    pub answers: VecDeque<Value>,
    closed: Option<Option<u16>>,
}

impl Ws {
    /// Opens a WebSocket.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused before the upgrade.
    pub async fn open(target: &Target, ask: &Ask) -> Result<Self, Closed> {
        Self::open_on(Connection::open(target.address).await?, target, ask).await
    }

    /// Opens a WebSocket on a connection of the test's making.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused before the upgrade.
    pub async fn open_on(mut connection: Connection, target: &Target, ask: &Ask) -> Result<Self, Closed> {
        let mut path = format!("/v1/ws?{}", ask.query());
        if let Some(since) = &ask.since {
            path.push_str(&format!("since={since}"));
        }
        let key = request_key(rand::random());
        let more = format!(
            "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
        );
        connection.send(&request(target, "GET", &path, &more, None)).await?;
        let head = connection.head().await?;
        if head.status != 101 {
            let body = connection.body(&head).await?;
            return Err(Closed::refused(&head, &body));
        }
        let expected = accept_key(key.as_bytes()).map_err(|_| invalid("a key of our own making"))?;
        if head.header("sec-websocket-accept") != Some(expected.as_str()) {
            return Err(invalid("another Sec-WebSocket-Accept than the key's").into());
        }
        let limits = Limits { message_bytes: 4 << 20, ..Limits::default() };
        let decoder = Decoder::new(Role::Client, limits);
        Ok(Self {
            connection,
            decoder,
            ready: VecDeque::new(),
            owed: Vec::new(),
            answers: VecDeque::new(),
            closed: None,
        })
    }

    /// The socket: reading from it takes bytes from the client.
    pub fn stream(&mut self) -> &mut tokio::net::TcpStream {
        self.connection.stream()
    }

    /// Closes with a reset.
    pub fn reset(self) {
        self.connection.reset();
    }

    /// Sends a request frame.
    ///
    /// # Errors
    /// The socket's.
    pub async fn send(&mut self, frame: &Value) -> Result<(), Closed> {
        let bytes = Message::text(frame.to_string()).encode_masked(MaskKey(rand::random()));
        Ok(self.connection.send(&bytes).await?)
    }

    /// Waits for the answer to a request; events that come meanwhile stay for [`Ws::next`].
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn answer(&mut self) -> Result<Value, Closed> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            self.read().await?;
        }
    }

    /// What comes next. May be dropped and called again.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn next(&mut self) -> Result<Item, Closed> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Closed> {
        if !self.owed.is_empty() {
            let owed = std::mem::take(&mut self.owed);
            self.connection.send(&owed).await?;
        }
        if let Some(code) = self.closed {
            return Err(Closed::Ended(code));
        }
        if self.connection.buffer().is_empty() {
            self.connection.fill().await?;
        }
        self.take()
    }

    /// Decodes everything that was read.
    fn take(&mut self) -> Result<(), Closed> {
        let mut bytes = std::mem::take(self.connection.buffer());
        let mut input = &bytes[..];
        while let Some(message) =
            self.decoder.decode(&mut input).map_err(|error| invalid(&error.to_string()))?
        {
            let mask = Some(MaskKey(rand::random()));
            match message {
                Message::Text(text) => match parse(&text)? {
                    Frame::Item(item) => self.ready.push_back(item),
                    Frame::Answer(answer) => self.answers.push_back(answer),
                },
                Message::Ping(payload) => Message::Pong(payload).write(&mut self.owed, mask),
                Message::Pong(_) => self.ready.push_back(Item::Life),
                Message::Close(close) => {
                    self.closed = Some(close.as_ref().map(|close| close.code().get()));
                    Message::Close(close).write(&mut self.owed, mask);
                }
                Message::Binary(_) => return Err(invalid("a binary message").into()),
            }
        }
        bytes.clear();
        *self.connection.buffer() = bytes;
        Ok(())
    }
}

enum Frame {
    Item(Item),
    Answer(Value),
}

/// Frames of events are taken apart by hand: there are millions of them.
fn parse(text: &str) -> Result<Frame, Closed> {
    let (id, rest) = match text.strip_prefix("{\"id\":\"") {
        Some(rest) => {
            let (id, rest) = rest.split_once('"').ok_or_else(|| invalid("an id without an end"))?;
            (Some(cursor(id)?), rest)
        }
        None => (None, text),
    };
    if let (Some(id), "}") = (id, rest) {
        return Ok(Frame::Item(Item::Position(id)));
    }
    let event = rest.trim_start_matches(['{', ',']).strip_prefix("\"event\":\"");
    let parts = event.and_then(|event| event.split_once("\",\"data\":"));
    match parts.and_then(|(name, data)| Some((name, data.strip_suffix('}')?))) {
        Some((name, data)) => Ok(Frame::Item(item(name, id, data.to_owned()))),
        None => {
            let answer: Value = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
            if answer.get("ref").is_none() {
                return Err(invalid(&format!("a frame of no kind: {text}")).into());
            }
            Ok(Frame::Answer(answer))
        }
    }
}
