//! Base64 (RFC 4648, 4), as far as the handshake needs it: small fixed sizes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The padded base64 of `bytes`.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u32::from(byte) << (16 - 8 * at));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 0x3F;
            text.push(if digit > group.len() { '=' } else { char::from(ALPHABET[value as usize]) });
        }
    }
    text
}

/// Whether `text` is the padded base64 of 16 bytes: 22 digits and `==`. The four bits that the last digit has too many
/// may be anything, as decoders may choose (RFC 4648, 3.5).
pub(super) fn is_of_16_bytes(text: &[u8]) -> bool {
    match text.strip_suffix(b"==") {
        Some(digits) => digits.len() == 22 && digits.iter().all(|digit| ALPHABET.contains(digit)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encode_matches_the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
        }
        assert_eq!(encode(&[0xFB, 0xFF, 0xBE]), "+/++");
    }

    #[test]
    fn keys_of_other_lengths_are_told_apart() {
        for len in 0..40 {
            assert_eq!(is_of_16_bytes(encode(&vec![0xA7; len]).as_bytes()), len == 16, "{len} bytes");
        }
        for text in [
            "",
            "==",
            "AAAAAAAAAAAAAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAAAA===",
            "AAAAAAAAAAAAAAAAAAAA-_==",
            "AAAAAAAAAAAAAAAAAAAAA ==",
        ] {
            assert!(!is_of_16_bytes(text.as_bytes()), "{text}");
        }
    }
}
