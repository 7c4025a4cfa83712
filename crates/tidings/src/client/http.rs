//! One request a connection, HTTP/1.1.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::refusal::Refusal;
use super::target::Target;
use crate::failure::Failure;

/// Connecting takes at most so long, and so does the head of an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer that is read whole, in bytes.
const ANSWER_BYTES: usize = 64 << 20;

/// Why there is no answer to go on with.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server cannot be reached; nothing was asked.
    Unreachable(String),
    /// The connection broke before the answer was there.
    Broken(String),
    /// The server refuses.
    Refused(Refusal),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(message) | Trouble::Broken(message) => Self::new(message),
            Trouble::Refused(refusal) => refusal.into(),
        }
    }
}

/// Bytes to a server and back, over TLS or not.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<Io: AsyncRead + AsyncWrite + Send + Unpin> Connection for Io {}

/// Talks to one server with one key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    target: Target,
}

impl Client {
    /// For this server and key.
    pub(crate) const fn new(target: Target) -> Self {
        Self { target }
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// [`Trouble`], also where the answer is not a success.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Bytes, Trouble> {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        let response = self.open(request.body(Full::from(body)).map_err(|error| malformed(&error))?).await?;
        let read = timeout(PATIENCE, Limited::new(response.into_body(), ANSWER_BYTES).collect()).await;
        match read {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.broken(&"it took too long")),
        }
    }

    /// Opens a stream of events, after `last` if it is not empty.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(crate) async fn stream(&self, path: &str, last: &str) -> Result<Response<Incoming>, Trouble> {
        let mut request = self.request(Method::GET, path).header(header::ACCEPT, "text/event-stream");
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        self.open(request.body(Full::default()).map_err(|error| malformed(&error))?).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.target.prefix))
            .header(header::HOST, &self.target.authority)
            .header(header::USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")));
        if self.target.key.is_empty() {
            return request;
        }
        request.header(header::AUTHORIZATION, format!("Bearer {}", self.target.key))
    }

    /// Sends the request; an answer that is not a success becomes a [`Trouble::Refused`].
    async fn open(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Trouble> {
        let stream = match timeout(PATIENCE, self.connect()).await {
            Ok(connected) => connected.map_err(|error| self.unreachable(&error))?,
            Err(_) => return Err(self.unreachable(&io::ErrorKind::TimedOut.into())),
        };
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // It ends by itself once the answer has been read or dropped.
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = match timeout(PATIENCE, exchange).await {
            Ok(answered) => answered.map_err(|error| self.broken(&error))?,
            Err(_) => return Err(self.broken(&"it does not answer")),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let read = timeout(PATIENCE, Limited::new(body, ANSWER_BYTES).collect()).await;
        let body = read.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Err(Trouble::Refused(Refusal::read(head.status, &head.headers, &body)))
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        let stream = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
        stream.set_nodelay(true)?;
        let Some(trust) = &self.target.trust else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.target.host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(trust.clone()).connect(name, stream).await?))
    }

    fn unreachable(&self, error: &io::Error) -> Trouble {
        let authority = &self.target.authority;
        Trouble::Unreachable(match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!(
                    "no server listens at {authority}: start it with `tidings serve`, or name another by --server"
                )
            }
            io::ErrorKind::TimedOut => {
                format!("the server at {authority} cannot be reached: it took too long")
            }
            _ if is_about_certificate(error) => {
                format!(
                    "the server at {authority} cannot be believed: {error}; name the certificate that vouches for it \
                     by --ca, or its own"
                )
            }
            _ => format!("the server at {authority} cannot be reached: {error}"),
        })
    }

    fn broken(&self, why: &dyn std::fmt::Display) -> Trouble {
        Trouble::Broken(format!(
            "the connection to {} broke before the answer was there: {why}",
            self.target.authority
        ))
    }
}

fn is_about_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn malformed(error: &http::Error) -> Trouble {
    Trouble::Broken(format!("the request cannot be written: {error}"))
}
