//! Server-sent events over HTTP/2, by prior knowledge (RFC 9113, 3.3).

use std::collections::VecDeque;
use std::io;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidings_acceptance::frames::Parser;
use tidings_acceptance::{Frame, Target};
use tokio::net::TcpStream;

/// One stream on a connection of its own.
pub(crate) struct H2 {
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Frame>,
    _requests: http2::SendRequest<Empty<Bytes>>,
}

impl H2 {
    /// Opens a stream; the status where it is refused.
    pub(crate) async fn open(target: &Target, path: &str) -> Result<Self, u16> {
        let socket = TcpStream::connect(target.address).await.unwrap();
        let (mut requests, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let credential = target.credential();
        let (name, value) = credential.split_once(": ").unwrap();
        let request = Request::get(format!("http://{}{path}", target.address)).header(name, value);
        let response = requests.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
        match response.status().as_u16() {
            200 => {
                let (parser, ready) = (Parser::default(), VecDeque::new());
                Ok(Self { body: response.into_body(), parser, ready, _requests: requests })
            }
            status => Err(status),
        }
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(io::Error::other)?;
            if let Ok(data) = frame.into_data() {
                self.ready.extend(self.parser.push(&data)?);
            }
        }
    }
}
