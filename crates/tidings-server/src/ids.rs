//! Random names and secrets, all from the operating system's generator, in lower-case base32 (RFC 4648, 6, without
//! padding).

use rand::TryRngCore;
use rand::rngs::OsRng;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(String);

/// `N` random bytes as text.
///
/// # Errors
/// [`NoRandomness`]; nothing that must not be guessed can be made then.
pub fn random_text<const N: usize>() -> Result<String, NoRandomness> {
    Ok(base32(&random_bytes::<N>()?))
}

/// `N` random bytes.
///
/// # Errors
/// As [`random_text`].
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}

fn base32(bytes: &[u8]) -> String {
    let digits = (bytes.len() * 8).div_ceil(5);
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |index: usize| (0..5).fold(0, |value, offset| value << 1 | bit(index * 5 + offset));
    (0..digits).map(|index| char::from(ALPHABET[usize::from(digit(index))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (plain, encoded) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(base32(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn texts_have_all_their_bits_and_differ() {
        let text = random_text::<32>().unwrap();
        assert_eq!(text.len(), 52);
        assert_ne!(text, random_text::<32>().unwrap());
    }
}
