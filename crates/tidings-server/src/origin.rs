//! Which pages may use a browser's cookie: those of the server's own origin and of the listed ones.
//!
//! No token is needed against forged requests: a browser says from which page a request comes, and no page can say
//! otherwise. `Origin` (RFC 6454; Fetch standard, "`Origin` header") is compared exactly; where it is absent,
//! `Sec-Fetch-Site` (Fetch Metadata) must not say that the request comes from another site. Programs send neither.

use http::{HeaderMap, header};
use tidings_protocol::ErrorCode;

use crate::config::Config;
use crate::problem::{Answer, Refusal};

/// Refuses what a page of another origin has sent.
///
/// # Errors
/// `wrong_origin`.
pub fn check(config: &Config, headers: &HeaderMap) -> Answer<()> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_right = match (origins.next(), origins.next()) {
        (None, _) => is_own_site(headers),
        (Some(origin), None) => {
            let text = origin.to_str().unwrap_or("null");
            is_own(config, headers, text) || config.cors_origins.iter().any(|known| known == text)
        }
        (Some(_), Some(_)) => false,
    };
    if is_right { Ok(()) } else { Err(Refusal::of(ErrorCode::WrongOrigin)) }
}

fn is_own_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next(), sites.next()) {
        (None, _) => true,
        (Some(site), None) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether the origin is the one under which browsers reach the server.
fn is_own(config: &Config, headers: &HeaderMap, origin: &str) -> bool {
    if let Some(url) = &config.public_url {
        return origin == url.trim_end_matches('/');
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = if is_https(config, headers) { "https" } else { "http" };
    host.is_some_and(|host| {
        origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) == Some(host)
    })
}

/// Whether browsers reach the server over TLS: its own, or, as a declared proxy says, the proxy's.
#[must_use]
pub fn is_https(config: &Config, headers: &HeaderMap) -> bool {
    let named = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    config.tls.is_some()
        || config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
        || config.behind_proxy && named.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn refused(config: &Config, lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        check(config, &headers).is_err()
    }

    #[test]
    fn own_and_listed_origins_pass_and_no_other() {
        let config = Config { cors_origins: vec!["https://app.example".into()], ..Config::default() };
        let host = ("host", "live.example:8080");
        for right in ["http://live.example:8080", "https://app.example"] {
            assert!(!refused(&config, &[host, ("origin", right)]), "{right}");
        }
        for wrong in ["null", "https://live.example:8080", "http://live.example", "https://app.example:443"] {
            assert!(refused(&config, &[host, ("origin", wrong)]), "{wrong}");
        }
        let own = ("origin", "http://live.example:8080");
        assert!(refused(&config, &[host, own, own]));
    }

    #[test]
    fn without_an_origin_the_site_decides() {
        let config = Config::default();
        for right in ["same-origin", "none"] {
            assert!(!refused(&config, &[("sec-fetch-site", right)]), "{right}");
        }
        assert!(!refused(&config, &[]));
        for wrong in ["cross-site", "same-site", "", "Same-Origin"] {
            assert!(refused(&config, &[("sec-fetch-site", wrong)]), "{wrong}");
        }
    }

    #[test]
    fn the_public_url_is_the_own_origin_where_it_is_set() {
        let config = Config { public_url: Some("https://live.example".into()), ..Config::default() };
        assert!(!refused(&config, &[("host", "10.0.0.1"), ("origin", "https://live.example")]));
        assert!(refused(&config, &[("host", "10.0.0.1"), ("origin", "http://10.0.0.1")]));
    }

    #[test]
    fn a_proxys_word_counts_only_where_one_is_declared() {
        let lines = [("host", "a.example"), ("origin", "https://a.example"), ("x-forwarded-proto", "https")];
        assert!(refused(&Config::default(), &lines));
        assert!(!refused(&Config { behind_proxy: true, ..Config::default() }, &lines));
    }
}
