//! Where a request's credential stands: `Authorization: Bearer …`, `x-api-key`, or the session's cookie.
//!
//! A header that is there decides, valid or not: a request that names a credential is never answered as whoever the
//! browser's cookie stands for. What stands twice or contradicts itself is no credential.

use http::{HeaderMap, HeaderName, header};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

use crate::problem::{Answer, Refusal};

/// Longest credential that is looked at, in bytes.
const CREDENTIAL_BYTES: usize = 8 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The cookie's name. With `__Host-` a browser takes it from this host alone, and over TLS alone (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "tidings_session";
/// The same where browsers reach the server over TLS.
pub const HOST_COOKIE: &str = "__Host-tidings_session";

/// A credential as it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sent<'a> {
    /// In a header.
    Header(&'a str),
    /// In the cookie.
    Cookie(&'a str),
}

impl std::fmt::Debug for Sent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header(_) => "Header(…)",
            Self::Cookie(_) => "Cookie(…)",
        })
    }
}

/// A refusal that says why.
#[must_use]
pub fn invalid(detail: &str) -> Refusal {
    Refusal(Problem::new(ErrorCode::Unauthenticated, detail))
}

/// The credential of a request. `cookie` is the name under which it may stand in a cookie.
///
/// # Errors
/// `unauthenticated` where there is none, or more than one.
pub fn sent<'a>(headers: &'a HeaderMap, cookie: &str) -> Answer<Sent<'a>> {
    let bearer = single(headers, &header::AUTHORIZATION)?.map(bearer_text).transpose()?;
    let api_key = single(headers, &API_KEY)?;
    match (bearer, api_key) {
        (Some(bearer), Some(api_key)) if bearer != api_key => {
            Err(invalid("two different credentials were sent"))
        }
        (Some(text), _) | (None, Some(text)) => Ok(Sent::Header(text)),
        (None, None) => match cookie_value(headers, cookie)? {
            Some(text) => Ok(Sent::Cookie(text)),
            None => Err(Refusal::of(ErrorCode::Unauthenticated)),
        },
    }
}

/// The value of a cookie (RFC 6265, 4.2.1). One that stands twice has been planted by another host: none counts.
///
/// # Errors
/// `unauthenticated` where it stands twice or has too many bytes.
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.is_empty() || value.len() > CREDENTIAL_BYTES {
        return Err(invalid("the session's cookie is not valid"));
    }
    Ok(Some(value))
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Answer<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("a credential was sent twice"));
    }
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= CREDENTIAL_BYTES => Ok(Some(text)),
        _ => Err(invalid("the credential is not valid")),
    }
}

fn bearer_text(value: &str) -> Answer<&str> {
    // RFC 9110, 11.1: the scheme's case does not matter.
    match value.split_once(' ') {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") && !text.is_empty() => Ok(text),
        _ => Err(invalid("Authorization takes the scheme Bearer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_header_decides_over_the_cookie_and_contradictions_count_for_nothing() {
        let cookie = ("cookie", "a=1; tidings_session=c; b=2");
        let found = |lines: &[(&'static str, &str)]| {
            sent(&headers(lines), COOKIE).map(|sent| match sent {
                Sent::Header(text) => format!("header {text}"),
                Sent::Cookie(text) => format!("cookie {text}"),
            })
        };
        assert_eq!(found(&[cookie]).unwrap(), "cookie c");
        assert_eq!(found(&[cookie, ("authorization", "bearer k")]).unwrap(), "header k");
        assert_eq!(found(&[("authorization", "Bearer k"), ("x-api-key", "k")]).unwrap(), "header k");
        for lines in [
            &[][..],
            &[cookie, ("authorization", "Basic k")],
            &[cookie, ("authorization", "Bearer ")],
            &[("authorization", "Bearer k"), ("x-api-key", "other")],
            &[("x-api-key", "k"), ("x-api-key", "k")],
            &[("cookie", "tidings_session=c; tidings_session=d")],
            &[("cookie", "tidings_session=c"), ("cookie", "tidings_session=c")],
            &[("cookie", "__Host-tidings_session=c")],
            &[("cookie", "tidings_session=")],
            &[("cookie", "xtidings_session=c")],
        ] {
            assert!(found(lines).is_err(), "{lines:?}");
        }
    }
}
