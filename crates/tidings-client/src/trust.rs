//! Whom to believe over TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::server::InvalidOptions;

/// What a handshake goes by.
pub(crate) type Trust = Arc<ClientConfig>;

/// Those whom this system believes, or whom `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
///
/// # Errors
/// There are none.
pub(crate) fn of_system() -> Result<Trust, InvalidOptions> {
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if good == 0 {
        return Err(InvalidOptions::Certificates(
            "this system has no CA certificates, which https needs: install the package ca-certificates, or name a \
             PEM file as `ca`"
                .to_owned(),
        ));
    }
    of(roots)
}

/// Those in this PEM file alone.
///
/// # Errors
/// It holds none that can be used.
pub(crate) fn of_file(path: &Path) -> Result<Trust, InvalidOptions> {
    let wrong = |why: &dyn std::fmt::Display| {
        InvalidOptions::Certificates(format!("{} cannot be used as `ca`: {why}", path.display()))
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| wrong(&error))?;
    if found.is_empty() {
        return Err(wrong(&"it holds no certificate in PEM"));
    }
    let mut roots = RootCertStore::empty();
    for cert in found {
        roots.add(cert).map_err(|error| wrong(&error))?;
    }
    of(roots)
}

fn of(roots: RootCertStore) -> Result<Trust, InvalidOptions> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidOptions::Certificates(format!("TLS cannot be set up: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let error = of_file(Path::new("nowhere.pem")).unwrap_err().to_string();
        assert!(error.contains("nowhere.pem"), "{error}");
    }
}
