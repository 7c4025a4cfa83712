//! A server under TLS, and clients that trust it and nobody else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, IpAddr, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tidings_acceptance::wait::until;
use tidings_acceptance::{Figures, Server, ServerOptions, Target};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::strict::take_response;
use crate::wire::{Wire, get, head};

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) type Secure = Wire<TlsStream<TcpStream>>;

/// A certificate that vouches for itself, and its key.
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Identity {
    pub(crate) fn make() -> Self {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned).to_vec();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self { cert: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
    }

    /// Puts both where a server looks for them.
    pub(crate) fn write(&self, folder: &Path) {
        write(&cert_file(folder), &self.cert);
        write(&key_file(folder), &self.key);
    }

    /// A client that trusts it.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[&str],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

pub(crate) fn cert_file(folder: &Path) -> PathBuf {
    folder.join("cert.pem")
}

pub(crate) fn key_file(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}

/// Replaces a file whole, for its owner alone.
pub(crate) fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// A server that speaks TLS, and what its clients need.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) target: Target,
    pub(crate) identity: Identity,
    markers: AtomicUsize,
}

impl World {
    pub(crate) async fn make(options: ServerOptions) -> Self {
        let identity = Identity::make();
        let mut server = Server::prepare(options);
        let folder = server.scratch().to_owned();
        identity.write(&folder);
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        server.options = std::mem::take(&mut server.options)
            .set("tls.cert", &path(cert_file(&folder)))
            .set("tls.key", &path(key_file(&folder)));
        server.spawn();
        let address = server.address();
        let nobody = Target::new(address, "");
        until(Duration::from_secs(20), "the server to be ready", async || {
            let mut wire = try_connect(&nobody, identity.client(&TLS13, &[])).await.ok()?;
            wire.send(head(&nobody, "GET", "/readyz", "1.1", "connection: close\r\n")).await;
            wire.read_to_end().await;
            wire.seen.starts_with(b"HTTP/1.1 200").then_some(())
        })
        .await;
        let target = server.master().await;
        Self { server, target, identity, markers: AtomicUsize::new(0) }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.server.scratch()
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.identity.client(&TLS13, &["http/1.1"])
    }

    pub(crate) async fn connect(&self) -> Secure {
        self.connect_as(self.client()).await
    }

    pub(crate) async fn connect_as(&self, client: Arc<ClientConfig>) -> Secure {
        try_connect(&self.target, client).await.unwrap()
    }

    /// One request on a connection of its own; the body of its answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut wire = self.connect().await;
        let length = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let more = format!("connection: close\r\n{}", if body.is_empty() { "" } else { &length });
        wire.send(head(&self.target, method, path, "1.1", &more) + body).await;
        assert_eq!(wire.read_to_end().await, crate::wire::End::Closed);
        let (head, body) = take_response(&mut &wire.seen[..]);
        assert_eq!(head.status, 200, "{}", String::from_utf8_lossy(&body));
        body
    }

    pub(crate) async fn publish(&self, body: &Value) {
        self.ask("POST", "/v1/publish", &body.to_string()).await;
    }

    pub(crate) async fn figures(&self) -> Figures {
        Figures::of(String::from_utf8(self.ask("GET", "/metrics", "").await).unwrap())
    }

    /// Publishes an event and waits until it has come over the wire, with nothing behind it that could push it.
    pub(crate) async fn mark(&self, wire: &mut Secure) {
        wire.read_until("$ready").await;
        let marker = format!("marker-{};", self.markers.fetch_add(1, Ordering::SeqCst));
        self.publish(&json!({"channel": "live", "type": "mark", "data": marker})).await;
        wire.read_until(&format!("{marker}\"}}")).await;
    }

    pub(crate) fn events(&self) -> String {
        get(&self.target, "/v1/events?channel=live")
    }

    pub(crate) fn hang_up(&self) {
        let process = Pid::from_raw(self.server.process().try_into().unwrap());
        kill(process, Signal::SIGHUP).unwrap();
    }

    /// The certificate that a client is shown that has never been here.
    pub(crate) async fn shown_to(&self, trusting: &Identity) -> Option<CertificateDer<'static>> {
        let wire = try_connect(&self.target, trusting.client(&TLS13, &[])).await.ok()?;
        wire.stream.get_ref().1.peer_certificates().map(|chain| chain[0].clone().into_owned())
    }
}

pub(crate) async fn try_connect(target: &Target, client: Arc<ClientConfig>) -> std::io::Result<Secure> {
    let tcp = TcpStream::connect(target.address).await?;
    tcp.set_nodelay(true)?;
    over(tcp, client).await
}

/// The handshake on a socket of the test's making.
pub(crate) async fn over(tcp: TcpStream, client: Arc<ClientConfig>) -> std::io::Result<Secure> {
    let name = ServerName::IpAddress(IpAddr::from(tcp.peer_addr()?.ip()));
    let stream = TlsConnector::from(client).connect(name, tcp).await?;
    Ok(Wire { stream, seen: Vec::new() })
}
