//! The same request again, until it is answered or patience ends.
//!
//! Tried again are connections that fail or break, answers that do not come, 408, 429 and 5xx; all else is an answer.
//! `Retry-After` is waited for, and the spread delay besides. Since the bytes are the same each time, idempotency keys
//! make all attempts one.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::error::PublishError;
use crate::backoff::Backoff;
use crate::exchange::{Call, Exchange, Trouble};

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts at most. Default: as many as fit into `total`.
    pub attempts: u32,
    /// An attempt takes at most so long. Default: 10 s.
    pub attempt: Duration,
    /// All attempts and delays together take at most so long. Default: 60 s.
    pub total: Duration,
    /// The delays between them. Default: up to 200 ms, doubling up to 10 s.
    pub backoff: Backoff,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: u32::MAX,
            attempt: Duration::from_secs(10),
            total: Duration::from_secs(60),
            backoff: Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) },
        }
    }
}

/// Makes the call until it is answered.
///
/// # Errors
/// [`PublishError`]: refused, or given up.
pub(crate) async fn insist(
    exchange: &dyn Exchange,
    call: &Call,
    patience: &Patience,
) -> Result<Bytes, PublishError> {
    // A time too long to be reckoned with has no end.
    let end = Instant::now().checked_add(patience.total);
    let left = || end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
    let mut attempts = 0;
    loop {
        attempts += 1;
        let last = match exchange.post(call, patience.attempt.min(left())).await {
            Ok(answer) => return Ok(answer),
            Err(Trouble::Refused(refusal)) if !refusal.is_temporary() => {
                return Err(PublishError::Refused(refusal));
            }
            Err(trouble) => trouble,
        };
        let named = last.refusal().and_then(|refusal| refusal.retry_after).unwrap_or_default();
        let delay = named.saturating_add(patience.backoff.delay(attempts, rand::random()));
        if attempts >= patience.attempts || delay >= left() {
            return Err(PublishError::GivenUp { attempts, last });
        }
        sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, broken, refused};
    use super::*;

    async fn tried(script: Vec<Result<&str, Trouble>>) -> (Result<Bytes, PublishError>, Vec<Instant>, usize) {
        let script = Script::of(script);
        let call = Call { path: "/v1/publish".into(), body: Bytes::from("{}"), shown: Default::default() };
        let outcome = insist(&*script, &call, &Patience::default()).await;
        let sent = script.sent();
        assert!(sent.iter().all(|(_, body)| body == "{}"), "the same bytes each time");
        let times = sent.into_iter().map(|(at, _)| at).collect();
        (outcome, times, script.left())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again() {
        let failures = vec![
            Err(broken()),
            Err(Trouble::Unreachable("refused".into())),
            Err(refused(503, "capacity", None)),
            Err(refused(502, "", None)),
            Ok("done"),
        ];
        let (outcome, times, _) = tried(failures).await;
        assert_eq!((outcome.unwrap(), times.len()), (Bytes::from("done"), 5));
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_refused_is_an_answer() {
        let (outcome, times, left) = tried(vec![Err(refused(409, "channel_ended", None)), Ok("never")]).await;
        assert!(matches!(outcome, Err(PublishError::Refused(refusal)) if refusal.code == "channel_ended"));
        assert_eq!((times.len(), left), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_waited_for() {
        let (outcome, times, _) = tried(vec![Err(refused(429, "rate_limited", Some(7))), Ok("done")]).await;
        assert!(outcome.is_ok());
        let waited = times[1] - times[0];
        assert!(waited >= Duration::from_secs(7) && waited <= Duration::from_millis(7_250), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn patience_may_be_without_end() {
        let script = Script::of(vec![Err(refused(429, "rate_limited", Some(86_400))), Ok("done")]);
        let call = Call { path: "/v1/publish".into(), body: Bytes::from("{}"), shown: Default::default() };
        let patience = Patience { total: Duration::MAX, attempt: Duration::MAX, ..Patience::default() };
        assert_eq!(insist(&*script, &call, &patience).await.unwrap(), Bytes::from("done"));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_and_time_have_an_end() {
        let failures = || (0..1_000).map(|_| Err(broken())).collect::<Vec<_>>();
        let (outcome, times, _) = tried(failures()).await;
        assert!(matches!(outcome, Err(PublishError::GivenUp { attempts: 6.., .. })));
        let took = times[times.len() - 1] - times[0];
        assert!(took > Duration::from_secs(45) && took < Duration::from_secs(60), "{took:?}");
        let script = Script::of(failures());
        let call = Call { path: "/v1/publish".into(), body: Bytes::from("{}"), shown: Default::default() };
        let patience = Patience { attempts: 3, ..Patience::default() };
        let outcome = insist(&*script, &call, &patience).await;
        assert!(matches!(outcome, Err(PublishError::GivenUp { attempts: 3, .. })));
        let quota = refused(429, "idempotency_quota", Some(3600));
        let (outcome, times, _) = tried(vec![Err(quota), Ok("never")]).await;
        assert_eq!((outcome.unwrap_err().code(), times.len()), (Some("idempotency_quota"), 1));
    }
}
