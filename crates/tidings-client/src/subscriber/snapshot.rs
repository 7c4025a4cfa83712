//! A record, and what happens to it from there on, as one call.
//!
//! The answer with the record says at which position it was read (`Tidings-Cursor`): what the events up to it tell of is
//! contained, and the stream begins after it, so that nothing is missed or told twice at the seam.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tidings_protocol::Cursor;
use tidings_protocol::cursor::Since;
use tokio::time::{sleep, timeout};

use super::{Options, Subscriber};
use crate::credential::{Renewal, Shown};
use crate::exchange::{Http, Trouble};
use crate::server::InvalidOptions;

/// Why there is no record to follow.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoSnapshot {
    /// The options.
    #[error("{0}")]
    Invalid(#[from] InvalidOptions),
    /// The server refuses it, or it was tried as often as the options allow.
    #[error("{0}")]
    NotRead(Trouble),
    /// There was no fresh credential as often as the options allow; the reason of the last.
    #[error("there is no fresh credential: {0}")]
    NotRenewed(String),
    /// The answer is something else than was expected.
    #[error("the record is not understood: {0}")]
    Misunderstood(String),
    /// The answer does not say at which position the record was read.
    #[error("the answer has no `Tidings-Cursor`: only records and lists of an app can be followed")]
    NoCursor,
}

impl Subscriber {
    /// Reads the record or list at `path` (`/api/casts/c1`) and follows what happens from there on; `since` of the options
    /// does not count. At a [`Gap`](super::Gap) the record is to be read anew: by calling this again.
    ///
    /// What fails for the moment is tried again, as often and with the delays that the options say.
    ///
    /// # Errors
    /// [`NoSnapshot`].
    pub async fn snapshot<T: DeserializeOwned>(
        path: &str,
        options: Options,
    ) -> Result<(T, Self), NoSnapshot> {
        let (text, cursor) = read(path, &options).await?;
        let record =
            serde_json::from_slice(&text).map_err(|error| NoSnapshot::Misunderstood(error.to_string()))?;
        let since = Since::Cursor(cursor.ok_or(NoSnapshot::NoCursor)?);
        Ok((record, Self::open(Options { since, ..options })?))
    }
}

async fn read(path: &str, options: &Options) -> Result<(bytes::Bytes, Option<Cursor>), NoSnapshot> {
    let http = Http::new(options.url.as_deref(), options.ca.as_deref())?;
    let (mut shown, renewal) = options.credential.clone().take()?;
    let (mut failures, mut is_fresh) = (0, false);
    loop {
        let why = match fresh(&mut shown, renewal.as_ref(), &mut is_fresh, options.open_timeout).await {
            Err(why) => NoSnapshot::NotRenewed(why),
            Ok(was_renewed) => match http.record(path, &shown, options.open_timeout).await {
                Ok(read) => return Ok(read),
                Err(Trouble::Refused(refusal))
                    if refusal.status == 401 && renewal.is_some() && !was_renewed =>
                {
                    is_fresh = false;
                    continue;
                }
                Err(trouble) if !trouble.is_temporary() => return Err(NoSnapshot::NotRead(trouble)),
                Err(trouble) => NoSnapshot::NotRead(trouble),
            },
        };
        failures += 1;
        if options.attempts.is_some_and(|attempts| failures >= attempts) {
            return Err(why);
        }
        sleep(named(&why).saturating_add(options.backoff.delay(failures, rand::random()))).await;
    }
}

/// Fetches a credential where one is to be fetched and none is at hand; whether it did.
async fn fresh(
    shown: &mut Shown,
    renewal: Option<&Renewal>,
    is_fresh: &mut bool,
    limit: Duration,
) -> Result<bool, String> {
    let Some(renewal) = renewal.filter(|_| !*is_fresh) else { return Ok(false) };
    let fetched = timeout(limit, renewal.fetch()).await;
    *shown = fetched.map_err(|_| format!("it took longer than {limit:?}"))??;
    *is_fresh = true;
    Ok(true)
}

fn named(why: &NoSnapshot) -> Duration {
    match why {
        NoSnapshot::NotRead(trouble) => trouble.refusal().and_then(|refusal| refusal.retry_after),
        _ => None,
    }
    .unwrap_or_default()
}
