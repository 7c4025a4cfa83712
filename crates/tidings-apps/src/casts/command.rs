//! What can be asked of a cast.

use serde_json::value::RawValue;
use tidings_core::port::users::UserId;
use tidings_protocol::EventType;

use super::fields::Fields;
use super::id::CastId;
use super::status::Status;
use crate::if_match::Expected;

/// One request about one cast.
#[derive(Debug, Clone)]
pub struct Command {
    /// Which cast.
    pub id: CastId,
    /// What.
    pub act: Act,
    /// For which version of it; looked at by [`Act::Change`].
    pub expected: Expected,
    /// The client's own name for the change: the events' `mutationId`.
    pub mutation_id: Option<Box<str>>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Act {
    /// There shall be a cast, queued.
    Create {
        /// Its owner.
        owner: UserId,
        /// What is known of it from the start.
        fields: Fields,
    },
    /// A cast that there is shall change.
    Change(Change),
    /// Another backend, which keeps its casts in a database of its own, tells what happened; its first mention of a cast
    /// creates it.
    Tell {
        /// The owner; needed at the first mention.
        owner: Option<UserId>,
        /// What happened.
        told: Told,
    },
}

/// What a backend tells.
#[derive(Debug, Clone)]
pub enum Told {
    /// One of the six kinds.
    Change(Change),
    /// A type of its own, without effect on the state: passed on as it is.
    Relay {
        /// The type.
        kind: EventType,
        /// The data.
        data: Box<RawValue>,
    },
}

/// A step of a cast. One that states nothing publishes the state again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The status that it has from now on.
    pub status: Option<Status>,
    /// Whether the step to `running` is told as `STARTED` rather than as `STATUS_CHANGED`.
    pub is_start: bool,
    /// What is set besides.
    pub fields: Fields,
}

impl Change {
    /// Whether this is nothing but a cancellation, which is what a member may ask for.
    #[must_use]
    pub fn is_cancellation(&self) -> bool {
        self.status == Some(Status::Cancelled) && self.fields.is_empty()
    }
}

impl Command {
    /// The cast shall be cancelled, whatever its version.
    #[must_use]
    pub fn cancel(id: CastId) -> Self {
        let change = Change { status: Some(Status::Cancelled), ..Change::default() };
        Self { id, act: Act::Change(change), expected: Expected::default(), mutation_id: None }
    }
}
