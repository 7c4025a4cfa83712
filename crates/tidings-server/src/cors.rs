//! Which pages may use the server: origins compared exactly, credentials allowed, never a wildcard.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

const ALLOWED_HEADERS: &str =
    "authorization, x-api-key, content-type, last-event-id, if-match, idempotency-key";
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const EXPOSED_HEADERS: &str = "retry-after, etag, tidings-cursor";

/// The origin of the page that asks, where it is one of the listed.
fn listed<'a>(headers: &'a HeaderMap, origins: &[String]) -> Option<&'a HeaderValue> {
    let mut asked = headers.get_all(ORIGIN).iter();
    let origin = asked.next()?;
    let text = origin.to_str().ok()?;
    (asked.next().is_none() && origins.iter().any(|known| known == text)).then_some(origin)
}

/// Adds to a response's headers what lets a listed page read it. `Vary` stands on every response, so that a cache
/// never gives one page's answer to another.
pub fn add_headers(request: &HeaderMap, response: &mut HeaderMap, origins: &[String]) {
    if origins.is_empty() {
        return;
    }
    response.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = listed(request, origins) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
}

/// The headers of the answer to a preflight (Fetch standard, "CORS-preflight request").
pub fn add_preflight_headers(request: &HeaderMap, response: &mut HeaderMap, origins: &[String]) {
    add_headers(request, response, origins);
    if response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED_METHODS));
        response.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
        response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        headers
    }

    #[test]
    fn only_listed_origins_are_answered() {
        let origins = ["https://app.example".to_owned()];
        let answered = |headers: &HeaderMap| {
            let mut response = HeaderMap::new();
            add_preflight_headers(headers, &mut response, &origins);
            assert_eq!(response[VARY], "origin");
            response.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned()
        };
        assert_eq!(answered(&asked("https://app.example")).unwrap(), "https://app.example");
        for other in [
            "null",
            "https://app.example.evil",
            "http://app.example",
            "https://app.example:443",
            "HTTPS://APP.EXAMPLE",
        ] {
            assert_eq!(answered(&asked(other)), None, "{other}");
        }
        let mut twice = asked("https://app.example");
        twice.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert_eq!(answered(&twice), None);
        assert_eq!(answered(&HeaderMap::new()), None);
    }
}
