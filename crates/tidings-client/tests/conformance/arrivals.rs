//! The other end of the wire: takes down what is asked, and hands over the connection that it was asked on.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A request that has arrived, with the connection for its answer.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    head: String,
    pub(crate) body: String,
    pub(crate) stream: TcpStream,
}

impl Arrival {
    /// The values of a parameter, sorted.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> =
            self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect();
        found.sort();
        found
    }

    /// The first value of a header, the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of_line = |line: &'_ str| line.split_once(':').map(|(name, _)| name.to_ascii_lowercase());
        let line = self.head.lines().find(|line| of_line(line).as_deref() == Some(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    /// Everything that was said before the body.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// Whether the client has gone.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stream.try_read(&mut [0; 1]), Ok(0))
    }
}

/// A server of one case.
#[derive(Debug)]
pub(crate) struct Arrivals {
    pub(crate) address: SocketAddr,
    arrived: mpsc::Receiver<Arrival>,
    listening: JoinHandle<()>,
}

impl Arrivals {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (out, arrived) = mpsc::channel(64);
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let out = out.clone();
                tokio::spawn(async move {
                    if let Some(arrival) = read(stream).await {
                        let _ = out.send(arrival).await;
                    }
                });
            }
        });
        Self { address, arrived, listening }
    }

    /// The next request, if one comes in time.
    pub(crate) async fn next(&mut self, limit: Duration) -> Option<Arrival> {
        timeout(limit, self.arrived.recv()).await.ok().flatten()
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn read(mut stream: TcpStream) -> Option<Arrival> {
    stream.set_nodelay(true).ok()?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut chunk).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), unescape(value))
    };
    let body = body(&mut stream, &head, bytes.split_off(end + 4)).await?;
    let query = query.split('&').filter(|part| !part.is_empty()).map(pair).collect();
    Some(Arrival { method, path: path.to_owned(), query, head, body, stream })
}

async fn body(stream: &mut TcpStream, head: &str, mut bytes: Vec<u8>) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
    let mut chunk = [0; 4096];
    while bytes.len() < length {
        match stream.read(&mut chunk).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    String::from_utf8(bytes).ok()
}

fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escaped =
            (*first == b'%').then(|| text_of(tail).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
        match escaped.flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(tail: &[u8]) -> Option<&str> {
    std::str::from_utf8(tail.get(..2)?).ok()
}

/// Writes a whole answer.
pub(crate) async fn answer(stream: &mut TcpStream, status: u64, headers: &str, body: &str) {
    let has_length = headers.to_ascii_lowercase().contains("content-length") || status == 204;
    let length = if has_length { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}{length}\r\n{body}");
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Writes a chunk of a response.
pub(crate) async fn chunk(stream: &mut TcpStream, bytes: &[u8]) {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    let _ = stream.write_all(&framed).await;
}
