//! Which server is meant, where nothing is said the one of the environment.
//!
//! The variables are `TIDINGS_URL` (else `http://127.0.0.1:8080`) and `TIDINGS_API_KEY`.

use http::Uri;
use http::uri::Scheme;

/// The server, where nothing names another.
pub const LOCAL: &str = "http://127.0.0.1:8080";

/// Options that cannot be used. The sentence says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// The server's URL.
    #[error("`{url}` cannot be used as the server's URL: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Where the record is that is to be read.
    #[error(
        "`{path}` cannot be used as the path of a record: write it as /api/casts/c1, without the server's URL"
    )]
    Path {
        /// As it was given.
        path: String,
    },
    /// The credential: of the options or of `TIDINGS_API_KEY`, empty or with a character that a header cannot have.
    #[error(
        "an API key or token is visible ASCII without spaces: set TIDINGS_API_KEY, or name one in the options"
    )]
    Credential,
    /// The certificates of `ca`, or of the system: there are none that can be used, as the sentence says.
    #[error("{0}")]
    Certificates(String),
    /// What is to be followed: no channel, one that cannot be, or more than fit in one request.
    #[error("{0}")]
    Subscription(String),
    /// There is nothing to run on.
    #[error("a Tokio runtime is needed: call this from within one")]
    NoRuntime,
}

/// A server to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Scheme, authority and what every path begins with; no slash at its end.
    base: String,
    /// Whether it is reached over TLS.
    pub(crate) is_secure: bool,
}

impl Server {
    /// The server of this URL, else of the environment.
    ///
    /// # Errors
    /// [`InvalidOptions::Url`].
    pub(crate) fn find(url: Option<&str>) -> Result<Self, InvalidOptions> {
        let named = url.map(str::to_owned).or_else(|| variable("TIDINGS_URL"));
        Self::parse(named.as_deref().unwrap_or(LOCAL))
    }

    fn parse(url: &str) -> Result<Self, InvalidOptions> {
        let wrong = |why| InvalidOptions::Url { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_| wrong("write it as http://host:port"))?;
        let authority = uri.authority().ok_or_else(|| wrong("write it as http://host:port"))?;
        let is_secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong("it begins with http:// or https://")),
        };
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong("it has neither a query nor a user"));
        }
        let scheme = if is_secure { "https" } else { "http" };
        let base = format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'));
        Ok(Self { base, is_secure })
    }

    /// The whole URL of a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The server's URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let local = Server::parse(LOCAL).unwrap();
        assert_eq!(
            (local.url("/v1/publish").as_str(), local.is_secure),
            ("http://127.0.0.1:8080/v1/publish", false)
        );
        let under = Server::parse("https://[::1]:8443/under/here/").unwrap();
        assert_eq!((under.url("/x").as_str(), under.is_secure), ("https://[::1]:8443/under/here/x", true));
        for bad in ["", "localhost", "localhost:8080", "ftp://h", "http://u@h", "http://h/?x"] {
            assert!(Server::parse(bad).is_err(), "{bad:?}");
        }
    }
}
