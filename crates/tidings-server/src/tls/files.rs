//! The certificate and its key: read, and judged.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};

use crate::config::TlsFiles;

/// Most bytes that are read of a file: a chain has a few thousand.
const FILE_BYTES: u64 = 1024 * 1024;

/// What is offered by ALPN (RFC 7301), the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What tells two states of the files apart.
pub type Digest = [u8; 32];

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The file system refuses.
    #[error("{key} {} cannot be read: {error}", path.display())]
    Unreadable {
        /// Of the configuration.
        key: &'static str,
        /// What it names.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// More than a mebibyte.
    #[error("{key} {} is larger than a mebibyte: name a PEM file", path.display())]
    TooLarge {
        /// Of the configuration.
        key: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// Its PEM is broken (RFC 7468).
    #[error("{key} {} is no sound PEM file: {error:?}", path.display())]
    NotPem {
        /// Of the configuration.
        key: &'static str,
        /// What it names.
        path: PathBuf,
        /// Where it breaks.
        error: pem::Error,
    },
    /// No `CERTIFICATE` in it.
    #[error("tls.cert {} holds no certificate: write the server's own first, then those that lead to a known one, in PEM", path.display())]
    NoCertificate {
        /// What `tls.cert` names.
        path: PathBuf,
    },
    /// No key in it that can be read without a passphrase.
    #[error("tls.key {} holds no key that can be read: write it as PKCS#8, PKCS#1 or SEC1 in PEM, without a passphrase", path.display())]
    NoKey {
        /// What `tls.key` names.
        path: PathBuf,
    },
    /// Two files that do not belong together.
    #[error("the key {} is not that of the certificate {}: name the two that were made together", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
    },
    /// Anything else that the TLS library finds.
    #[error("the certificate {} and its key cannot be used: {error}", cert.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// What the library says.
        error: rustls::Error,
    },
}

/// The files as they were at one moment.
#[derive(Debug)]
pub struct Look(Result<Pair, TlsFault>);

struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Look {
    /// Reads both. Blocks on the file system.
    #[must_use]
    pub fn at(files: &TlsFiles) -> Self {
        let cert = read("tls.cert", &files.cert);
        Self(cert.and_then(|cert| Ok(Pair { cert, key: read("tls.key", &files.key)? })))
    }

    /// What tells it from another look.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = Sha256::new();
        match &self.0 {
            Ok(pair) => {
                digest.update((pair.cert.len() as u64).to_be_bytes());
                digest.update(&pair.cert);
                digest.update(&pair.key);
            }
            Err(fault) => digest.update(fault.to_string()),
        }
        digest.finalize().into()
    }

    /// What a handshake takes: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. The tickets have keys of their own, so that a client
    /// that was here under an earlier certificate is shown this one.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn config(self, files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsFault> {
        let pair = self.0?;
        let chain = certificates(&pair.cert, &files.cert)?;
        let key = private_key(&pair.key, &files.key)?;
        let unusable = |error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsFault::Mismatch { cert: files.cert.clone(), key: files.key.clone() }
            }
            error => TlsFault::Unusable { cert: files.cert.clone(), error },
        };
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
        Ok(Arc::new(config))
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsFault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > FILE_BYTES => Err(TlsFault::TooLarge { key, path: path.to_owned() }),
        Ok(_) => Ok(bytes),
        Err(error) => Err(TlsFault::Unreadable { key, path: path.to_owned(), error }),
    }
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| TlsFault::NotPem { key: "tls.cert", path: path.to_owned(), error })?;
    if chain.is_empty() { Err(TlsFault::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsFault::NoKey { path: path.to_owned() },
        error => TlsFault::NotPem { key: "tls.key", path: path.to_owned(), error },
    })
}

/// What to say where users who are neither the key's owner nor of its group can read it.
#[must_use]
pub fn readable_by_others(files: &TlsFiles) -> Option<String> {
    let mode = std::fs::metadata(&files.key).ok()?.permissions().mode();
    let path = files.key.display();
    (mode & 0o004 != 0).then(|| {
        format!(
            "tls.key {path} can be read by every user of this machine: take that away with `chmod o-r {path}`"
        )
    })
}
