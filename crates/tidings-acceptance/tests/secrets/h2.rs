//! Requests over HTTP/2, whose library has words of its own for a log.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// A request: method, path, header fields, body.
pub(crate) type Asked = (&'static str, String, Vec<(&'static str, String)>, String);

/// Sends them on one connection; the statuses and bodies.
pub(crate) async fn ask(address: SocketAddr, asked: Vec<Asked>) -> Vec<(u16, Vec<u8>)> {
    let socket = TcpStream::connect(address).await.unwrap();
    let client = http2::Builder::new(TokioExecutor::new());
    let (mut requests, connection) = client.handshake(TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let mut answers = Vec::new();
    for (method, path, fields, body) in asked {
        let mut request = Request::builder().method(method).uri(format!("http://tidings{path}"));
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let mut response = requests.send_request(request).await.unwrap();
        let mut seen = format!("{:?}", response.headers()).into_bytes();
        let is_stream = response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
        while let Some(frame) = response.body_mut().frame().await {
            if let Ok(data) = frame.unwrap().into_data() {
                seen.extend_from_slice(&data);
            }
            if is_stream {
                break;
            }
        }
        answers.push((response.status().as_u16(), seen));
    }
    connection.abort();
    answers
}
