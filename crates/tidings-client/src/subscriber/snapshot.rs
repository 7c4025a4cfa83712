//! Reading a record before its events.
//!
//! Owns: one reading, tried until it is answered, and where the events begin. Leaves out: reading again after a gap, which
//! is the `followed`'s.
//!
//! The answer with the record says at which position it was read (`Tidings-Cursor`): what the events up to it tell of is
//! contained, and the stream begins after it, so that nothing is missed or told twice at the seam.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use serde::de::DeserializeOwned;
use tidings_protocol::Cursor;
use tidings_protocol::cursor::Since;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::setup::Setup;
use super::stopped::{State, Status};
use super::{Options, Subscriber};
use crate::credential::Shown;
use crate::exchange::Trouble;
use crate::server::InvalidOptions;

/// Why there is no record to follow.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoSnapshot {
    /// The options, or the path.
    #[error("{0}")]
    Invalid(#[from] InvalidOptions),
    /// The server refuses it ([`Trouble::Refused`]), e.g. with `not_found` or `forbidden`; or it was tried as often as the
    /// options allow, and this is what the last attempt met.
    #[error("the record cannot be read: {0}")]
    NotRead(Trouble),
    /// There was no fresh credential as often as the options allow; the reason of the last.
    #[error("there is no fresh credential: {0}")]
    NotRenewed(String),
    /// The answer is JSON, but of something else than was expected.
    #[error("the record is not understood: {0}")]
    Misunderstood(String),
    /// The answer does not say at which position the record was read.
    #[error("the answer has no `Tidings-Cursor`: only records and lists of an app can be followed")]
    NoCursor,
}

impl Subscriber {
    /// Reads the record or list at `path` (`/api/casts/c1`, `/api/casts?limit=50`) once and follows what happens from there
    /// on; `since` of the options does not count. At a [`Gap`](super::Gap) what is known of it is old:
    /// [`Followed`](super::Followed) reads it again by itself. This is for whoever does so in another way, or changes the
    /// channels on the way.
    ///
    /// What fails for the moment is tried again, as often and with the delays that the options say; what is no JSON too: it
    /// is something else that answers.
    ///
    /// # Errors
    /// [`NoSnapshot`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use tidings_client::{Cast, Subscriber, subscriber::Options};
    ///
    /// let options = Options::of(["cast:c1"]);
    /// let (cast, mut subscriber) = Subscriber::snapshot::<Cast>("/api/casts/c1", options).await?;
    /// println!("version {}", cast.version);
    /// while let Some(update) = subscriber.next().await {
    ///     println!("{:?}", update?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn snapshot<T: DeserializeOwned>(
        path: &str,
        options: Options,
    ) -> Result<(T, Self), NoSnapshot> {
        check(path)?;
        let mut setup = Setup::of(options)?;
        let status = Arc::new(watch::Sender::new(reading()));
        let record = read(path, &setup, &status).await?;
        let value = record.value()?;
        setup.shown = Some(record.shown);
        Ok((value, setup.start(Since::Cursor(record.cursor), &status)))
    }
}

/// A record that was read.
#[derive(Debug)]
pub(super) struct Record {
    text: Bytes,
    pub(super) cursor: Cursor,
    /// The credential that it was read with.
    pub(super) shown: Shown,
}

impl Record {
    /// As a type of the caller's.
    ///
    /// # Errors
    /// [`NoSnapshot::Misunderstood`].
    pub(super) fn value<T: DeserializeOwned>(&self) -> Result<T, NoSnapshot> {
        serde_json::from_slice(&self.text).map_err(|error| NoSnapshot::Misunderstood(error.to_string()))
    }
}

/// The status while nothing went wrong.
pub(super) fn reading() -> Status {
    Status { state: State::Reading, failures: 0, why: None }
}

/// A path that leads to the server and nowhere else: the credential goes where it leads.
///
/// # Errors
/// [`InvalidOptions::Path`].
pub(super) fn check(path: &str) -> Result<(), InvalidOptions> {
    let is_path = path.starts_with('/') && !path.contains('#') && path.parse::<PathAndQuery>().is_ok();
    if is_path { Ok(()) } else { Err(InvalidOptions::Path { path: path.to_owned() }) }
}

/// Reads until it is answered, and tells `status` what went wrong.
///
/// # Errors
/// [`NoSnapshot`]: refused, or tried as often as the rules allow.
pub(super) async fn read(
    path: &str,
    setup: &Setup,
    status: &watch::Sender<Status>,
) -> Result<Record, NoSnapshot> {
    let rules = setup.rules;
    let (mut shown, mut failures) = (setup.shown.clone(), 0);
    loop {
        let is_new = shown.is_none();
        let why = match credential(&mut shown, setup).await {
            Err(why) => NoSnapshot::NotRenewed(why),
            Ok(shown_now) => match setup.http.record(path, &shown_now, rules.opening).await {
                Ok((text, cursor)) => {
                    let cursor = cursor.ok_or(NoSnapshot::NoCursor)?;
                    return Ok(Record { text, cursor, shown: shown_now });
                }
                Err(Trouble::Refused(refusal)) if refusal.status == 401 && rules.can_renew && !is_new => {
                    shown = None;
                    continue;
                }
                Err(trouble) if !trouble.is_temporary() => return Err(NoSnapshot::NotRead(trouble)),
                Err(trouble) => NoSnapshot::NotRead(trouble),
            },
        };
        failures += 1;
        if rules.attempts.is_some_and(|attempts| failures >= attempts) {
            return Err(why);
        }
        status.send_replace(Status { failures, why: Some(why.to_string()), ..reading() });
        sleep(named(&why).saturating_add(rules.backoff.delay(failures, rand::random()))).await;
    }
}

/// The credential, fetched where none is at hand.
async fn credential(shown: &mut Option<Shown>, setup: &Setup) -> Result<Shown, String> {
    if let (None, Some(renewal)) = (&shown, &setup.renewal) {
        let limit = setup.rules.opening;
        let fetched = timeout(limit, renewal.fetch()).await;
        *shown = Some(fetched.map_err(|_| format!("it took longer than {limit:?}"))??);
    }
    Ok(shown.clone().unwrap_or_default())
}

fn named(why: &NoSnapshot) -> Duration {
    match why {
        NoSnapshot::NotRead(trouble) => trouble.refusal().and_then(|refusal| refusal.retry_after),
        _ => None,
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_server_and_nowhere_else() {
        for path in ["/api/casts/c1", "/api/casts?limit=5&user=a|b", "//elsewhere"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for path in
            ["", "api/casts", "@elsewhere/api", ".elsewhere/", "?a", "/a b", "/a#b", "http://elsewhere/"]
        {
            assert_eq!(check(path), Err(InvalidOptions::Path { path: path.to_owned() }), "{path}");
        }
    }
}
