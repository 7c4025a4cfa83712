//! One side of a connection that passes through: requests and answers as the bytes they are.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::http::{Head, invalid};

/// Bytes that are read at a time, at most.
const READ_BYTES: usize = 64 * 1024;

/// A socket and what was read from it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    buffer: BytesMut,
}

/// A whole request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) bytes: Bytes,
}

impl Wire {
    pub(super) fn over(stream: TcpStream) -> Self {
        // Bytes that are passed on by themselves are to arrive so.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next request; `None` where the client has ended.
    pub(super) async fn request(&mut self) -> io::Result<Option<Request>> {
        let Some(end) = self.head_end().await? else { return Ok(None) };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let mut line = head.split(' ');
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let length = head.lines().filter_map(|line| line.split_once(':'));
        let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
        let bytes = self.take(end + length).await?;
        Ok(Some(Request { method: method.to_owned(), target: target.to_owned(), bytes }))
    }

    /// A whole answer that says its length.
    pub(super) async fn answer(&mut self) -> io::Result<Bytes> {
        let end = self.head_end().await?.ok_or_else(|| invalid("no answer"))?;
        let head = Head::parse(&self.buffer[..end - 4])?;
        let length = head.header("content-length").and_then(|length| length.parse::<usize>().ok());
        let length = if head.status == 204 { Some(0) } else { length };
        self.take(end + length.ok_or_else(|| invalid("an answer without a length"))?).await
    }

    /// The head of an answer.
    pub(super) async fn head(&mut self) -> io::Result<Bytes> {
        let end = self.head_end().await?.ok_or_else(|| invalid("no answer"))?;
        self.take(end).await
    }

    /// What there is; an error at the end.
    pub(super) async fn bytes(&mut self) -> io::Result<Bytes> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.buffer.split().freeze())
    }

    /// Where the head that is being read ends; `None` where nothing comes any more.
    async fn head_end(&mut self) -> io::Result<Option<usize>> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Some(at + 4));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn take(&mut self, count: usize) -> io::Result<Bytes> {
        while self.buffer.len() < count {
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.split_to(count).freeze())
    }

    async fn fill(&mut self) -> io::Result<bool> {
        // What the other side has written at once is to be seen at once.
        self.buffer.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

/// Waits until the other side has closed.
pub(super) async fn gone(stream: &mut TcpStream) {
    let mut rest = [0u8; 512];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

/// Whether the bytes end with the last chunk of a body.
pub(super) fn last_chunk(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n0\r\n\r\n") || bytes == b"0\r\n\r\n"
}
