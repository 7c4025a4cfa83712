//! A stream that follows something to its end: it begins with a state, and ends by itself with the terminal event.
//!
//! Invariants: the end comes after the terminal event, whether or not that event's type was asked for, and is put out
//! once. Until its frames are taken, a credential's end still strikes: what waits is dropped and the other end is said.

use std::sync::Arc;

use tidings_protocol::control::Control;
use tidings_protocol::{EndReason, Retry};

use super::output::Queued;
use super::{Input, Phase, Session};
use crate::entry::Entry;

/// What a stream begins and ends with of its own accord.
#[derive(Debug, Default)]
pub struct Course {
    /// The state as of where the session begins, told right after `$ready`. What stands before its last event has no id:
    /// a client that is cut off before it has all of the state comes back without, and is told it again.
    pub state: Vec<Arc<Entry>>,
    /// How it ends.
    pub ending: Ending,
}

/// How a stream ends by itself.
#[derive(Debug, Default)]
pub enum Ending {
    /// It does not.
    #[default]
    Open,
    /// With the terminal event of a channel that it subscribes to. The filter must let terminal events pass.
    WithTerminal,
    /// What it tells of has ended already: what was missed is given; should the terminal event not be there any more,
    /// this final state is told in its place.
    Over(Vec<Arc<Entry>>),
}

impl Ending {
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Session {
    /// The events up to the first that ends the stream, and whether there is one.
    pub(super) fn until_end<'a>(&self, wanted: Vec<&'a Arc<Entry>>) -> (Vec<&'a Arc<Entry>>, bool) {
        if self.ending.is_open() {
            return (wanted, false);
        }
        let ends = |entry: &&Arc<Entry>| {
            entry.event().terminal && self.subscriptions.contains(&entry.event().channel.clone().into())
        };
        let Some(at) = wanted.iter().position(ends) else { return (wanted, false) };
        (wanted.into_iter().take(at + 1).collect(), true)
    }

    /// At the head without having met the end of something that has ended: its terminal event is gone.
    pub(super) fn conclude(&mut self) {
        if let Ending::Over(state) = &mut self.ending {
            let state = std::mem::take(state);
            self.out.extend(state.into_iter().map(Queued::Event));
            self.finish();
        }
    }

    /// Says the end after everything that waits.
    pub(super) fn finish(&mut self) {
        self.out.push_back(Queued::Detach);
        self.control(Control::End { reason: EndReason::TerminalState, after: None }, true);
        self.phase = Phase::Ended;
    }

    /// After its end nothing changes a session but a right that ends while frames still wait to be taken.
    pub(super) fn after_end(&mut self, input: Input) {
        let reason = match input {
            Input::End(reason, _) if matches!(reason.retry(), Retry::Auth | Retry::Never) => reason,
            Input::Unauthorize(lost) if lost.iter().any(|lost| self.subscriptions.contains(lost)) => {
                EndReason::Revoked
            }
            _ => return,
        };
        let waits = self.out.iter().any(|queued| matches!(queued, Queued::Event(_)));
        if waits {
            self.out.retain(Queued::opens_stream);
            self.out.push_back(Queued::Detach);
            self.control(Control::End { reason, after: None }, true);
        }
    }
}
