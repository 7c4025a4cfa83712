//! A key: one algorithm, and what verifies its signatures. Made from the configuration or from a key set.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use rustls::pki_types::pem::{PemObject, SectionKind};

use super::Algorithm;
use super::issuer::{Material, StaticKey};

/// Least bytes of an HS256 secret (RFC 7518 section 3.2).
pub(super) const SECRET_BYTES: usize = 32;

/// How large an RSA modulus may be, in bits (RFC 7518 section 3.3). More would cost too much to verify with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// A key that verifies.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    proof: Proof,
}

enum Proof {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", self.algorithm, self.kid)
    }
}

impl Key {
    /// Whether the signature is this key's over these bytes. Secrets are compared in constant time.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.proof {
            Proof::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Proof::Public(key) => key.verify_sig(signed, signature).is_ok(),
        }
    }

    /// The key of an entry of the configuration.
    ///
    /// # Errors
    /// Which member of the entry is wrong, and what to do.
    pub(super) fn of_config(key: &StaticKey) -> Result<Self, String> {
        let proof = match (&key.material, key.algorithm) {
            (Material::Secret(secret), Algorithm::Hs256) => Proof::Secret(Box::new(secret_key(secret)?)),
            (Material::PublicKeyPem(_), Algorithm::Hs256) => {
                return Err("public_key: HS256 takes a secret: write `secret` or `secret_file`".to_owned());
            }
            (Material::Secret(_), algorithm) => {
                return Err(format!(
                    "secret: {algorithm} takes a public key: write `public_key` or `public_key_file`"
                ));
            }
            (Material::PublicKeyPem(pem), algorithm) => {
                Proof::Public(public_key(pem, algorithm).map_err(|why| format!("public_key: {why}"))?)
            }
        };
        Ok(Self { kid: key.kid.clone(), algorithm: key.algorithm, proof })
    }

    /// An RSA key from its modulus and exponent, big-endian (RFC 7518 section 6.3.1); `None` where it is too small, too
    /// large, or none.
    pub(super) fn rsa(kid: Option<String>, n: &[u8], e: &[u8]) -> Option<Self> {
        if !RSA_BITS.contains(&bits(n)) {
            return None;
        }
        let parsed =
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256);
        Some(Self { kid, algorithm: Algorithm::Rs256, proof: Proof::Public(parsed.ok()?) })
    }

    /// A key on P-256 from its coordinates (RFC 7518 section 6.2.1); `None` where they are no point of the curve.
    pub(super) fn p256(kid: Option<String>, x: &[u8], y: &[u8]) -> Option<Self> {
        if x.len() != 32 || y.len() != 32 {
            return None;
        }
        let point = [&[4], x, y].concat();
        let parsed = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
        Some(Self { kid, algorithm: Algorithm::Es256, proof: Proof::Public(parsed.ok()?) })
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037 section 2).
    pub(super) fn ed25519(kid: Option<String>, x: &[u8]) -> Option<Self> {
        if x.len() != 32 {
            return None;
        }
        let parsed = ParsedPublicKey::new(&signature::ED25519, x);
        Some(Self { kid, algorithm: Algorithm::EdDsa, proof: Proof::Public(parsed.ok()?) })
    }
}

fn secret_key(secret: &[u8]) -> Result<hmac::Key, String> {
    if secret.len() < SECRET_BYTES {
        return Err(format!(
            "secret: it has {} bytes, and HS256 needs {SECRET_BYTES} at least: take what `openssl rand -hex 32` writes",
            secret.len()
        ));
    }
    // A public key as secret is no secret: whoever knows it, which is everybody, could sign.
    if secret.windows(10).any(|part| part == b"-----BEGIN") {
        return Err(
            "secret: this is a PEM file: write it as `public_key`, with the algorithm it is for".to_owned()
        );
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
}

fn public_key(pem: &str, algorithm: Algorithm) -> Result<ParsedPublicKey, String> {
    let how = "write PEM that begins with -----BEGIN PUBLIC KEY-----, as `openssl pkey -pubout` does";
    let der = match <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()) {
        Ok((SectionKind::PublicKey, der)) => der,
        Ok((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
            return Err(format!("this is a private key, which belongs to the issuer alone: {how}"));
        }
        _ => return Err(format!("this is no public key: {how}")),
    };
    let parsed = match algorithm {
        Algorithm::Rs256 => return rsa_public_key(&der),
        Algorithm::Es256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, der),
        Algorithm::EdDsa => ParsedPublicKey::new(&signature::ED25519, der),
        Algorithm::Hs256 => return Err("HS256 has no public key".to_owned()),
    };
    parsed.map_err(|_| format!("this is no key for {algorithm}: {how}"))
}

fn rsa_public_key(der: &[u8]) -> Result<ParsedPublicKey, String> {
    let no_key = |_| "this is no RSA key, which RS256 needs".to_owned();
    let key = rsa::PublicKey::from_der(der).map_err(no_key)?;
    let size = modulus(key.as_ref()).map_or(0, bits);
    if !RSA_BITS.contains(&size) {
        return Err(format!(
            "it has {size} bits, and RS256 needs {} to {}: make a larger key",
            RSA_BITS.start(),
            RSA_BITS.end()
        ));
    }
    ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, der).map_err(no_key)
}

/// The bits of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().position(|byte| *byte != 0).map_or(&[][..], |at| &number[at..]);
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    significant.len() * 8 - unused
}

/// The modulus of an `RSAPublicKey` (RFC 8017 appendix A.1.1): the first number of a sequence.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    element(element(der, SEQUENCE)?, INTEGER)
}

/// The content of a DER element at the beginning, if it is of that type.
fn element(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (long, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (long.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*found == tag).then_some(rest)?.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_keys_have_2048_to_8192_bits() {
        let fits = |bytes: usize, first: u8| {
            let mut n = vec![0xff; bytes];
            n[0] = first;
            Key::rsa(None, &n, &[1, 0, 1]).is_some()
        };
        assert!(fits(256, 0x80) && fits(256, 0xff) && fits(1_024, 0xff));
        assert!(!fits(256, 0x7f) && !fits(255, 0xff) && !fits(1_025, 0x01) && !fits(1_025, 0xff));
        // A leading zero adds nothing; and is not how numbers are written (RFC 7518 section 6.3.1.1).
        assert!(!fits(256, 0) && !fits(257, 0));
    }
}
