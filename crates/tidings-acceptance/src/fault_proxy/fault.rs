//! The faults, and how often each has struck.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Something that goes wrong between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The connection is closed where an event would go out; of a request, before it is handed on.
    Cut,
    /// The connection is reset in the middle of an event; of a request, before it is handed on.
    Reset,
    /// Half of an event, or of an answer, then the connection is closed.
    HalfEvent,
    /// Half of an event, or of an answer, then nothing more.
    HangMidEvent,
    /// From here on every byte comes by itself.
    OneByteChunks,
    /// From here on what comes comes late.
    Slow,
    /// A request is taken and never answered, nor handed on.
    HangInHeaders,
    /// 401.
    Status401,
    /// 403.
    Status403,
    /// 429 with `Retry-After: 1`.
    Status429,
    /// 500.
    Status500,
    /// 204.
    Status204,
    /// The stream is said to be a page.
    WrongContentType,
    /// What the server says is held back: the headers too.
    Buffering,
    /// A request is carried out, and its answer lost.
    AnswerCut,
}

/// What a fault is a fault of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A stream that runs; it strikes where an event goes out.
    Stream,
    /// The opening of a stream.
    Opening,
    /// The answer to another request.
    Answer,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::Cut,
        Self::Reset,
        Self::HalfEvent,
        Self::HangMidEvent,
        Self::OneByteChunks,
        Self::Slow,
        Self::HangInHeaders,
        Self::Status401,
        Self::Status403,
        Self::Status429,
        Self::Status500,
        Self::Status204,
        Self::WrongContentType,
        Self::Buffering,
        Self::AnswerCut,
    ];

    /// What it is a fault of, to a client that follows.
    #[must_use]
    pub const fn part(self) -> Part {
        match self {
            Self::Cut
            | Self::Reset
            | Self::HalfEvent
            | Self::HangMidEvent
            | Self::OneByteChunks
            | Self::Slow => Part::Stream,
            Self::AnswerCut => Part::Answer,
            _ => Part::Opening,
        }
    }

    /// The status that is answered in place of the server.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Status401 => Some(401),
            Self::Status403 => Some(403),
            Self::Status429 => Some(429),
            Self::Status500 => Some(500),
            Self::Status204 => Some(204),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::HalfEvent => "half event",
            Self::HangMidEvent => "hang mid-event",
            Self::OneByteChunks => "one-byte chunks",
            Self::Slow => "slow",
            Self::HangInHeaders => "hang in headers",
            Self::Status401 => "401",
            Self::Status403 => "403",
            Self::Status429 => "429",
            Self::Status500 => "500",
            Self::Status204 => "204",
            Self::WrongContentType => "wrong content type",
            Self::Buffering => "buffering",
            Self::AnswerCut => "answer cut after commit",
        })
    }
}

/// How often each fault has struck, and how often with an event in flight.
#[derive(Debug, Default)]
pub struct Strikes(Mutex<BTreeMap<Fault, (usize, usize)>>);

impl Strikes {
    /// Notes one.
    pub fn note(&self, fault: Fault, in_flight: bool) {
        let mut strikes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (struck, flying) = strikes.entry(fault).or_default();
        *struck += 1;
        *flying += usize::from(in_flight);
    }

    /// Of these faults: how often in flight, and how often at all, as text; and those that never struck with an event in
    /// flight.
    #[must_use]
    pub fn summary(&self, faults: &[Fault]) -> (String, Vec<Fault>) {
        let strikes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |fault: &Fault| strikes.get(fault).copied().unwrap_or_default();
        let row = |fault: &Fault| format!("{fault} {}/{}", of(fault).1, of(fault).0);
        let text: Vec<String> = faults.iter().map(row).collect();
        (text.join(", "), faults.iter().filter(|fault| of(fault).1 == 0).copied().collect())
    }
}
