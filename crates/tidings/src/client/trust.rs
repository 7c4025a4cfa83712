//! Whom a client believes that speaks TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::failure::Failure;

/// What a handshake goes by.
pub(crate) type Trust = Arc<ClientConfig>;

/// Those whom this system believes, or whom `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
///
/// # Errors
/// There are none.
pub(crate) fn of_system() -> Result<Trust, Failure> {
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if good == 0 {
        return Err(Failure::new(
            "this system has no CA certificates, which https needs: install the package ca-certificates, or name a \
             PEM file by --ca",
        ));
    }
    of(roots)
}

/// Those in this file alone.
///
/// # Errors
/// It holds none.
pub(crate) fn of_file(path: &Path) -> Result<Trust, Failure> {
    let mut roots = RootCertStore::empty();
    for cert in certificates(path)? {
        let unusable =
            |error| Failure::usage(format!("a certificate in {} cannot be used: {error}", path.display()));
        roots.add(cert).map_err(unusable)?;
    }
    of(roots)
}

/// The first certificate of this file and no other, whatever names stand in it: for a server that has the same file.
///
/// # Errors
/// It holds none.
pub(crate) fn exactly(path: &Path) -> Result<Trust, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Some(cert) = certificates(path)?.into_iter().next() else { return Err(none_in(path)) };
    let verifier = Exactly { cert, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| cannot_be_set_up(&error))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn of(roots: RootCertStore) -> Result<Trust, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| cannot_be_set_up(&error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn cannot_be_set_up(error: &Error) -> Failure {
    Failure::new(format!("TLS cannot be set up: {error}"))
}

fn none_in(path: &Path) -> Failure {
    Failure::usage(format!("{} holds no certificate in PEM", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| {
        Failure::usage(format!("cannot read certificates from {}: {error}", path.display()))
    })?;
    if found.is_empty() { Err(none_in(path)) } else { Ok(found) }
}

#[derive(Debug)]
struct Exactly {
    cert: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.cert {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
