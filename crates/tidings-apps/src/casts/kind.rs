//! The six events of a cast, and their data: the members of the frames that are made of them.

use serde_json::value::RawValue;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ErrorCode, EventType};

use super::cast::Cast;
use super::status::Status;
use crate::object::Object;

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has a status: queued, running or cancelled. `{castId, status, startedAt?, timestamp}`.
    StatusChanged,
    /// It got further. `{castId, progress, message?, timestamp}`. The only one with a conflation key, so the message is
    /// the one that stands, whether or not this event brought it.
    ProgressUpdate,
    /// It runs. `{castId, status, startedAt, timestamp}`.
    Started,
    /// It succeeded. `{castId, status, startedAt?, duration, costCents, finishedAt, artifactUrl?, timestamp}`; duration and
    /// costs are `null` while not known.
    Completed,
    /// It failed. `{castId, status, startedAt?, errorMessage, timestamp}`; the message is `null` where nobody gave one.
    Failed,
    /// There is something that it made. `{castId, artifactUrl, timestamp}`.
    ArtifactReady,
}

/// The conflation key of [`Kind::ProgressUpdate`].
pub const PROGRESS_KEY: &str = "progress";

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::StatusChanged,
        Self::ProgressUpdate,
        Self::Started,
        Self::Completed,
        Self::Failed,
        Self::ArtifactReady,
    ];

    /// The event's type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StatusChanged => "STATUS_CHANGED",
            Self::ProgressUpdate => "PROGRESS_UPDATE",
            Self::Started => "STARTED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::ArtifactReady => "ARTIFACT_READY",
        }
    }

    /// The kind with that name; `None` for a relayed type.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The event's type as the log takes it.
    ///
    /// # Errors
    /// `internal`; no kind leads to it.
    pub fn event_type(self) -> Result<EventType, Problem> {
        self.name().parse().map_err(|_| Problem::of(ErrorCode::Internal))
    }

    /// The kind that tells of a cast's status.
    #[must_use]
    pub const fn of_status(status: Status) -> Self {
        match status {
            Status::Queued | Status::Running | Status::Cancelled => Self::StatusChanged,
            Status::Succeeded => Self::Completed,
            Status::Failed => Self::Failed,
        }
    }

    /// Whether an event of this kind ends the channel of a cast with that status.
    #[must_use]
    pub fn ends(self, status: Status) -> bool {
        status.is_terminal() && self == Self::of_status(status)
    }

    /// The event's data, on one line; an end says `"terminal":true`.
    #[must_use]
    pub fn data(self, cast: &Cast, now: Timestamp) -> Box<RawValue> {
        let object = Object::default().put("castId", &cast.id.as_str());
        let with_status = |object: Object| {
            object.put("status", &cast.status.name()).put_some("startedAt", cast.started_at.as_ref())
        };
        let object = match self {
            Self::StatusChanged | Self::Started => with_status(object),
            Self::ProgressUpdate => {
                object.put("progress", &cast.progress).put_some("message", cast.message.as_ref())
            }
            Self::Completed => with_status(object)
                .put("duration", &cast.duration)
                .put("costCents", &cast.cost_cents)
                .put("finishedAt", &cast.finished_at)
                .put_some("artifactUrl", cast.artifact_url.as_ref()),
            Self::Failed => with_status(object).put("errorMessage", &cast.error_message),
            Self::ArtifactReady => object.put("artifactUrl", &cast.artifact_url),
        };
        let terminal = self.ends(cast.status).then_some(&true);
        object.put("timestamp", &now).put_some("terminal", terminal).into_raw()
    }
}
