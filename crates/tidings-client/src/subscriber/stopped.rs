//! How a subscriber stands, and why it has stopped.

use crate::refusal::Refusal;

/// Why a subscriber has stopped for good. An end in order (`terminal_state`) is none of these: nothing follows then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stopped {
    /// The server refuses the stream for good, and there is no other credential to show: `unauthenticated`,
    /// `forbidden_channel`, or what else its `code` says.
    #[error("{0}")]
    Refused(Refusal),
    /// The server has ended the stream and says not to come back, or not with this credential.
    #[error("the server has ended the stream: {reason}")]
    Ended {
        /// The reason, as in PROTOCOL.md ("Ends"): `expired`, `signed_out` and `revoked` where another credential is needed,
        /// `ended_by_admin`, `membership_ended`, `replaced`.
        reason: String,
    },
    /// It was tried as often as the options allow.
    #[error("given up after {failures} failures in a row: {last}")]
    GivenUp {
        /// Failures in a row.
        failures: u32,
        /// The last one.
        last: String,
    },
}

/// What a subscriber does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It reads the record that it follows, or waits before it reads it again.
    Reading,
    /// It asks for a stream.
    Connecting,
    /// The stream is open.
    Connected,
    /// It stays away for a moment before it asks again.
    Waiting,
    /// It waits for a fresh credential.
    Renewing,
    /// It has stopped, in order or not.
    Ended,
}

/// How a subscriber stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// How often in a row it went wrong.
    pub failures: u32,
    /// What went wrong last; none once the stream has shown that it lives.
    pub why: Option<String>,
}
