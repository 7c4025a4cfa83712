//! Keys over `https`: whoever is not vouched for is not heard.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::fetch::{Address, trusting};

/// Serves `{}` under a certificate for `localhost`, which it also gives.
async fn site() -> (u16, CertificateDer<'static>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    (port, cert)
}

async fn fetched(url: &str, trusted: &CertificateDer<'static>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let address = Address::of(url, || trusting(roots))?;
    let fetched = address.get().await?;
    Ok(String::from_utf8_lossy(&fetched.body).into_owned())
}

#[tokio::test]
async fn a_host_is_who_its_certificate_says_to_whom_we_trust() {
    let ((port, cert), (_, other)) = (site().await, site().await);
    let named = format!("https://localhost:{port}/keys");
    assert_eq!(fetched(&named, &cert).await.as_deref(), Ok("{}"));
    for (name, url, trusted) in [
        ("somebody else's authority", named.clone(), &other),
        ("another name", format!("https://127.0.0.1:{port}/keys"), &cert),
        ("in the clear", format!("http://localhost:{port}/keys"), &cert),
    ] {
        let refused = fetched(&url, trusted).await.expect_err(name);
        assert!(name == "in the clear" || refused.starts_with("TLS failed: "), "{name}: {refused}");
    }
}
