//! A token's three parts (RFC 7515 section 7.1), undone from their base64url.
//!
//! One token has one text: padding, white space, other alphabets and bits that are cut off are refused.

use data_encoding::BASE64URL_NOPAD;

use super::verifier::Invalid;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES: usize = 8 * 1024;

/// A token taken apart; nothing in it has been believed yet.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// What is signed: header and claims as they stand in the text, with the dot between them.
    pub(super) signed: &'a [u8],
    pub(super) header: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// It is not the text of a signed token.
    pub(super) fn of(text: &'a str) -> Result<Self, Invalid> {
        if text.len() > TOKEN_BYTES {
            return Err(Invalid::Token("the token is longer than 8 KiB"));
        }
        let Some([header, claims, signature]) = split(text) else {
            return Err(Invalid::Token("a signed token has three parts"));
        };
        if signature.is_empty() {
            return Err(Invalid::Token("the token is not signed"));
        }
        let undo = |part: &str| {
            let bytes = BASE64URL_NOPAD.decode(part.as_bytes());
            bytes.map_err(|_| Invalid::Token("a part is not canonical base64url"))
        };
        Ok(Self {
            signed: &text.as_bytes()[..header.len() + 1 + claims.len()],
            header: undo(header)?,
            claims: undo(claims)?,
            signature: undo(signature)?,
        })
    }
}

/// Whether the text has a token's shape: three parts of base64url's letters, of which the last may be empty.
pub(super) fn has_shape(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let Some([header, claims, signature]) = split(text) else { return false };
    let filled = !header.is_empty() && !claims.is_empty();
    filled && [header, claims, signature].iter().all(|part| part.bytes().all(letter))
}

fn split(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('.');
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_reading() {
        let parts = Parts::of("e30.e30.AQI").unwrap();
        assert_eq!((parts.signed, &parts.signature[..]), (&b"e30.e30"[..], &[1, 2][..]));
        for bad in [
            "",
            "..",
            "e30.e30",
            "e30.e30.",
            "e30.e30.AQI.",
            ".e30.e30.AQI",
            "e30.e30.AQI=",
            "e30.e30.AQJ",
            "e30 .e30.AQI",
            "e30.e30.AQI\n",
            "e30.e30.+/8",
            "e30.e30.A",
            "e30.e30.AQ\u{e4}",
            "a.b.c.d.e",
        ] {
            assert!(Parts::of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn length_is_bounded() {
        let text = |length: usize| format!("e30.{}.AQI", "A".repeat(length - 8));
        assert!(Parts::of(&text(TOKEN_BYTES)).is_ok());
        assert!(Parts::of(&text(TOKEN_BYTES + 4)).is_err());
    }

    #[test]
    fn keys_do_not_look_like_tokens() {
        for token in ["e30.e30.AQI", "e30.e30.", "a-_9.B.c"] {
            assert!(has_shape(token), "{token}");
        }
        for other in ["tdk_abc", "", "a.b", ".b.c", "a..c", "a.b.c.d", "a.b.c=", "a.b.c d"] {
            assert!(!has_shape(other), "{other}");
        }
    }
}
