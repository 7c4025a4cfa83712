//! Random names and secrets, all from the operating system's generator.

use rand::TryRngCore;
use rand::rngs::OsRng;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Random bytes. Ends the process where the system has none to give: nothing secret can be made then.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if OsRng.try_fill_bytes(&mut bytes).is_err() {
        tracing::error!("the operating system gives no random bytes");
        std::process::abort();
    }
    bytes
}

/// A session's id: 128 random bits.
#[must_use]
pub fn session_number() -> u128 {
    u128::from_be_bytes(random())
}

/// A session's id as text: 26 characters of base32.
#[must_use]
pub fn session_text(number: u128) -> String {
    let digit = |at: u32| char::from(ALPHABET[((number >> (5 * at)) & 31) as usize]);
    (0..26).rev().map(digit).collect()
}

/// Reads a session's id.
#[must_use]
pub fn parse_session(text: &str) -> Option<u128> {
    if text.len() != 26 {
        return None;
    }
    text.bytes().try_fold(0u128, |number, byte| {
        let digit = ALPHABET.iter().position(|known| *known == byte)? as u128;
        (number >> 123 == 0).then_some((number << 5) | digit)
    })
}

/// A secret text: the prefix and 256 random bits in base32.
#[must_use]
pub fn secret(prefix: &str) -> String {
    let bytes: [u8; 32] = random();
    let mut text = String::with_capacity(prefix.len() + 52);
    text.push_str(prefix);
    let mut bits = 0u32;
    let mut held = 0;
    for byte in bytes {
        bits = (bits << 8) | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
        }
    }
    if held > 0 {
        text.push(char::from(ALPHABET[((bits << (5 - held)) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_read_back() {
        for number in [0, 1, u128::MAX, session_number()] {
            assert_eq!(parse_session(&session_text(number)), Some(number));
        }
        for bad in ["", "x", &"z".repeat(26), &"7".repeat(26), &"A".repeat(26)] {
            assert_eq!(parse_session(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_have_all_their_bits() {
        let text = secret("tdk_");
        assert_eq!(text.len(), 4 + 52);
        assert_ne!(text, secret("tdk_"));
    }
}
