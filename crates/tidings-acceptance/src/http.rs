//! HTTP/1.1 on a bare socket: what is sent and when the connection ends is in the test's hands.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tidings_protocol::chunk::{Decoder, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::Target;

/// Largest response head that is taken.
const HEAD_BYTES: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// The head of a response.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
}

impl Head {
    /// The value of a header, the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn parse(text: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| invalid("a response head that is not UTF-8"))?;
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| invalid(&format!("no status line: {status_line:?}")))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Self { status, headers })
    }
}

impl Answer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The problem's `code`, empty where there is none.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The text of a request with the target's credential; `more` are further header lines, each ending in CRLF.
#[must_use]
pub fn request(target: &Target, method: &str, path: &str, more: &str, body: Option<&str>) -> Vec<u8> {
    let length = body.map_or(String::new(), |body| {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    });
    let (address, credential) = (target.address, target.credential());
    let body = body.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{credential}\r\n{more}{length}\r\n{body}")
        .into_bytes()
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The socket's.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// A connection that was made by the test.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The socket: reading from it takes bytes from the client.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The socket alone; what was read and not used is lost.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The socket's.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads more into the buffer.
    ///
    /// # Errors
    /// The socket's; `UnexpectedEof` at its end.
    pub async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Whether the server has neither closed nor said anything that was not asked for.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0u8; 1]);
        self.buffer.is_empty() && nothing.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// What was read and not used.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Reads the head of a response.
    ///
    /// # Errors
    /// The socket's, and `InvalidData` for what is no response.
    pub async fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = Head::parse(&self.buffer[..end])?;
                self.buffer.advance(end + 4);
                return Ok(head);
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(invalid("a response head without an end"));
            }
            self.fill().await?;
        }
    }

    /// Reads the body that belongs to `head`.
    ///
    /// # Errors
    /// The socket's, and `InvalidData` for bad framing.
    pub async fn body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunked_body().await;
        }
        let length = head.header("content-length").map_or(Ok(0), str::parse);
        let length: usize = length.map_err(|_| invalid("a content-length that is no number"))?;
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).to_vec())
    }

    async fn chunked_body(&mut self) -> io::Result<Vec<u8>> {
        let (mut decoder, mut body) = (Decoder::default(), Vec::new());
        loop {
            let mut input = &self.buffer[..];
            let mut ended = false;
            while let Some(part) = decoder.decode(&mut input).map_err(|error| invalid(&error.to_string()))? {
                match part {
                    Part::Data(data) => body.extend_from_slice(data),
                    Part::End => ended = true,
                }
            }
            let used = self.buffer.len() - input.len();
            self.buffer.advance(used);
            if ended {
                return Ok(body);
            }
            self.fill().await?;
        }
    }

    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// The socket's, and `InvalidData`.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request).await?;
        self.answer().await
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// The socket's, and `InvalidData`.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        let body = self.body(&head).await?;
        Ok(Answer { head, body })
    }

    /// Closes at once, with a reset: what the server still sends is not taken.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// The socket's, and `InvalidData`.
pub async fn ask(target: &Target, method: &str, path: &str, body: Option<&str>) -> io::Result<Answer> {
    let request = request(target, method, path, "connection: close\r\n", body);
    Connection::open(target.address).await?.exchange(&request).await
}

pub(crate) fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}
