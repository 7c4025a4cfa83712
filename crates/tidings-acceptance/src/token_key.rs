//! Keys that sign tokens, made by hand from RFC 7515 and RFC 7518: independent of what verifies them.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{encoding, hmac};
use data_encoding::{BASE64_MIME, BASE64URL_NOPAD};
use serde_json::{Value, json};

/// A key that signs tokens.
#[derive(Debug)]
pub enum TokenKey {
    /// HS256, with this secret.
    Hs256(Vec<u8>),
    /// RS256.
    Rs256(RsaKeyPair),
    /// ES256.
    Es256(EcdsaKeyPair),
    /// `EdDSA`.
    EdDsa(Ed25519KeyPair),
}

impl TokenKey {
    /// A secret of 48 bytes that begins with the text, so that tests can tell secrets apart.
    #[must_use]
    pub fn hs256(text: &str) -> Self {
        Self::Hs256(format!("{text:-<48}").into_bytes())
    }

    /// A fresh RSA key of 2048 bits.
    #[must_use]
    pub fn rs256() -> Self {
        Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// A fresh key on P-256.
    #[must_use]
    pub fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// A fresh Ed25519 key.
    #[must_use]
    pub fn ed_dsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    /// The `alg` that it is for.
    #[must_use]
    pub fn alg(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// Its signature over these bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Hs256(secret) => mac(secret, bytes),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
                signature
            }
            Self::Es256(key) => key.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(bytes).as_ref().to_vec(),
        }
    }

    /// Another key of the same kind, which nobody believes.
    #[must_use]
    pub fn stranger(&self) -> Self {
        match self {
            Self::Hs256(_) => Self::hs256("a secret of nobody"),
            Self::Rs256(_) => Self::rs256(),
            Self::Es256(_) => Self::es256(),
            Self::EdDsa(_) => Self::ed_dsa(),
        }
    }

    /// The public half as DER; nothing for a secret.
    #[must_use]
    pub fn public_der(&self) -> Option<Vec<u8>> {
        let der: encoding::PublicKeyX509Der<'_> = match self {
            Self::Hs256(_) => return None,
            Self::Rs256(key) => key.public_key().as_der().unwrap(),
            Self::Es256(key) => key.public_key().as_der().unwrap(),
            Self::EdDsa(key) => key.public_key().as_der().unwrap(),
        };
        Some(der.as_ref().to_vec())
    }

    /// The public half as PEM; nothing for a secret.
    #[must_use]
    pub fn public_pem(&self) -> Option<String> {
        Some(pem("PUBLIC KEY", &self.public_der()?))
    }

    /// The private half as PEM; nothing for a secret.
    #[must_use]
    pub fn private_pem(&self) -> Option<String> {
        let der = match self {
            Self::Hs256(_) => return None,
            Self::Rs256(key) => AsDer::<encoding::Pkcs8V1Der<'_>>::as_der(key).unwrap().as_ref().to_vec(),
            Self::Es256(key) => key.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.to_pkcs8v1().unwrap().as_ref().to_vec(),
        };
        Some(pem("PRIVATE KEY", &der))
    }

    /// The public half as JSON Web Key (RFC 7517), the secret itself for HS256.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match self {
            Self::Hs256(secret) => json!({"kty": "oct", "k": text(secret)}),
            Self::Rs256(key) => {
                let (n, e) = modulus_and_exponent(key.public_key().as_ref());
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
            }
            Self::Es256(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::EdDsa(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref())}),
        }
    }
}

/// HMAC with SHA-256, whatever the secret.
#[must_use]
pub fn mac(secret: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_MIME.encode(der).replace('\r', "");
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", text.trim_end())
}

/// From the DER of an `RSAPublicKey` of 2048 bits, whose lengths are known.
fn modulus_and_exponent(der: &[u8]) -> (&[u8], &[u8]) {
    // 30 82 xx xx, 02 82 01 01 00 and 256 bytes, 02 03 and 3 bytes.
    assert_eq!(
        (&der[4..9], der.len()),
        (&[0x02, 0x82, 0x01, 0x01, 0x00][..], 270),
        "an RSA key of 2048 bits"
    );
    (&der[9..265], &der[267..])
}
