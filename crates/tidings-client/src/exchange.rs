//! One request and its answer, over connections that are kept.
//!
//! HTTP/1.1. Connecting takes 10 seconds at most, an answer has 4 MiB at most, a connection on which nothing was asked for 20
//! seconds is closed. Redirects are not followed: the credential goes to the server that was named, and nowhere else.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::IgnoredAny;
use tidings_protocol::Cursor;
use tokio::time::timeout;

use crate::connector::Connector;
use crate::credential::Shown;
use crate::refusal::Refusal;
use crate::server::{InvalidOptions, Server};
use crate::trust;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 4 << 20;
/// A connection that nothing was asked on for so long is closed. Shorter than proxies and the server wait.
const IDLE: Duration = Duration::from_secs(20);
/// Most connections that are kept while nothing is asked on them.
const IDLE_CONNECTIONS: usize = 16;

/// Why there is no answer to go on with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// The server could not be reached: nothing was asked.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke, no answer came in time, or something else than a server of Tidings answered: whether the
    /// request had its effect is unknown.
    #[error("{0}")]
    Broken(String),
    /// The server refused: nothing of the request has happened, but where the status is 5xx that is not certain.
    #[error("{0}")]
    Refused(Refusal),
}

impl Trouble {
    /// Whether the same request may be answered later: always, but for refusals that are not
    /// [temporary](Refusal::is_temporary).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Refused(refusal) => refusal.is_temporary(),
        }
    }

    /// The refusal, where it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Unreachable(_) | Self::Broken(_) => None,
        }
    }
}

/// A request that can be sent again as it is.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Begins with a slash.
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: Bytes,
    pub(crate) shown: Shown,
}

/// What carries calls: the network, or a test.
pub(crate) trait Exchange: Send + Sync + fmt::Debug + 'static {
    /// Posts the call and reads the whole answer, in at most `limit`.
    fn post<'a>(&'a self, call: &'a Call, limit: Duration) -> BoxFuture<'a, Result<Bytes, Trouble>>;
}

/// One server over the network.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    server: Server,
    client: Client<Connector, Full<Bytes>>,
}

impl Http {
    /// For the server of this URL, else of the environment; over TLS the certificates of `ca`, else of the system, are
    /// believed.
    ///
    /// # Errors
    /// [`InvalidOptions`]: the URL or the certificates.
    pub(crate) fn new(url: Option<&str>, ca: Option<&Path>) -> Result<Self, InvalidOptions> {
        let server = Server::find(url)?;
        let trust = match (ca, server.is_secure) {
            (_, false) => None,
            (None, true) => Some(trust::of_system()?),
            (Some(file), true) => Some(trust::of_file(file)?),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(Connector { trust });
        Ok(Self { server, client })
    }

    /// Opens a stream of events; `None` is the answer 204.
    ///
    /// # Errors
    /// [`Trouble`], also where the answer is no stream of events.
    pub(crate) async fn stream(&self, path: &str, shown: &Shown) -> Result<Option<Incoming>, Trouble> {
        let request = self.request(Method::GET, path, shown).header(header::ACCEPT, "text/event-stream");
        let response = self.send(request.body(Full::default())).await?;
        if response.status() == http::StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        if kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            return Ok(Some(response.into_body()));
        }
        Err(self.broken(&"the answer is no stream of events: is something else in between?"))
    }

    /// Reads a record: its JSON, and the position at which it was read, where the answer says so.
    ///
    /// # Errors
    /// [`Trouble`], also where the answer is no JSON.
    pub(crate) async fn record(
        &self,
        path: &str,
        shown: &Shown,
        limit: Duration,
    ) -> Result<(Bytes, Option<Cursor>), Trouble> {
        let request = self.request(Method::GET, path, shown).header(header::ACCEPT, "application/json");
        let reading = async {
            let response = self.send(request.body(Full::default())).await?;
            let (head, body) = response.into_parts();
            let cursor = head.headers.get("tidings-cursor");
            let cursor = cursor.and_then(|cursor| Cursor::from_bytes(cursor.as_bytes()).ok());
            let text = self.read(body).await?;
            if serde_json::from_slice::<IgnoredAny>(&text).is_err() {
                return Err(self.broken(&"the answer is no JSON: is something else in between?"));
            }
            Ok((text, cursor))
        };
        self.in_time(limit, reading).await
    }

    /// The whole body.
    async fn read(&self, body: Incoming) -> Result<Bytes, Trouble> {
        let read = Limited::new(body, ANSWER_BYTES).collect().await;
        Ok(read.map_err(|error| self.broken(&error))?.to_bytes())
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(self.broken(&format_args!("it took longer than {limit:?}"))))
    }

    fn request(&self, method: Method, path: &str, shown: &Shown) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(self.server.url(path))
            .header(header::USER_AGENT, concat!("tidings-client/", env!("CARGO_PKG_VERSION")));
        match &shown.0 {
            Some(value) => request.header(header::AUTHORIZATION, value),
            None => request,
        }
    }

    /// Sends the request; an answer that is not a success becomes a [`Trouble::Refused`].
    async fn send(
        &self,
        request: Result<Request<Full<Bytes>>, http::Error>,
    ) -> Result<Response<Incoming>, Trouble> {
        let request = request.map_err(|error| self.broken(&error))?;
        let response = self.client.request(request).await.map_err(|error| self.failed(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        // A refusal whose reason is cut off may be another one than its status alone says: it is no answer.
        let body = self.read(body).await?;
        Err(Trouble::Refused(Refusal::read(head.status, &head.headers, &body)))
    }

    fn failed(&self, error: &ClientError) -> Trouble {
        let mut why: &dyn Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        if error.is_connect() {
            Trouble::Unreachable(format!("the server at {} cannot be reached: {why}", self.server.as_str()))
        } else {
            self.broken(&why)
        }
    }

    fn broken(&self, why: &dyn fmt::Display) -> Trouble {
        Trouble::Broken(format!("there was no answer from {}: {why}", self.server.as_str()))
    }
}

impl Exchange for Http {
    fn post<'a>(&'a self, call: &'a Call, limit: Duration) -> BoxFuture<'a, Result<Bytes, Trouble>> {
        Box::pin(async move {
            let request = self
                .request(Method::POST, &call.path, &call.shown)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::from(call.body.clone()));
            let exchange = async {
                let response = self.send(request).await?;
                self.read(response.into_body()).await
            };
            self.in_time(limit, exchange).await
        })
    }
}
