//! A reader of `GET /v1/events`.

use std::collections::VecDeque;

use bytes::Buf;
use tidings_protocol::{chunk, sse};

use crate::http::{Connection, invalid, request};
use crate::subscription::{Ask, Closed, Item, cursor, item};
use crate::target::Target;

/// One stream.
#[derive(Debug)]
pub struct Sse {
    connection: Connection,
    chunks: chunk::Decoder,
    blocks: sse::Decoder,
    fields: Fields,
    ready: VecDeque<Item>,
    /// The `retry:` fields, in milliseconds.
    pub retries: Vec<u64>,
    ended: bool,
}

impl Sse {
    /// Opens a stream.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused.
    pub async fn open(target: &Target, ask: &Ask) -> Result<Self, Closed> {
        Self::open_on(Connection::open(target.address).await?, target, ask).await
    }

    /// Opens a stream on a connection of the test's making.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused.
    pub async fn open_on(mut connection: Connection, target: &Target, ask: &Ask) -> Result<Self, Closed> {
        let (mut path, mut more) =
            (format!("/v1/events?{}", ask.query()), "accept: text/event-stream\r\n".to_owned());
        match &ask.since {
            Some(since) if ask.by_header => more.push_str(&format!("last-event-id: {since}\r\n")),
            Some(since) => path.push_str(&format!("since={since}")),
            None => {}
        }
        connection.send(&request(target, "GET", &path, &more, None)).await?;
        let head = connection.head().await?;
        if head.status != 200 {
            let body = connection.body(&head).await?;
            return Err(Closed::refused(&head, &body));
        }
        if head.header("transfer-encoding") != Some("chunked") {
            // A refusal that an EventSource can live with: 200, `retry:` and `$end`, of known length.
            let body = connection.body(&head).await?;
            return Ok(Self::refusal(connection, &body));
        }
        Ok(Self::around(connection))
    }

    /// The socket: reading from it takes bytes from the client.
    pub fn stream(&mut self) -> &mut tokio::net::TcpStream {
        self.connection.stream()
    }

    /// Closes with a reset.
    pub fn reset(self) {
        self.connection.reset();
    }

    fn around(connection: Connection) -> Self {
        Self {
            connection,
            chunks: chunk::Decoder::default(),
            blocks: sse::Decoder::default(),
            fields: Fields::default(),
            ready: VecDeque::new(),
            retries: Vec::new(),
            ended: false,
        }
    }

    fn refusal(connection: Connection, body: &[u8]) -> Self {
        let mut refused = Self::around(connection);
        let _ = refused.decode(body);
        refused.ended = true;
        refused
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
            if self.ended {
                return Err(Closed::Ended(None));
            }
            if self.connection.buffer().is_empty() {
                self.connection.fill().await?;
            }
            self.take()?;
        }
    }

    /// Decodes everything that was read.
    fn take(&mut self) -> Result<(), Closed> {
        let bytes = std::mem::take(self.connection.buffer());
        let mut input = &bytes[..];
        while let Some(part) = self.chunks.decode(&mut input).map_err(|error| invalid(&error.to_string()))? {
            match part {
                chunk::Part::Data(data) => self.decode(data)?,
                chunk::Part::End => self.ended = true,
            }
        }
        if self.ended && input.has_remaining() {
            return Err(invalid("bytes after the last chunk").into());
        }
        let mut buffer = bytes;
        buffer.clear();
        *self.connection.buffer() = buffer;
        Ok(())
    }

    fn decode(&mut self, mut data: &[u8]) -> Result<(), Closed> {
        self.fields.read(data);
        while let Some(decoded) =
            self.blocks.decode(&mut data).map_err(|error| invalid(&error.to_string()))?
        {
            let came = match decoded {
                sse::Item::Event(event) => {
                    let own = self.fields.next_has_id().then(|| cursor(event.id)).transpose()?;
                    item(event.event, own, event.data.to_owned())
                }
                sse::Item::Position(id) => {
                    self.fields.next_has_id();
                    Item::Position(cursor(id)?)
                }
                sse::Item::Retry(delay) => {
                    self.retries.push(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
                    continue;
                }
                sse::Item::Comment(_) => Item::Life,
            };
            self.ready.push_back(came);
        }
        Ok(())
    }
}

/// Which blocks have an `id:` of their own: to a parser of the standard, one without repeats the one before.
#[derive(Debug, Default)]
struct Fields {
    line: Vec<u8>,
    has_id: bool,
    has_data: bool,
    complete: VecDeque<bool>,
}

impl Fields {
    /// The server ends its lines with LF.
    fn read(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                return;
            }
            self.has_id |= self.line.starts_with(b"id:");
            self.has_data |= self.line.starts_with(b"data:");
            if self.line == b"\n" {
                if self.has_id || self.has_data {
                    self.complete.push_back(self.has_id);
                }
                (self.has_id, self.has_data) = (false, false);
            }
            self.line.clear();
        }
    }

    /// For the next block that was not only a comment or a `retry:`.
    fn next_has_id(&mut self) -> bool {
        self.complete.pop_front().unwrap_or(false)
    }
}
