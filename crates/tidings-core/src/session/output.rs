//! What a session puts out: frames for the wire, and effects for whoever carries them out.

use std::sync::Arc;

use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::{Cursor, EndReason, Pattern};

use super::Session;
use crate::entry::Entry;
use crate::port::log::Query;

/// One thing a session puts out, in order.
#[derive(Debug)]
pub enum Output {
    /// An event, with its id.
    Event(Arc<Entry>),
    /// An event for channels that are being added, or of a state that is not told to its end: without an id.
    Backfill(Arc<Entry>),
    /// A control, with an id where it has one.
    Control(Box<Control>, Option<Cursor>),
    /// A sign of life.
    Heartbeat(Pulse),
    /// Reset the connection without a word.
    Abort(EndReason),
    /// Effect: attach after this position, then [`super::Input::Given`] or [`super::Input::Behind`].
    Attach(Cursor),
    /// Effect: detach, and forget a page that is being read.
    Detach,
    /// Effect: read a page of the log, then [`super::Input::Page`] or [`super::Input::Unreadable`].
    Read(Box<Query>),
}

/// What a sign of life says of the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Nothing: channels are being added.
    Silent,
    /// It is where the last id said.
    Same(Cursor),
    /// It has moved to here since the last id.
    Moved(Cursor),
}

/// What waits in the output: outputs, and how far the position moves once they are taken.
#[derive(Debug)]
pub(super) enum Queued {
    Event(Arc<Entry>),
    Backfill(Arc<Entry>),
    Control(Box<(Control, bool)>),
    Heartbeat,
    Abort(EndReason),
    Attach(Cursor),
    Detach,
    Read(Box<Query>),
    Advance(Cursor),
    AdvanceJoin(Cursor),
}

impl Queued {
    /// Whether it is `$ready`, or the `$reset` that follows it at once.
    pub(super) fn opens_stream(&self) -> bool {
        match self {
            Self::Control(control) => {
                let (control, with_id) = &**control;
                matches!(control, Control::Ready { .. }) || (matches!(control, Control::Reset(_)) && *with_id)
            }
            _ => false,
        }
    }

    /// Whether it is said even though events are decided on again, for `patterns` alone: controls are, but for those
    /// that go with events, and for gaps of channels that are gone.
    pub(super) fn outlasts_rewind(&self, patterns: &[Pattern]) -> bool {
        let Self::Control(control) = self else { return false };
        match &control.0 {
            Control::Lagged { .. } | Control::Joined { .. } => false,
            Control::Reset(Reset { reason: ResetReason::Expired, channels, .. }) => {
                let concerns = |gap: &Pattern| patterns.iter().any(|own| own.covers(gap) || gap.covers(own));
                channels.iter().any(concerns)
            }
            _ => true,
        }
    }
}

impl Session {
    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            return Some(match self.out.pop_front()? {
                Queued::Advance(to) => {
                    self.position = self.position.max(to);
                    self.subscriptions.pass_resets(self.position.seq);
                    continue;
                }
                Queued::AdvanceJoin(to) => {
                    if let Some(joining) = &mut self.joining {
                        joining.advance(to);
                    }
                    continue;
                }
                Queued::Event(entry) => {
                    self.position = self.position.max(entry.event().id);
                    self.announced = self.position;
                    self.untold = false;
                    Output::Event(entry)
                }
                Queued::Backfill(entry) => {
                    if let Some(joining) = &mut self.joining {
                        joining.advance(entry.event().id);
                    }
                    Output::Backfill(entry)
                }
                Queued::Control(control) => {
                    let (control, with_id) = *control;
                    self.leave_joined(&control);
                    let id = (with_id && !self.untold).then_some(self.position);
                    self.announced = id.unwrap_or(self.announced);
                    Output::Control(Box::new(control), id)
                }
                Queued::Heartbeat => {
                    if self.joining.is_some() || self.untold {
                        Output::Heartbeat(Pulse::Silent)
                    } else if self.announced == self.position {
                        Output::Heartbeat(Pulse::Same(self.position))
                    } else {
                        self.announced = self.position;
                        Output::Heartbeat(Pulse::Moved(self.position))
                    }
                }
                Queued::Abort(reason) => Output::Abort(reason),
                Queued::Attach(after) => Output::Attach(after),
                Queued::Detach => Output::Detach,
                Queued::Read(query) => Output::Read(query),
            });
        }
    }
}
