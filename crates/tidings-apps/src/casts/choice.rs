//! Which frames a stream of casts is to have: `?type=`.
//!
//! The words are names of frames, or types that a backend relays. The stream's end comes whatever was chosen.

use tidings_protocol::limits::FILTER_WORDS;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ErrorCode, EventType};

use super::kind::Kind;
use super::view::FrameName;

/// A choice of frames. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Empty with `relayed` empty means all.
    frames: Vec<FrameName>,
    relayed: Vec<EventType>,
    types: Vec<EventType>,
}

impl Choice {
    /// The choice of these words; all frames where there is none.
    ///
    /// # Errors
    /// `invalid_parameter` for a word that is no type, for one of the six kinds, which are types of events and not names
    /// of frames, and for more than 100 words.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let refuse = |detail: String| Problem::new(ErrorCode::InvalidParameter, detail).at("type");
        let mut choice = Self::default();
        for (index, word) in words.into_iter().enumerate() {
            if index >= FILTER_WORDS {
                return Err(refuse(format!("at most {FILTER_WORDS} types can be named")));
            }
            if let Some(frame) = FrameName::parse(word) {
                choice.add_frame(frame)?;
            } else if Kind::parse(word).is_some() {
                let names = FrameName::ALL.map(FrameName::name).join(", ");
                return Err(refuse(format!(
                    "name frames here: {names}, or a type of your own; {word} is none"
                )));
            } else {
                let kind = word.parse().map_err(|_| refuse(format!("{word:?} is no type of an event")))?;
                choice.add_relayed(kind);
            }
        }
        Ok(choice)
    }

    fn add_frame(&mut self, frame: FrameName) -> Result<(), Problem> {
        if !self.frames.contains(&frame) {
            self.frames.push(frame);
        }
        for kind in frame.kinds() {
            self.add_type(kind.event_type()?);
        }
        Ok(())
    }

    fn add_relayed(&mut self, kind: EventType) {
        if !self.relayed.contains(&kind) {
            self.relayed.push(kind.clone());
        }
        self.add_type(kind);
    }

    fn add_type(&mut self, kind: EventType) {
        if !self.types.contains(&kind) {
            self.types.push(kind);
        }
    }

    /// The types of events to ask the log for; empty for all.
    #[must_use]
    pub fn types(&self) -> &[EventType] {
        &self.types
    }

    fn is_all(&self) -> bool {
        self.types.is_empty()
    }

    /// Whether the frame was chosen.
    #[must_use]
    pub fn has(&self, frame: FrameName) -> bool {
        self.is_all() || self.frames.contains(&frame)
    }

    /// Whether events that are relayed with this type were chosen.
    #[must_use]
    pub fn has_relayed(&self, kind: &EventType) -> bool {
        self.is_all() || self.relayed.contains(kind)
    }

    /// What tells this choice from others; `None` with relayed types in it, which are without number.
    #[must_use]
    pub fn bits(&self) -> Option<u8> {
        if self.is_all() {
            return Some(1 << 7);
        }
        let bits = FrameName::ALL.iter().enumerate();
        let bits =
            bits.filter(|(_, frame)| self.frames.contains(frame)).fold(0, |bits, (at, _)| bits | 1 << at);
        self.relayed.is_empty().then_some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(words: &[&str]) -> Vec<String> {
        let choice = Choice::parse(words.iter().copied()).unwrap();
        choice.types().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn frames_ask_for_the_events_that_they_are_made_of() {
        assert_eq!(types(&[]), [""; 0]);
        assert_eq!(types(&["status"]), ["STATUS_CHANGED", "STARTED", "COMPLETED", "FAILED"]);
        assert_eq!(types(&["complete", "progress", "complete"]), ["COMPLETED", "PROGRESS_UPDATE"]);
        assert_eq!(types(&["failed", "status", "my.type"]).len(), 5);
    }

    #[test]
    fn what_is_no_frame_and_no_type_is_refused() {
        for bad in ["STATUS_CHANGED", "COMPLETED", "error", "a b", ""] {
            let problem = Choice::parse([bad]).unwrap_err();
            assert_eq!((problem.code, problem.at.as_deref()), (ErrorCode::InvalidParameter, Some("type")));
        }
        assert!(Choice::parse(vec!["status"; 100]).is_ok());
        assert!(Choice::parse(vec!["status"; 101]).is_err());
    }

    #[test]
    fn choices_of_frames_have_bits_of_their_own() {
        let bits = |words: &[&str]| Choice::parse(words.iter().copied()).unwrap().bits();
        assert_eq!(
            (bits(&[]), bits(&["status"]), bits(&["artifact", "status"])),
            (Some(128), Some(1), Some(17))
        );
        assert_eq!(bits(&["status", "my.type"]), None);
    }
}
