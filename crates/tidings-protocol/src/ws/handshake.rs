//! The opening handshake: whether a request's headers ask for a WebSocket, and the answer's key.
//!
//! Leaves out: the method (GET), the HTTP version (1.1), `Host` and `Origin`, which the router and the server's own
//! rules look at, and extensions and sub-protocols, of which none is agreed to.
//!
//! Source: RFC 6455, 4.2.1 and 4.2.2; lists in headers as in RFC 9110, 5.3 and 5.6.1.

use std::fmt;

use sha1::{Digest, Sha1};

use super::base64;

/// The one version there is, as in `Sec-WebSocket-Version`.
pub const VERSION: &str = "13";

/// What is appended to every key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptKey(String);

impl AcceptKey {
    /// The text: 28 characters of base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A `Sec-WebSocket-Key` that is not the base64 of 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Key is not the base64 of 16 bytes")]
pub struct InvalidKey;

/// Why a request cannot be upgraded to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No `Upgrade` header names `websocket`.
    #[error("no 'Upgrade: websocket': this address speaks WebSocket only")]
    NoUpgrade,
    /// No `Connection` header names `upgrade`. Often a proxy's doing.
    #[error("no 'Connection: Upgrade': a proxy on the way may have removed it")]
    NoConnectionUpgrade,
    /// `Sec-WebSocket-Version` is missing.
    #[error("Sec-WebSocket-Version is missing")]
    NoVersion,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("Sec-WebSocket-Version must be 13")]
    OtherVersion,
    /// `Sec-WebSocket-Key` is missing.
    #[error("Sec-WebSocket-Key is missing")]
    NoKey,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// A header that may occur once occurs more often; its name.
    #[error("{0} occurs more than once")]
    Repeated(&'static str),
}

impl Refusal {
    /// The HTTP status of the answer: 426 for another version, else 400.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::OtherVersion => 426,
            _ => 400,
        }
    }

    /// What `Sec-WebSocket-Version` in the answer must say, if it must be there: with 426 (RFC 6455, 4.4).
    #[must_use]
    pub const fn version_header(self) -> Option<&'static str> {
        match self {
            Self::OtherVersion => Some(VERSION),
            _ => None,
        }
    }
}

/// Checks the headers of a request for a WebSocket; names in any case, values as received, in any order.
///
/// `Upgrade` and `Connection` are lists, perhaps over several headers, read without regard to case.
///
/// # Errors
/// [`Refusal`]: the first thing wrong, in the order in which its variants stand; repetitions come last.
pub fn accept_upgrade<'a, N>(headers: impl IntoIterator<Item = (N, &'a [u8])>) -> Result<AcceptKey, Refusal>
where
    N: AsRef<str>,
{
    let mut asked = Asked::default();
    for (name, value) in headers {
        asked.read(name.as_ref(), value.trim_ascii());
    }
    asked.answer()
}

/// The value of `Sec-WebSocket-Accept` for this `Sec-WebSocket-Key`.
///
/// # Errors
/// [`InvalidKey`] unless the key is the base64 of 16 bytes: 24 characters.
pub fn accept_key(key: &[u8]) -> Result<AcceptKey, InvalidKey> {
    if !base64::is_of_16_bytes(key) {
        return Err(InvalidKey);
    }
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    Ok(AcceptKey(base64::encode(&digest)))
}

/// The `Sec-WebSocket-Key` that a client makes of 16 random bytes.
#[must_use]
pub fn request_key(nonce: [u8; 16]) -> String {
    base64::encode(&nonce)
}

/// What the headers read so far say.
#[derive(Default)]
struct Asked<'a> {
    upgrade: bool,
    connection: bool,
    version: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    repeated: Option<&'static str>,
}

impl<'a> Asked<'a> {
    fn read(&mut self, name: &str, value: &'a [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("upgrade") {
            self.upgrade |= lists(value, b"websocket");
        } else if is("connection") {
            self.connection |= lists(value, b"upgrade");
        } else if is("sec-websocket-version") && self.version.replace(value).is_some() {
            self.repeated = Some("Sec-WebSocket-Version");
        } else if is("sec-websocket-key") && self.key.replace(value).is_some() {
            self.repeated = Some("Sec-WebSocket-Key");
        }
    }

    fn answer(self) -> Result<AcceptKey, Refusal> {
        if !self.upgrade {
            return Err(Refusal::NoUpgrade);
        }
        if !self.connection {
            return Err(Refusal::NoConnectionUpgrade);
        }
        match self.version {
            None => return Err(Refusal::NoVersion),
            Some(version) if version != VERSION.as_bytes() => return Err(Refusal::OtherVersion),
            Some(_) => {}
        }
        let accept = accept_key(self.key.ok_or(Refusal::NoKey)?)?;
        self.repeated.map_or(Ok(accept), |name| Err(Refusal::Repeated(name)))
    }
}

/// Whether a comma-separated list contains this token, in any case.
fn lists(value: &[u8], token: &[u8]) -> bool {
    value.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}
