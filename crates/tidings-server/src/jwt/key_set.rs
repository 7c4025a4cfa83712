//! An issuer's keys, and which of them a token may have been signed with.
//!
//! Also reads JSON Web Key Sets (RFC 7517): what is not understood, not for signatures, or not fit for one of the
//! issuer's algorithms is left out; a set that is too large or not strict JSON is refused whole.

use data_encoding::BASE64URL_NOPAD;

use super::Algorithm;
use super::json::{self, Json, Members};
use super::key::Key;

/// Most keys in a set.
const KEYS: usize = 100;

/// Most keys that one token is tried with.
const TRIED: usize = 4;

/// The longest name of a key that is kept, in bytes.
const KID_BYTES: usize = 256;

/// Keys of one issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    pub(super) fn of(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// The keys that a token may have been signed with, by the name its header gives. A token that names a key gets
    /// keys of that name, or, where no key has a name, any; one that names none gets the keys without a name, or the only
    /// key there is. At most four are worth a try.
    pub(super) fn named(&self, kid: Option<&str>) -> impl Iterator<Item = &Key> {
        let nameless = self.keys.iter().all(|key| key.kid.is_none());
        let alone = self.keys.len() == 1;
        let fits = move |key: &&Key| match kid {
            Some(_) if nameless => true,
            Some(kid) => key.kid.as_deref() == Some(kid),
            None => alone || key.kid.is_none(),
        };
        self.keys.iter().filter(fits).take(TRIED)
    }

    /// Reads a key set's document; keeps what the issuer's algorithms allow.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn of_document(text: &[u8], allowed: &[Algorithm]) -> Result<Self, String> {
        let members = json::object(text).ok_or("it is no JSON object, or has a member twice")?;
        let Some(Json::List(entries)) = members.get("keys") else {
            return Err("it has no list `keys`".to_owned());
        };
        if entries.len() > KEYS {
            return Err(format!("it has more than {KEYS} keys"));
        }
        let keys = entries.iter().filter_map(|entry| match entry {
            Json::Object(members) => read_key(members).filter(|key| allowed.contains(&key.algorithm)),
            _ => None,
        });
        Ok(Self { keys: keys.collect() })
    }
}

/// A public key that is for signatures, with the algorithm that it is for.
fn read_key(members: &Members) -> Option<Key> {
    // A key that is published together with its private half is everybody's.
    if members.contains_key("d") || !is_for_signatures(members) {
        return None;
    }
    let kid = match members.get("kid") {
        None => None,
        Some(kid) => Some(kid.text().filter(|kid| !kid.is_empty() && kid.len() <= KID_BYTES)?.to_owned()),
    };
    let number = |name: &str| BASE64URL_NOPAD.decode(members.get(name)?.text()?.as_bytes()).ok();
    let text = |name: &str| members.get(name).and_then(Json::text);
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => Key::rsa(kid, &number("n")?, &number("e")?),
        ("EC", Some("P-256")) => Key::p256(kid, &number("x")?, &number("y")?),
        ("OKP", Some("Ed25519")) => Key::ed25519(kid, &number("x")?),
        // `oct` among them: a secret that is published is none.
        _ => None,
    }?;
    match members.get("alg") {
        None => Some(key),
        Some(alg) => (alg.text() == Some(key.algorithm.name())).then_some(key),
    }
}

/// RFC 7517 sections 4.2 and 4.3.
fn is_for_signatures(members: &Members) -> bool {
    let used = members.get("use").is_none_or(|word| word.text() == Some("sig"));
    let verifies = |list: &Json| list.texts().is_some_and(|operations| operations.contains(&"verify"));
    used && members.get("key_ops").is_none_or(verifies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_algorithms_do_not_count() {
        let entry =
            |kid: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}"#, "A".repeat(43));
        let document = format!(r#"{{"keys":[{},{}]}}"#, entry("a"), entry("b"));
        let of = |allowed| KeySet::of_document(document.as_bytes(), allowed).unwrap();
        assert_eq!(of(&[Algorithm::EdDsa]).named(Some("b")).count(), 1);
        assert_eq!(of(&[Algorithm::EdDsa]).named(None).count(), 0, "two keys with names, and none is meant");
        assert_eq!(of(&[Algorithm::Rs256, Algorithm::Es256]).named(Some("b")).count(), 0);
    }

    #[test]
    fn few_keys_are_worth_a_try() {
        let entry = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, "A".repeat(43));
        let document = format!(r#"{{"keys":[{}]}}"#, vec![entry; 20].join(","));
        let keys = KeySet::of_document(document.as_bytes(), &[Algorithm::EdDsa]).unwrap();
        assert_eq!((keys.keys.len(), keys.named(None).count()), (20, TRIED));
    }

    /// RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.4: what others have signed.
    #[test]
    fn examples_of_the_standards_are_verified() {
        let joe =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        for (key, signed, signature) in [
            (
                r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
                format!("eyJhbGciOiJSUzI1NiJ9.{joe}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
                format!("eyJhbGciOiJFUzI1NiJ9.{joe}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ] {
            let document = format!(r#"{{"keys":[{key}]}}"#);
            let keys = KeySet::of_document(document.as_bytes(), &Algorithm::ALL).unwrap();
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            let verified =
                |signed: &str| keys.named(None).any(|key| key.verifies(signed.as_bytes(), &signature));
            assert!(verified(&signed) && !verified(&signed[1..]), "{key}");
        }
    }
}
