//! Fetches a key set's document: one GET over a connection of its own.
//!
//! Bounded in time, head and body. No redirect is followed and nothing that the answer says leads anywhere else; over
//! `http` only loopback is asked, and what answers there is checked again once it is connected.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// The whole fetch must be over by then.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest document.
const BODY_BYTES: usize = 256 * 1024;

/// The largest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// A document, and for how long its sender says it is good.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) body: Bytes,
    pub(super) max_age: Option<Duration>,
}

/// Where a document is.
pub(super) struct Address {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.uri)
    }
}

/// Whether a document may be fetched from there.
///
/// # Errors
/// Why not, and what to write.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    parse(url).map(drop)
}

fn parse(url: &str) -> Result<(Uri, String, u16), String> {
    let wrong = |why: &str| format!("`{url}` {why}: write e.g. https://id.example.org/.well-known/jwks.json");
    let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // A password in a URL ends up in logs; a fragment is never sent.
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) || url.contains('#') {
        return Err(wrong("has a user or a fragment"));
    }
    let own_port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") if is_local(&host) => 80,
        Some("http") => {
            return Err(wrong("is fetched in the clear, where anybody on the way could put keys in"));
        }
        _ => return Err(wrong("has no scheme that is understood")),
    };
    let port = uri.port_u16().unwrap_or(own_port);
    Ok((uri, host, port))
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What is trusted to vouch for other hosts: the system's own certificates, or those that `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name.
///
/// # Errors
/// There are none.
pub(super) fn system_trust() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        return Err(
            "this system has no CA certificates, which https needs: install the package ca-certificates, or \
                    name a PEM file in SSL_CERT_FILE"
                .to_owned(),
        );
    }
    trusting(roots)
}

pub(super) fn trusting(roots: rustls::RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Address {
    /// Reads a URL. `trust` is asked only for `https`.
    ///
    /// # Errors
    /// As [`check_url`], and what `trust` says.
    pub(super) fn of(
        url: &str,
        trust: impl FnOnce() -> Result<Arc<ClientConfig>, String>,
    ) -> Result<Self, String> {
        let (uri, host, port) = parse(url)?;
        let tls = if uri.scheme_str() == Some("https") {
            let name =
                ServerName::try_from(host.clone()).map_err(|_| format!("`{host}` is no host's name"))?;
            Some((TlsConnector::from(trust()?), name))
        } else {
            None
        };
        Ok(Self { uri, host, port, tls })
    }

    /// Fetches the document.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub(super) async fn get(&self) -> Result<Fetched, String> {
        let fetched = tokio::time::timeout(TIMEOUT, self.get_unbounded()).await;
        fetched.unwrap_or_else(|_| Err(format!("there was no answer within {} s", TIMEOUT.as_secs())))
    }

    async fn get_unbounded(&self) -> Result<Fetched, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
        match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                self.exchange(stream.map_err(|error| format!("TLS failed: {error}"))?).await
            }
            None if stream.peer_addr().is_ok_and(is_loopback) => self.exchange(stream).await,
            None => Err("the host is not on loopback, and http is for loopback alone".to_owned()),
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Fetched, String> {
        let failed = |error: hyper::Error| format!("the request failed: {error}");
        let mut builder = http1::Builder::new();
        let handshake = builder.max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(failed)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let response = sender.send_request(self.request()?).await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it was answered {}", response.status()));
        }
        let max_age = max_age(response.headers());
        let body = Limited::new(response.into_body(), BODY_BYTES).collect().await;
        let body = body.map_err(|error| format!("the document cannot be read: {error}"))?;
        Ok(Fetched { body: body.to_bytes(), max_age })
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, String> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let request = Request::get(path)
            .header(header::HOST, host)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, "tidings")
            .body(Empty::new());
        request.map_err(|error| error.to_string())
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// RFC 9111 section 5.2.2; what must not be kept at all is good for no time.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut found = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            found = found.or_else(|| seconds.trim_matches('"').parse().ok().map(Duration::from_secs));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_leaves_the_machine() {
        for good in [
            "https://id.example.org/jwks.json",
            "https://id.example.org:8443/a?b=c",
            "http://127.0.0.1:8081/jwks",
            "http://localhost/jwks",
            "http://[::1]:81/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://id.example.org/jwks.json",
            "http://127.0.0.1.example.org/",
            "http://0.0.0.0/",
            "https://user:secret@id.example.org/",
            "https://id.example.org/#x",
            "ftp://id.example.org/",
            "file:///etc/passwd",
            "id.example.org/jwks",
            "https://",
            "",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_age_is_taken_as_said() {
        let age = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CACHE_CONTROL, value.parse().unwrap());
            }
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(age(&[]), None);
        assert_eq!(age(&["public, Max-Age=300"]), Some(300));
        assert_eq!(age(&["public", "max-age=\"7\""]), Some(7));
        assert_eq!(age(&["max-age=300, no-store"]), Some(0));
        assert_eq!(age(&["max-age=-1"]), None);
    }
}
