//! Why something was not published.

use tidings_protocol::Cursor;

use super::Receipt;
use super::draft::Draft;
use crate::exchange::Trouble;
use crate::refusal::Refusal;

/// Why a call has failed for good.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// It was refused and will be again: nothing of the call has happened. Either the server has, or what it would refuse was
    /// seen before it was asked; [`PublishError::code`] says why.
    #[error("{0}")]
    Refused(Refusal),
    /// It was tried as often, or for as long, as the options allow. Unless nothing but [`Trouble::Unreachable`] was met,
    /// it may have happened all the same.
    #[error("given up after {attempts} attempts: {last}")]
    GivenUp {
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt met.
        last: Trouble,
    },
    /// What was answered is not what this client knows: it is a success all the same, so that as a rule it has happened.
    #[error("what the server answered is not understood: {0}")]
    Misunderstood(String),
}

impl PublishError {
    /// What the server refused with, be it for good or again and again.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::GivenUp { last, .. } => last.refusal(),
            Self::Misunderstood(_) => None,
        }
    }

    /// The problem's code, e.g. `channel_ended`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str())
    }
}

/// Of several events only the first were published.
#[derive(Debug, thiserror::Error)]
#[error("{} of the events were published, then: {error}", published.len())]
pub struct Interrupted {
    /// The first events, in order.
    pub published: Vec<Receipt>,
    /// What the next part met.
    pub error: PublishError,
}

impl Interrupted {
    /// The position of the last event that was published, if there is one.
    #[must_use]
    pub fn last(&self) -> Option<Cursor> {
        self.published.last().map(|receipt| receipt.id)
    }
}

/// Why an event was not put into the queue.
#[derive(Debug, thiserror::Error)]
pub enum NotQueued {
    /// The queue holds as much as it may; the event is handed back.
    #[error("the queue is full: the server is away, or slower than what is published")]
    Full(Box<Draft>),
    /// It would be refused: [`PublishError::Refused`].
    #[error(transparent)]
    Refused(#[from] PublishError),
    /// There is nothing to run on.
    #[error("a Tokio runtime is needed: call this from within one")]
    NoRuntime,
}

/// The time was over before everything was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{left} events still wait to be published")]
pub struct Unflushed {
    /// Events that wait or are under way.
    pub left: u64,
}
