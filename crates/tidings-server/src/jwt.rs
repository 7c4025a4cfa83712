//! JSON Web Tokens: what an issuer outside says about who somebody is (RFC 7519, RFC 8725).
//!
//! Owns: which issuers are believed ([`issuer`]), how a token is taken apart and judged, the key sets fetched from
//! issuers, and the signing of tokens for tests and scripts ([`mint`]). Leaves out: where a credential stands in a
//! request, and what a principal may do.
//!
//! Invariants: the token chooses nothing. Its `iss` finds the issuer that was configured with it, and that issuer alone
//! names the tenant, the keys and the algorithms; each key has one algorithm. A claim never names a tenant. What is
//! written in two ways, or in a way that another parser may read otherwise, is refused. No reason that is given
//! contains any of the token.

mod algorithm;
mod claims;
mod fetch;
mod header;
pub mod issuer;
mod json;
mod key;
mod key_set;
pub mod mint;
mod parts;
mod remote;
mod verifier;

pub use algorithm::Algorithm;
pub use issuer::{IssuerConfig, KeySource, Material, StaticKey};
pub use verifier::{Invalid, Verified, Verifier};

#[cfg(test)]
mod tests;
