//! Who asks: an API key or a token, for good or renewed.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderValue;

use crate::server::{InvalidOptions, variable};

/// Why there is no fresh credential.
pub type NotRenewed = Box<dyn std::error::Error + Send + Sync>;

/// What fetches a fresh credential.
type Fetch = dyn Fn() -> BoxFuture<'static, Result<String, NotRenewed>> + Send + Sync;

/// What is shown to the server as `Authorization: Bearer …`.
#[derive(Clone, Default)]
pub enum Credential {
    /// `TIDINGS_API_KEY`; where it is not set, none is shown.
    #[default]
    Environment,
    /// An API key or a token that does not change.
    Fixed(String),
    /// A token that is fetched at the beginning and whenever one is about to end or was refused: see
    /// [`Credential::renewed`].
    Renewed(Renewal),
}

/// The callback of [`Credential::Renewed`].
#[derive(Clone)]
pub struct Renewal(Arc<Fetch>);

impl Credential {
    /// An API key or a token that does not change.
    #[must_use]
    pub fn fixed(text: impl Into<String>) -> Self {
        Self::Fixed(text.into())
    }

    /// A token that `fetch` brings. It is asked again when the token is about to end (`$expiring`), has ended or was
    /// refused; from one renewal beside a stream to the next it takes five seconds at least. Its errors, and fetching that
    /// takes longer than [`Options::open_timeout`](crate::subscriber::Options::open_timeout), are tried again with the delays
    /// of the options.
    ///
    /// ```no_run
    /// use tidings_client::{Credential, subscriber::Options};
    ///
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let credential = Credential::renewed(|| async { Ok(token().await?) });
    /// let options = Options { credential, ..Options::of(["doc:7"]) };
    /// ```
    #[must_use]
    pub fn renewed<F, Fetched>(fetch: F) -> Self
    where
        F: Fn() -> Fetched + Send + Sync + 'static,
        Fetched: Future<Output = Result<String, NotRenewed>> + Send + 'static,
    {
        Self::Renewed(Renewal(Arc::new(move || Box::pin(fetch()))))
    }

    /// What is shown at first, and what renews it.
    ///
    /// # Errors
    /// [`InvalidOptions::Credential`].
    pub(crate) fn take(self) -> Result<(Shown, Option<Renewal>), InvalidOptions> {
        match self {
            Self::Environment => {
                let key = variable("TIDINGS_API_KEY");
                Ok((key.as_deref().map_or(Ok(Shown::default()), Shown::new)?, None))
            }
            Self::Fixed(text) => Ok((Shown::new(&text)?, None)),
            Self::Renewed(renewal) => Ok((Shown::default(), Some(renewal))),
        }
    }
}

impl Renewal {
    /// Fetches one.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) async fn fetch(&self) -> Result<Shown, String> {
        let text = (self.0)().await.map_err(|error| error.to_string())?;
        Shown::new(&text).map_err(|error| error.to_string())
    }
}

/// The header's value; none is shown where there is none.
#[derive(Clone, Default)]
pub(crate) struct Shown(pub(crate) Option<HeaderValue>);

impl Shown {
    fn new(text: &str) -> Result<Self, InvalidOptions> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidOptions::Credential);
        }
        let mut value =
            HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| InvalidOptions::Credential)?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Credential::Environment",
            Self::Fixed(_) => "Credential::Fixed(…)",
            Self::Renewed(_) => "Credential::Renewed(…)",
        })
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal(…)")
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_visible_ascii_and_is_not_shown_to_logs() {
        let (shown, renewal) = Credential::fixed(" tdk_1\n").take().unwrap();
        assert_eq!(shown.0.as_ref().unwrap(), "Bearer tdk_1");
        assert!(renewal.is_none());
        for bad in ["", " ", "a b", "é"] {
            assert_eq!(Credential::fixed(bad).take().unwrap_err(), InvalidOptions::Credential);
        }
        assert!(!format!("{:?} {shown:?}", Credential::fixed("tdk_1")).contains("tdk"));
    }

    #[tokio::test]
    async fn a_renewed_one_is_fetched_each_time() {
        let (_, renewal) = Credential::renewed(|| async { Ok("t1".to_owned()) }).take().unwrap();
        assert_eq!(renewal.unwrap().fetch().await.unwrap().0.unwrap(), "Bearer t1");
        let (_, renewal) = Credential::renewed(|| async { Err("closed today".into()) }).take().unwrap();
        assert_eq!(renewal.unwrap().fetch().await.unwrap_err(), "closed today");
    }
}
