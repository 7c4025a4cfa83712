//! One connection that receives, whatever its transport.

use std::io;

use tidings_protocol::Cursor;

use crate::http::Head;
use crate::poll::Poll;
use crate::sse::Sse;
use crate::target::Target;
use crate::ws::Ws;

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `GET /v1/events`.
    Sse,
    /// `GET /v1/ws`.
    Ws,
    /// `GET /v1/poll`, again and again.
    Poll,
}

impl Transport {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Sse, Self::Ws, Self::Poll];

    /// One after the other.
    #[must_use]
    pub fn nth(index: usize) -> Self {
        Self::ALL[index % Self::ALL.len()]
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Channels and patterns.
    pub channels: Vec<String>,
    /// `None` begins at the head.
    pub since: Option<String>,
    /// Whether the cursor goes in `Last-Event-ID`, as a browser sends it, where the transport has it.
    pub by_header: bool,
    /// Seconds that a poll waits.
    pub wait: u64,
    /// Further parameters, as they stand in a query, each ending in `&`.
    pub more: String,
}

impl Ask {
    /// These channels from now on.
    #[must_use]
    pub fn of(channels: &[&str]) -> Self {
        let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
        Self { channels, wait: 10, ..Self::default() }
    }

    /// The same after a cursor, or from `start`.
    #[must_use]
    pub fn since(&self, since: impl std::fmt::Display) -> Self {
        Self { since: Some(since.to_string()), ..self.clone() }
    }

    /// The same with a further parameter, which needs no escaping.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self { more: format!("{}{name}={value}&", self.more), ..self.clone() }
    }

    pub(crate) fn query(&self) -> String {
        // Nothing in the alphabet of channels and patterns must be escaped in a query (RFC 3986, 3.4).
        let channels: String = self.channels.iter().map(|channel| format!("channel={channel}&")).collect();
        channels + &self.more
    }
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event of the log.
    Event {
        /// The id beside it: what a client keeps. None between `$subscribed` and `$joined`.
        id: Option<Cursor>,
        /// Its JSON.
        data: String,
    },
    /// A control, `$ready` to `$end`.
    Control {
        /// Its name.
        name: String,
        /// The id beside it, if it has one.
        id: Option<Cursor>,
        /// Its JSON.
        data: String,
    },
    /// The position has moved without an event.
    Position(Cursor),
    /// A sign of life without a position.
    Life,
}

/// Why nothing more comes.
#[derive(Debug)]
pub enum Closed {
    /// The connection broke, or could not be made.
    Broken(io::Error),
    /// The server refused with this status and problem code.
    Refused {
        /// The status.
        status: u16,
        /// The problem's code.
        code: String,
    },
    /// The stream ended as streams end: after its last chunk, or with this close code.
    Ended(Option<u16>),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Closed {
    pub(crate) fn refused(head: &Head, body: &[u8]) -> Self {
        let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        Self::Refused { status: head.status, code: problem["code"].as_str().unwrap_or_default().to_owned() }
    }
}

/// One open subscription.
#[derive(Debug)]
pub enum Subscription {
    /// Over server-sent events.
    Sse(Box<Sse>),
    /// Over a WebSocket.
    Ws(Box<Ws>),
    /// Over long polls on one connection.
    Poll(Box<Poll>),
}

impl Subscription {
    /// Opens one.
    ///
    /// # Errors
    /// [`Closed`]: broken, or refused.
    pub async fn open(transport: Transport, target: &Target, ask: &Ask) -> Result<Self, Closed> {
        Ok(match transport {
            Transport::Sse => Self::Sse(Box::new(Sse::open(target, ask).await?)),
            Transport::Ws => Self::Ws(Box::new(Ws::open(target, ask).await?)),
            Transport::Poll => Self::Poll(Box::new(Poll::open(target, ask).await?)),
        })
    }

    /// What comes next. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// [`Closed`], from then on for every call.
    pub async fn next(&mut self) -> Result<Item, Closed> {
        match self {
            Self::Sse(sse) => sse.next().await,
            Self::Ws(ws) => ws.next().await,
            Self::Poll(poll) => poll.next().await,
        }
    }
}

/// The text of an id as a cursor.
///
/// # Errors
/// `InvalidData` if it is none.
pub(crate) fn cursor(text: &str) -> io::Result<Cursor> {
    text.parse().map_err(|_| crate::http::invalid(&format!("an id that is no cursor: {text:?}")))
}

pub(crate) fn item(name: &str, id: Option<Cursor>, data: String) -> Item {
    if name.starts_with('$') {
        Item::Control { name: name.to_owned(), id, data }
    } else {
        Item::Event { id, data }
    }
}
