//! Following channels: over lost connections and restarts, without losing or repeating anything.
//!
//! Owns: one stream of server-sent events at a time (`query`, `connection`), what it says (`input`), what to do about it
//! (`machine`), which channels it has and what was given of them (`roster`, `change`), doing it (`driver`), the queue to
//! whoever listens, reading a record before its events (`snapshot`), and again after gaps (`followed`). Leaves out: what an
//! application holds.
//!
//! Invariants: every event after the position is given once and in order, or a [`Gap`] says which are not; what a channel
//! missed that is added later is given in order, between others' events; the queue is bounded: a listener that does not
//! keep up slows the stream down, and loses nothing.

mod change;
mod connection;
mod driver;
mod event;
mod followed;
mod input;
mod machine;
mod query;
mod roster;
mod setup;
mod snapshot;
mod stopped;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::poll_fn;
use tidings_protocol::Cursor;
use tokio::sync::{mpsc, watch};

pub use self::change::{Channels, NotChanged};
use self::driver::Handed;
pub use self::event::{Event, Gap, Update};
pub use self::followed::{Followed, NotFollowed, Told};
use self::setup::Setup;
pub use self::snapshot::NoSnapshot;
pub use self::stopped::{State, Status, Stopped};
use crate::backoff::Backoff;
use crate::credential::Credential;
use crate::server::InvalidOptions;
pub use tidings_protocol::cursor::Since;

/// How a subscriber is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's URL, `http://` or `https://`. Default: `TIDINGS_URL`, else `http://127.0.0.1:8080`.
    pub url: Option<String>,
    /// Who asks. Default: the API key in `TIDINGS_API_KEY`; where it is not set, none is shown.
    pub credential: Credential,
    /// A PEM file with the certificates to believe over TLS. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// Channels and patterns (`cast:7`, `cast:*`, `*`) to begin with, each of 200 bytes at most; one at least, and with those
    /// that are added later no more at a time than fits in a request target of 8 KiB. There is no default: see
    /// [`Options::of`].
    pub channels: Vec<String>,
    /// Only events of these types. Default: all.
    pub types: Vec<String>,
    /// Only events of these categories. Default: all.
    pub categories: Vec<String>,
    /// Where to begin: with what comes next, with the oldest retained event, or after a cursor that was kept. Default:
    /// what comes next.
    pub since: Since,
    /// Updates that wait for whoever listens, at most; 0 counts as 1. Once they are as many, the stream is not read on.
    /// Default: 256.
    pub queue: usize,
    /// The delays before a stream is asked for again, where the server names none. Default: up to 1 s, doubling up to
    /// 30 s.
    pub backoff: Backoff,
    /// Failures in a row after which it stops; what is refused for good stops it at once. Default: `None`, it never gives up.
    pub attempts: Option<u32>,
    /// A stream must be open, a fresh credential there, and a change of the channels answered, in so long. Default: 20 s.
    pub open_timeout: Duration,
    /// A stream that says nothing for so long is lost. It must be longer than the server's heartbeat (`stream.heartbeat`).
    /// Default: 75 s, two and a half of the server's default heartbeats.
    pub silence: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: None,
            credential: Credential::default(),
            ca: None,
            channels: Vec::new(),
            types: Vec::new(),
            categories: Vec::new(),
            since: Since::Now,
            queue: 256,
            backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
            attempts: None,
            open_timeout: Duration::from_secs(20),
            silence: Duration::from_secs(75),
        }
    }
}

impl Options {
    /// The defaults for these channels.
    #[must_use]
    pub fn of<Name: Into<String>>(channels: impl IntoIterator<Item = Name>) -> Self {
        Self { channels: channels.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Follows channels. It works in a task of its own until it is dropped.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tidings_client::subscriber::{Options, Since};
/// use tidings_client::{Cursor, Subscriber, Update};
///
/// # let kept: Option<String> = None;
/// // After the cursor that was kept, a text, or with what comes next.
/// let since = match kept {
///     Some(text) => Since::Cursor(text.parse::<Cursor>()?),
///     None => Since::Now,
/// };
/// let mut subscriber = Subscriber::open(Options { since, ..Options::of(["doc:7", "chat:*"]) })?;
/// while let Some(update) = subscriber.next().await {
///     match update? {
///         Update::Event(event) => {
///             let data: serde_json::Value = event.read()?;
///             println!("{} on {}: {data}", event.kind, event.channel);
///         }
///         Update::Gap(gap) => println!("read {:?} anew: {}", gap.channels, gap.reason),
///         Update::Lagged { skipped, .. } => println!("{skipped} were left out for what comes next"),
///         Update::Joined { channels } => println!("{channels:?} are followed too"),
///         Update::Refused { channel, code } => println!("{channel} is not followed: {code}"),
///     }
///     // Kept together with what was made of the update, it is where another subscriber goes on.
///     let _kept = subscriber.cursor().map(|cursor| cursor.to_string());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscriber {
    updates: mpsc::Receiver<Handed>,
    channels: Channels,
    status: watch::Receiver<Status>,
    cursor: Option<Cursor>,
}

impl Subscriber {
    /// Begins to follow, within a Tokio runtime. What fails for the moment is tried again; see [`Subscriber::status`].
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub fn open(options: Options) -> Result<Self, InvalidOptions> {
        let since = options.since;
        let setup = Setup::of(options)?;
        let status = Status { state: State::Connecting, failures: 0, why: None };
        Ok(setup.start(since, &Arc::new(watch::Sender::new(status))))
    }

    /// What comes next; `None` once what was followed has ended, or an error was given. May be dropped and called again.
    ///
    /// # Errors
    /// [`Stopped`], once; after that `None`.
    pub async fn next(&mut self) -> Option<Result<Update, Stopped>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The position after what [`Subscriber::next`] gave last: kept together with what was made of it, it is where another
    /// subscriber goes on ([`Since::Cursor`]). `None` until it is known.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// What changes the channels that are followed, to be held wherever it is needed.
    #[must_use]
    pub fn channels(&self) -> Channels {
        self.channels.clone()
    }

    /// Follows a further channel or pattern; see [`Channels::add`].
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn subscribe(&self, channel: impl Into<String>, since: Since) -> Result<(), NotChanged> {
        self.channels.add(channel, since)
    }

    /// Follows a channel or pattern no more; see [`Channels::remove`].
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn unsubscribe(&self, channel: impl Into<String>) -> Result<(), NotChanged> {
        self.channels.remove(channel)
    }

    /// How it stands, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Update, Stopped>>> {
        loop {
            match ready!(self.updates.poll_recv(cx)) {
                Some(Handed::Update(update, cursor)) => {
                    self.cursor = cursor.or(self.cursor);
                    return Poll::Ready(Some(Ok(update)));
                }
                Some(Handed::Moved(cursor)) => self.cursor = Some(cursor),
                Some(Handed::Stopped(Some(stopped))) => return Poll::Ready(Some(Err(stopped))),
                Some(Handed::Stopped(None)) | None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Subscriber {
    type Item = Result<Update, Stopped>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_needed() {
        let options = Options { credential: Credential::fixed("k"), ..Options::of(["a"]) };
        assert_eq!(Subscriber::open(options).unwrap_err(), InvalidOptions::NoRuntime);
    }
}
