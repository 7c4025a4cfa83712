//! Close codes.

use std::fmt;

/// A close code that may stand in a close frame (RFC 6455, 7.4; IANA "WebSocket Close Code Number Registry").
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The framing is broken.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that the endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// A text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// Against the endpoint's rules, no other code being fitting.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message over the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// Sent by clients only: the server did not agree to an extension.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server met with something unexpected.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server restarts; reconnect after a random delay.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A server upstream gave an invalid response.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Ended: come back now.
    pub const NOW: Self = Self(4000);
    /// Ended: come back later.
    pub const LATER: Self = Self(4001);
    /// Ended: sign in again.
    pub const AUTH: Self = Self(4002);
    /// Ended: stop.
    pub const NEVER: Self = Self(4003);
    /// Refused at the opening: no valid credential.
    pub const UNAUTHORIZED: Self = Self(4401);
    /// Refused at the opening: not allowed.
    pub const FORBIDDEN: Self = Self(4403);
    /// Refused at the opening: too many connections or attempts.
    pub const TOO_MANY: Self = Self(4429);

    /// The code, if it may be sent: 1000–1003, 1007–1014 and 3000–4999. The others are reserved (1004, 1005, 1006,
    /// 1015), unassigned, or outside the range.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}
