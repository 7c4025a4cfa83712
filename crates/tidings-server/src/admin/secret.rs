//! Secrets as text: API keys, which are drawn, hashed and never kept, and what whoever administers hands in.
//!
//! A key is `tdk_` and 256 random bits in lower-case base32 (RFC 4648 section 6, without padding): 56 characters that
//! a double click selects whole and that a scanner for leaked secrets finds by their prefix. With so much randomness one
//! SHA-256 is as good as a slow hash.

use serde::{Deserialize, Serialize};
use tidings_core::port::directory::KeyHash;

use crate::auth::hash_key;
pub use crate::ids::NoRandomness;
use crate::ids::random_text;

/// What every key begins with.
pub const PREFIX: &str = "tdk_";
/// What every key's id begins with.
pub const ID_PREFIX: &str = "key_";

/// A key's text. Not shown by `Debug`.
pub struct KeyText(String);

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyText(…)")
    }
}

impl KeyText {
    /// Draws a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn draw() -> Result<Self, NoRandomness> {
        Ok(Self(format!("{PREFIX}{}", random_text::<32>()?)))
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        hash_key(&self.0)
    }

    /// The text itself, for the one who asked for the key.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A password or a webhook's secret on its way in. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The secret that was handed in.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether it is this text. Both come from whoever administers, so that the time it takes tells nobody anything.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0 == text
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Draws a key's public id: 80 random bits.
///
/// # Errors
/// [`NoRandomness`].
pub fn draw_id() -> Result<String, NoRandomness> {
    Ok(format!("{ID_PREFIX}{}", random_text::<10>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_prefix_and_256_bits() {
        let (one, other) = (KeyText::draw().unwrap(), KeyText::draw().unwrap());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(format!("{one:?}"), "KeyText(…)");
        let text = one.into_string();
        let digits = text.strip_prefix("tdk_").unwrap();
        assert_eq!(digits.len(), 52);
        assert!(
            digits.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)),
            "{digits}"
        );
    }

    #[test]
    fn what_is_stored_is_sha_256_of_the_whole_text() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = hash_key("abc").0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn ids_are_short_and_public() {
        let id = draw_id().unwrap();
        assert_eq!(id.len(), "key_".len() + 16);
    }
}
