//! The channels that carry all of a user's records of one app: `user:{segment}:casts`.
//!
//! A user's id may have any characters, a channel's segment may not; so the id is encoded. `A-Z a-z 0-9 . _ @ / -` stand
//! for themselves, every other byte of the UTF-8 text is `~` and two upper-case hexadecimal digits. Where that has more
//! than 120 bytes, the segment is `~~` and the SHA-256 of the id in lower-case base32 (RFC 4648, 6, without padding).
//!
//! Invariant: two ids never have one segment; `~~` is no beginning of an encoded id.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use tidings_core::port::users::UserId;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ChannelName, ErrorCode};

/// Longest encoded id, in bytes.
const SEGMENT_BYTES: usize = 120;

/// The user's id as one segment of a channel, 1 to 120 bytes.
#[must_use]
pub fn user_segment(user: &UserId) -> String {
    let text = user.as_str();
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'/' | b'-' => {
                segment.push(char::from(byte));
            }
            other => segment.push_str(&format!("~{other:02X}")),
        }
    }
    if segment.len() <= SEGMENT_BYTES {
        return segment;
    }
    format!("~~{}", BASE32_NOPAD.encode(&Sha256::digest(text.as_bytes())).to_ascii_lowercase())
}

/// The channel of all of a user's records of an app: `user:{segment}:{app}`.
///
/// # Errors
/// `internal` where `app` is no segment of a channel.
pub fn user_channel(user: &UserId, app: &str) -> Result<ChannelName, Problem> {
    format!("user:{}:{app}", user_segment(user)).parse().map_err(|_| Problem::of(ErrorCode::Internal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str) -> String {
        user_segment(&UserId::new(text).unwrap())
    }

    #[test]
    fn plain_ids_stand_for_themselves_and_others_are_encoded() {
        for plain in ["usr_123", "a.b_c@d/e-f", &"x".repeat(120)] {
            assert_eq!(segment(plain), plain);
        }
        assert_eq!(segment("acme|42"), "acme~7C42");
        assert_eq!(segment("a:b ~ü"), "a~3Ab~20~7E~C3~BC");
        assert_eq!(segment("*"), "~2A");
    }

    #[test]
    fn long_ids_are_hashed() {
        let long = segment(&"x".repeat(121));
        assert_eq!((long.len(), &long[..2]), (54, "~~"));
        assert!(long[2..].bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)));
        assert_ne!(long, segment(&"x".repeat(122)));
        assert_eq!(segment(&"|".repeat(41)).len(), 54, "41 encoded bytes have 123 characters");
        assert_eq!(segment(&"|".repeat(40)).len(), 120);
    }

    #[test]
    fn every_segment_is_one_of_a_channel() {
        for text in ["a:b", "\u{202e}", "*", "~~", &"é".repeat(150)] {
            let user = UserId::new(text).unwrap();
            let channel = user_channel(&user, "casts").unwrap();
            assert_eq!(channel.as_str().split(':').count(), 3, "{channel}");
        }
    }
}
