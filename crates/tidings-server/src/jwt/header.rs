//! What a token's header may say: how it is signed, and by which key.
//!
//! A header that brings a key, or names a place to fetch one from, is refused rather than ignored: no honest issuer
//! here sends one.

use super::Algorithm;
use super::json::{self, Json};
use super::verifier::Invalid;

/// The longest name of a key, in bytes.
const KID_BYTES: usize = 256;

/// Members that would let the token bring its own key or change how it is read.
const FOREIGN: [&str; 7] = ["crit", "jwk", "jku", "x5u", "x5c", "enc", "zip"];

/// A header that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// It says more than a header may, or not enough.
    pub(super) fn read(text: &[u8]) -> Result<Self, Invalid> {
        let mut members = json::object(text).ok_or(Invalid::Token("the header is no plain JSON object"))?;
        if FOREIGN.iter().any(|name| members.contains_key(*name)) {
            return Err(Invalid::Token("the header has a member that is not allowed"));
        }
        // RFC 7797: such a payload is not base64url, and the member counts only together with `crit`.
        if members.get("b64").is_some_and(|value| *value != Json::Bool(true)) {
            return Err(Invalid::Token("the header has a member that is not allowed"));
        }
        if members.get("typ").is_some_and(|value| !value.text().is_some_and(is_token_type)) {
            return Err(Invalid::Token("typ is neither JWT nor at+jwt"));
        }
        let algorithm = members.get("alg").and_then(Json::text).and_then(Algorithm::parse);
        let algorithm = algorithm.ok_or(Invalid::Token("the algorithm is not one that is understood"))?;
        let kid = match members.remove("kid") {
            None => None,
            Some(Json::Text(kid)) if !kid.is_empty() && kid.len() <= KID_BYTES => Some(kid),
            Some(_) => return Err(Invalid::Token("kid is not a text of 1 to 256 bytes")),
        };
        Ok(Self { algorithm, kid })
    }
}

/// RFC 7519 section 5.1, RFC 9068 section 2.1. An OpenID Connect ID token says `JWT` or nothing, and is told from an
/// access token by its audience.
fn is_token_type(typ: &str) -> bool {
    ["JWT", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}
