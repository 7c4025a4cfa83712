//! When to come back to a stream that has ended, and when to stop. Pure.
//!
//! The rules are those of `$end` (its `retry` and `after`), of `retry:`, of `Retry-After`, and, where nothing was said, a
//! delay that doubles from half a second to half a minute and is spread, so that many do not come back at once.

use std::time::Duration;

use serde::Deserialize;

use super::http::Trouble;
use crate::failure::Failure;

/// The first delay where the server named none.
const FIRST: Duration = Duration::from_millis(500);
/// The longest delay where the server named none.
const LONGEST: Duration = Duration::from_secs(30);
/// Ends at once that many times in a row are answered by delays after all.
const EAGER: u32 = 3;

/// What an `$end` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct End {
    pub(crate) reason: String,
    pub(crate) retry: String,
    pub(crate) after: Option<u64>,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The server said so.
    Ended(End),
    /// It broke, or fell silent.
    Lost(String),
    /// It was not made.
    Refused(Trouble),
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Come back after so long, for this reason.
    Return(Duration, String),
    /// Nothing follows: all is well.
    Done(String),
    /// Stop.
    Stop(Failure),
}

/// Remembers how often it went wrong.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    /// Whether a stream was ever open: a first connection that fails is not tried again.
    opened: bool,
    /// Connections in a row that brought nothing.
    fruitless: u32,
    /// What `retry:` named.
    delay: Option<Duration>,
}

impl Resume {
    /// A stream is open.
    pub(crate) fn opened(&mut self) {
        self.opened = true;
    }

    /// The stream brought something.
    pub(crate) fn brought(&mut self) {
        self.fruitless = 0;
    }

    /// The stream named a delay.
    pub(crate) fn named(&mut self, delay: Duration) {
        self.delay = Some(delay);
    }

    /// What to do now; `spread` is a random number from 0 to 1.
    pub(crate) fn next(&mut self, ending: Ending, spread: f64) -> Next {
        let next = match ending {
            Ending::Ended(end) => self.after_end(&end, spread),
            Ending::Lost(why) => Next::Return(self.delay(spread), why),
            Ending::Refused(trouble) => self.after_refusal(trouble, spread),
        };
        self.fruitless += 1;
        next
    }

    fn after_end(&self, end: &End, spread: f64) -> Next {
        let reason = end.reason.clone();
        match (end.retry.as_str(), end.after) {
            ("now", _) if self.fruitless < EAGER => Next::Return(Duration::ZERO, reason),
            ("now", _) => Next::Return(self.backoff(spread), reason),
            ("auth", _) => Next::Stop(Failure::refused(format!("the server ended the stream: {reason}"))),
            ("never", _) if reason == "terminal_state" => Next::Done(reason),
            ("never", _) => Next::Stop(Failure::new(format!("the server ended the stream: {reason}"))),
            (_, Some(after)) => Next::Return(Duration::from_millis(after), reason),
            (_, None) => Next::Return(self.delay(spread), reason),
        }
    }

    fn after_refusal(&self, trouble: Trouble, spread: f64) -> Next {
        match trouble {
            Trouble::Refused(refusal) if !refusal.is_temporary() => Next::Stop(refusal.into()),
            trouble if !self.opened => Next::Stop(trouble.into()),
            Trouble::Refused(refusal) => {
                let delay = refusal.after.unwrap_or_else(|| self.delay(spread));
                Next::Return(delay, Failure::from(refusal).to_string())
            }
            Trouble::Unreachable(why) | Trouble::Broken(why) => Next::Return(self.delay(spread), why),
        }
    }

    /// What `retry:` named, for the first attempt; then longer and longer.
    fn delay(&self, spread: f64) -> Duration {
        let named = self.delay.unwrap_or(Duration::ZERO);
        if self.fruitless == 0 && self.delay.is_some() { named } else { named.max(self.backoff(spread)) }
    }

    fn backoff(&self, spread: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.fruitless.min(10)).min(LONGEST);
        doubled.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::refusal::Refusal;
    use http::{HeaderMap, StatusCode};

    fn end(reason: &str, retry: &str, after: Option<u64>) -> Ending {
        Ending::Ended(End { reason: reason.into(), retry: retry.into(), after })
    }

    fn refused(status: StatusCode) -> Ending {
        Ending::Refused(Trouble::Refused(Refusal::read(status, &HeaderMap::new(), b"")))
    }

    fn open() -> Resume {
        let mut resume = Resume::default();
        resume.opened();
        resume
    }

    fn delay(next: Next) -> u128 {
        match next {
            Next::Return(delay, _) => delay.as_millis(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_end_says_what_to_do() {
        assert_eq!(delay(open().next(end("lifetime", "now", None), 1.0)), 0);
        assert_eq!(delay(open().next(end("server_shutdown", "later", Some(1234)), 1.0)), 1234);
        assert_eq!(
            open().next(end("terminal_state", "never", None), 1.0),
            Next::Done("terminal_state".into())
        );
        let Next::Stop(failure) = open().next(end("revoked", "auth", None), 1.0) else { panic!() };
        assert_eq!(failure, Failure::refused("the server ended the stream: revoked"));
        let Next::Stop(failure) = open().next(end("ended_by_admin", "never", None), 1.0) else { panic!() };
        assert_eq!(failure, Failure::new("the server ended the stream: ended_by_admin"));
    }

    #[test]
    fn coming_back_at_once_for_nothing_is_given_up() {
        let mut resume = open();
        let delays: Vec<u128> =
            (0..5).map(|_| delay(resume.next(end("lifetime", "now", None), 1.0))).collect();
        assert_eq!(delays, [0, 0, 0, 4_000, 8_000]);
        resume.brought();
        assert_eq!(delay(resume.next(end("lifetime", "now", None), 1.0)), 0);
    }

    #[test]
    fn delays_double_to_half_a_minute_and_are_spread() {
        let mut resume = open();
        let delays: Vec<u128> = (0..8).map(|_| delay(resume.next(Ending::Lost("eof".into()), 1.0))).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(delay(open().next(Ending::Lost("eof".into()), 0.0)), 250);
    }

    #[test]
    fn what_retry_names_is_kept_to() {
        let mut resume = open();
        resume.named(Duration::from_millis(1500));
        assert_eq!(delay(resume.next(Ending::Lost("eof".into()), 1.0)), 1500);
        assert_eq!(delay(resume.next(Ending::Lost("eof".into()), 1.0)), 1500);
        assert_eq!(delay(resume.next(Ending::Lost("eof".into()), 1.0)), 2000);
    }

    #[test]
    fn refusals_are_final_or_not() {
        for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST] {
            assert!(matches!(open().next(refused(status), 1.0), Next::Stop(_)));
        }
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            assert!(matches!(open().next(refused(status), 1.0), Next::Return(..)));
            assert!(
                matches!(Resume::default().next(refused(status), 1.0), Next::Stop(_)),
                "the first must work"
            );
        }
        let unreachable = || Ending::Refused(Trouble::Unreachable("no".into()));
        assert!(matches!(Resume::default().next(unreachable(), 1.0), Next::Stop(_)));
        assert!(matches!(open().next(unreachable(), 1.0), Next::Return(..)));
    }
}
