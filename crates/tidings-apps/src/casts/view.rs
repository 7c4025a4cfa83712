//! How a cast's events look on the casts' streams.
//!
//! Every change of status, the end too, is a `status` frame; success is `complete` besides, failure `failed`; progress is
//! `progress`, an artifact `artifact`. A relayed event is a frame with its own type and data. A frame has exactly the
//! members that belong to it, on one line.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tidings_core::view::{View, ViewFrame};
use tidings_protocol::Event;

use super::choice::Choice;
use super::kind::Kind;
use crate::object::Object;

/// A frame that is made of a cast's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameName {
    /// `{castId, status, startedAt?, timestamp}`.
    Status,
    /// `{castId, progress, message?, timestamp}`.
    Progress,
    /// `{castId, status, duration, costCents, finishedAt, artifactUrl?, timestamp}`.
    Complete,
    /// `{castId, status, errorMessage, timestamp}`.
    Failed,
    /// `{castId, artifactUrl, timestamp}`.
    Artifact,
}

impl FrameName {
    /// Every frame.
    pub const ALL: [Self; 5] = [Self::Status, Self::Progress, Self::Complete, Self::Failed, Self::Artifact];

    /// The event name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Progress => "progress",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Artifact => "artifact",
        }
    }

    /// The frame of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|frame| frame.name() == name)
    }

    /// The events that it is made of.
    #[must_use]
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Status => &[Kind::StatusChanged, Kind::Started, Kind::Completed, Kind::Failed],
            Self::Progress => &[Kind::ProgressUpdate],
            Self::Complete => &[Kind::Completed],
            Self::Failed => &[Kind::Failed],
            Self::Artifact => &[Kind::ArtifactReady],
        }
    }

    const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Status => &["castId", "status", "startedAt", "timestamp"],
            Self::Progress => &["castId", "progress", "message", "timestamp"],
            Self::Complete => {
                &["castId", "status", "duration", "costCents", "finishedAt", "artifactUrl", "timestamp"]
            }
            Self::Failed => &["castId", "status", "errorMessage", "timestamp"],
            Self::Artifact => &["castId", "artifactUrl", "timestamp"],
        }
    }

    fn of(self, data: &HashMap<String, &RawValue>) -> ViewFrame {
        let with = |object: Object, member: &&str| object.put_some(member, data.get(*member));
        let object = self.members().iter().fold(Object::default(), with);
        ViewFrame { name: self.name().to_owned(), data: object.into_text() }
    }
}

/// The frames of an event, in order.
#[must_use]
pub fn frames(event: &Event) -> Vec<ViewFrame> {
    chosen_frames(event, &Choice::default())
}

fn chosen_frames(event: &Event, choice: &Choice) -> Vec<ViewFrame> {
    let Some(kind) = Kind::parse(event.kind.as_str()) else {
        let frame = ViewFrame { name: event.kind.to_string(), data: event.data.get().to_owned() };
        return if choice.has_relayed(&event.kind) { vec![frame] } else { Vec::new() };
    };
    let data: HashMap<String, &RawValue> = serde_json::from_str(event.data.get()).unwrap_or_default();
    let is_wanted = |frame: &FrameName| frame.kinds().contains(&kind) && choice.has(*frame);
    FrameName::ALL.into_iter().filter(is_wanted).map(|frame| frame.of(&data)).collect()
}

/// The casts' view: the frames that a stream has chosen.
#[derive(Debug, Clone, Default)]
pub struct CastView {
    choice: Choice,
}

impl CastView {
    /// The view of a choice.
    #[must_use]
    pub const fn new(choice: Choice) -> Self {
        Self { choice }
    }
}

/// What tells the casts' views from other apps'.
const KEYS: u32 = 1 << 8;

impl View for CastView {
    fn key(&self) -> Option<u32> {
        self.choice.bits().map(|bits| KEYS | u32::from(bits))
    }

    fn frames(&self, event: &Event) -> Vec<ViewFrame> {
        chosen_frames(event, &self.choice)
    }
}
