//! What a peer can do wrong, and the close code that says so.

use super::CloseCode;

/// A rule of RFC 6455, or a limit, that the peer has broken. The connection cannot be read on: answer with a close
/// frame of [`close_code`](Violation::close_code) and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set, without an extension that gives it a meaning (5.2).
    #[error("reserved bit set, but no extension was negotiated")]
    ReservedBits,
    /// An opcode that RFC 6455 reserves (5.2).
    #[error("unknown opcode {0:#x}")]
    UnknownOpcode(u8),
    /// A frame to a server is not masked (5.1).
    #[error("frames to a server must be masked")]
    Unmasked,
    /// A frame to a client is masked (5.1).
    #[error("frames to a client must not be masked")]
    Masked,
    /// A control frame without FIN (5.5).
    #[error("control frames must not be fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes (5.5).
    #[error("control frames have at most 125 bytes")]
    ControlTooLong,
    /// A continuation without a message to continue (5.4).
    #[error("continuation frame without a message")]
    NothingToContinue,
    /// A new message within a fragmented one (5.4).
    #[error("new message before the end of a fragmented one")]
    UnfinishedMessage,
    /// A length in more bytes than it needs (5.2).
    #[error("length not encoded in the fewest bytes")]
    LengthNotMinimal,
    /// A length with its most significant bit set (5.2).
    #[error("length of more than 63 bits")]
    LengthTooLarge,
    /// A message over the decoder's limit; noticed in the head of the frame that makes it too big.
    #[error("message too big")]
    TooBig,
    /// A message of more fragments than the decoder's limit.
    #[error("message of too many fragments")]
    TooManyFragments,
    /// A text message that is not UTF-8 (8.1).
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// A close frame of one byte: too short for a code (5.5.1).
    #[error("close frame of one byte")]
    CloseTooShort,
    /// A close code that must not be sent (7.4).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// A close reason that is not UTF-8 (5.5.1).
    #[error("close reason is not UTF-8")]
    InvalidCloseReason,
}

impl Violation {
    /// What to close the connection with: 1007, 1008, 1009, and 1002 for all else.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::TooBig => CloseCode::TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY_VIOLATION,
            Self::InvalidUtf8 | Self::InvalidCloseReason => CloseCode::INVALID_PAYLOAD,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
