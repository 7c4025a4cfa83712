//! Bytes as they come, and a reading of them that forgives nothing.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod strict;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tidings_acceptance::Target;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A connection and everything that came over it.
pub(crate) struct Wire<Stream = TcpStream> {
    pub(crate) stream: Stream,
    pub(crate) seen: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
    /// Under TLS: without the word that nothing more comes.
    Truncated,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, seen: Vec::new() }
    }

    /// The same with little room for what comes.
    pub(crate) async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        Self { stream: socket.connect(address).await.unwrap(), seen: Vec::new() }
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> Wire<Stream> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// One byte after the other, each in a segment of its own.
    pub(crate) async fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// No more will be sent.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads until these bytes have come, which nothing before may hold.
    pub(crate) async fn read_until(&mut self, text: &str) {
        let mut looked = 0;
        let reading = async {
            while !self.seen[looked..].windows(text.len()).any(|window| window == text.as_bytes()) {
                looked = self.seen.len().saturating_sub(text.len());
                assert!(self.stream.read_buf(&mut self.seen).await.unwrap() > 0, "{}", self.shown());
            }
        };
        if timeout(PATIENCE, reading).await.is_err() {
            panic!("waited in vain for {text:?}: {}", self.shown());
        }
    }

    /// Reads until the server ends the connection.
    pub(crate) async fn read_to_end(&mut self) -> End {
        let reading = async {
            loop {
                match self.stream.read_buf(&mut self.seen).await {
                    Ok(0) => return End::Closed,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return End::Reset,
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return End::Truncated,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        match timeout(PATIENCE, reading).await {
            Ok(end) => end,
            Err(_) => panic!("waited in vain for the end: {}", self.shown()),
        }
    }

    fn shown(&self) -> String {
        let from = self.seen.len().saturating_sub(2_000);
        format!("{:?}", String::from_utf8_lossy(&self.seen[from..]))
    }
}

/// The text of a request without a body.
pub(crate) fn get(target: &Target, path: &str) -> String {
    head(target, "GET", path, "1.1", "")
}

/// The text of a request's head.
pub(crate) fn head(target: &Target, method: &str, path: &str, version: &str, more: &str) -> String {
    let Target { address, key } = target;
    format!("{method} {path} HTTP/{version}\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n{more}\r\n")
}

/// What makes a request an upgrade (RFC 6455, 1.3, with its own example key).
pub(crate) const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
