//! A record and what happens to it, as one thing that outlives gaps.
//!
//! Owns: when the record is read, and from where on its events are told. Leaves out: reading it once (`snapshot`), and the
//! stream (`Subscriber`).
//!
//! It reads, tells the record, and follows from the position at which it was read. At a gap it tells the gap, drops the
//! stream, and begins anew. Everything that the old stream had told or still held lies before the new reading, so nothing is
//! lost or told twice at this seam either.
//!
//! There is no task beside the stream's: it reads while [`Followed::next`] is awaited.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::{BoxFuture, poll_fn};
use serde::de::DeserializeOwned;
use tidings_protocol::Cursor;
use tidings_protocol::control::ResetReason;
use tidings_protocol::cursor::Since;
use tokio::sync::watch;
use tokio::time::sleep;

use super::event::{Gap, Update};
use super::setup::Setup;
use super::snapshot::{NoSnapshot, Record, check, read, reading};
use super::stopped::{State, Status, Stopped};
use super::{Options, Subscriber};
use crate::backoff::Backoff;
use crate::server::InvalidOptions;

/// What is told of a record that is followed.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a record is as large as an event, as a rule")]
pub enum Told<T> {
    /// The record as it is: at first, and anew after each gap, in place of what was known. What the updates before it told
    /// of is contained; those after it are not.
    Snapshot(T),
    /// What has happened since. After a [`Gap`] what is known is old until the next [`Told::Snapshot`], which is what comes
    /// next; only where the right to channels has ended (`unauthorized`) the record is not read again.
    Update(Update),
}

/// Why a record is followed no more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotFollowed {
    /// It cannot be read, at first or after a gap.
    #[error("{0}")]
    NoSnapshot(#[from] NoSnapshot),
    /// Its events are not given any more.
    #[error("{0}")]
    Stopped(#[from] Stopped),
}

/// A record or list and everything that happens to it. It is read again by itself where events cannot be given.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tidings_client::{Cast, Followed, Told, Update, subscriber::Options};
///
/// let mut followed = Followed::<Cast>::open("/api/casts/c1", Options::of(["cast:c1"]))?;
/// while let Some(told) = followed.next().await {
///     match told? {
///         Told::Snapshot(cast) => println!("{:?} at {:?} %", cast.status, cast.progress),
///         Told::Update(Update::Event(event)) => println!("{}: {}", event.kind, event.data),
///         Told::Update(Update::Gap(gap)) => println!("old ({}): it is read again", gap.reason),
///         Told::Update(_) => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Followed<T> {
    path: Arc<str>,
    setup: Setup,
    status: Arc<watch::Sender<Status>>,
    watched: watch::Receiver<Status>,
    doing: Doing,
    /// Readings in a row after which a gap came and no event.
    in_vain: u32,
    record: PhantomData<fn() -> T>,
}

enum Doing {
    Reading(BoxFuture<'static, Result<Record, NoSnapshot>>),
    Following(Subscriber),
    Over,
}

impl<T: DeserializeOwned> Followed<T> {
    /// Follows the record or list at `path` (`/api/casts/c1`, `/api/casts?limit=50`) by the events of the options' channels,
    /// within a Tokio runtime; `since` of the options does not count. It begins with the first [`Followed::next`].
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub fn open(path: &str, options: Options) -> Result<Self, InvalidOptions> {
        check(path)?;
        let setup = Setup::of(options)?;
        let (status, watched) = watch::channel(reading());
        let mut followed = Self {
            path: path.into(),
            setup,
            status: Arc::new(status),
            watched,
            doing: Doing::Over,
            in_vain: 0,
            record: PhantomData,
        };
        followed.read(Duration::ZERO);
        Ok(followed)
    }

    /// What comes next; `None` once what was followed has ended, or an error was given. May be dropped and called again.
    ///
    /// What fails for the moment, a reading or a stream, is tried again as the options say, and seen by
    /// [`Followed::status`]. The first reading after a gap begins at once; where gaps come without an event between them,
    /// further ones wait as after failures.
    ///
    /// # Errors
    /// [`NotFollowed`], once.
    pub async fn next(&mut self) -> Option<Result<Told<T>, NotFollowed>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Told<T>, NotFollowed>>> {
        let told = match &mut self.doing {
            Doing::Reading(reading) => Some(match ready!(reading.as_mut().poll(cx)) {
                Ok(record) => self.begin(record),
                Err(error) => Err(error.into()),
            }),
            Doing::Following(subscriber) => match ready!(subscriber.poll(cx)) {
                Some(Ok(update)) => {
                    self.take_note(&update);
                    Some(Ok(Told::Update(update)))
                }
                Some(Err(stopped)) => Some(Err(stopped.into())),
                None => None,
            },
            Doing::Over => None,
        };
        if !matches!(told, Some(Ok(_))) {
            self.end(told.as_ref().and_then(|told| told.as_ref().err()));
        }
        Poll::Ready(told)
    }

    /// The record is there: its events follow.
    fn begin(&mut self, record: Record) -> Result<Told<T>, NotFollowed> {
        let value = record.value()?;
        // It may have been renewed; a stream would show the old one first.
        self.setup.shown = Some(record.shown);
        self.doing = Doing::Following(self.setup.start(Since::Cursor(record.cursor), &self.status));
        Ok(Told::Snapshot(value))
    }
}

impl<T> Followed<T> {
    /// The position after what [`Followed::next`] gave last; `None` while there is no record, or an old one.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        match &self.doing {
            Doing::Following(subscriber) => subscriber.cursor(),
            Doing::Reading(_) | Doing::Over => None,
        }
    }

    /// How it stands, now and whenever that changes. What is borrowed from it must be let go before [`Followed::next`] is
    /// awaited, which writes it.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.watched.clone()
    }

    fn take_note(&mut self, update: &Update) {
        match update {
            Update::Event(_) | Update::Lagged { .. } => self.in_vain = 0,
            Update::Gap(gap) if makes_old(gap) => {
                self.in_vain = self.in_vain.saturating_add(1);
                self.read(pause(self.in_vain, self.setup.rules.backoff, rand::random()));
            }
            Update::Gap(_) | Update::Joined { .. } | Update::Refused { .. } => {}
        }
    }

    /// Reads the record after this time; a stream is dropped.
    fn read(&mut self, after: Duration) {
        // Before the status is told: a stream that nobody listens to tells none.
        self.doing = Doing::Over;
        self.status.send_replace(reading());
        let (path, setup, status) = (self.path.clone(), self.setup.clone(), self.status.clone());
        self.doing = Doing::Reading(Box::pin(async move {
            if !after.is_zero() {
                sleep(after).await;
            }
            read(&path, &setup, &status).await
        }));
    }

    fn end(&mut self, why: Option<&NotFollowed>) {
        self.doing = Doing::Over;
        self.status.send_if_modified(|status| {
            let is_new = status.state != State::Ended;
            if is_new {
                *status = Status { state: State::Ended, why: why.map(ToString::to_string), ..status.clone() };
            }
            is_new
        });
    }
}

/// Whether the record may have changed unseen, and can be read.
fn makes_old(gap: &Gap) -> bool {
    gap.reason != ResetReason::Unauthorized.name()
}

/// A record from a cache may be older than what the log still has: whoever reads it again at once reads it for ever.
fn pause(in_vain: u32, backoff: Backoff, spread: f64) -> Duration {
    match in_vain {
        0 | 1 => Duration::ZERO,
        more => backoff.delay(more - 1, spread),
    }
}

impl<T: DeserializeOwned> Stream for Followed<T> {
    type Item = Result<Told<T>, NotFollowed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl fmt::Debug for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading(_) => "Reading",
            Self::Following(_) => "Following",
            Self::Over => "Over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reading_after_a_gap_waits_for_nothing_and_those_in_vain_do() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
        let most: Vec<u64> = (0..9).map(|in_vain| pause(in_vain, backoff, 1.0).as_secs()).collect();
        assert_eq!(most, [0, 0, 1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_right_that_has_ended_is_nothing_to_read_again_for() {
        let gap = |reason: &str| Gap { reason: reason.to_owned(), channels: Vec::new(), through: None };
        assert!(makes_old(&gap("expired")) && makes_old(&gap("unknown")) && makes_old(&gap("newer")));
        assert!(!makes_old(&gap("unauthorized")));
    }
}
