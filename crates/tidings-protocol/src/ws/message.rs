//! Messages, as they are read and written.

use std::borrow::Cow;

use bytes::{BufMut, Bytes};

use super::{CloseCode, FrameHead, MaskKey, Opcode};

/// Longest payload of a control frame, in bytes (RFC 6455, 5.5).
const CONTROL_BYTES: usize = 125;
/// Longest reason of a close frame: what the code leaves of a control frame.
const REASON_BYTES: usize = CONTROL_BYTES - 2;

/// One message. What [`Decoder`](super::Decoder) yields, and what is encoded in one frame.
///
/// A decoded message borrows from the input where it lies there whole and unmasked, else it owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
    /// To be answered with [`Message::Pong`] of the same payload.
    Ping(ControlPayload<'a>),
    /// An answer to a ping, or unsolicited.
    Pong(ControlPayload<'a>),
    /// The peer will send no more, and has perhaps said why. To be answered with a close frame, unless one was sent.
    Close(Option<Close<'a>>),
}

/// The payload of a ping or pong: at most 125 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ControlPayload<'a>(Cow<'a, [u8]>);

/// More than 125 bytes for a ping or pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ping or pong carries at most 125 bytes")]
pub struct ControlTooLong;

/// Why a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close<'a> {
    code: CloseCode,
    reason: Cow<'a, str>,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// A text message.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Binary(bytes.into())
    }

    /// A close with a code and a reason; see [`Close::new`].
    pub fn close(code: CloseCode, reason: impl Into<Cow<'a, str>>) -> Self {
        Self::Close(Some(Close::new(code, reason)))
    }

    /// The message as one unmasked frame, from a server to any number of clients.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.to_bytes(None)
    }

    /// The message as one masked frame, from a client.
    #[must_use]
    pub fn encode_masked(&self, key: MaskKey) -> Bytes {
        self.to_bytes(Some(key))
    }

    /// Appends the message as one frame, masked if there is a key.
    pub fn write(&self, out: &mut Vec<u8>, mask: Option<MaskKey>) {
        let head = self.head(mask);
        let payload_len = self.payload_len();
        out.reserve(head.encoded_len() + payload_len);
        head.write(out);
        self.put_payload(out);
        if let Some(key) = mask {
            let start = out.len() - payload_len;
            let _ = key.apply(&mut out[start..]);
        }
    }

    /// The message with everything it borrowed made its own.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
            Self::Ping(payload) => Message::Ping(payload.into_owned()),
            Self::Pong(payload) => Message::Pong(payload.into_owned()),
            Self::Close(close) => Message::Close(close.map(Close::into_owned)),
        }
    }

    fn to_bytes(&self, mask: Option<MaskKey>) -> Bytes {
        let mut out = Vec::with_capacity(self.head(mask).encoded_len() + self.payload_len());
        self.write(&mut out, mask);
        out.into()
    }

    fn head(&self, mask: Option<MaskKey>) -> FrameHead {
        let opcode = match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
            Self::Ping(_) => Opcode::Ping,
            Self::Pong(_) => Opcode::Pong,
            Self::Close(_) => Opcode::Close,
        };
        FrameHead { fin: true, opcode, len: self.payload_len() as u64, mask }
    }

    fn payload_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Ping(payload) | Self::Pong(payload) => payload.0.len(),
            Self::Close(close) => close.as_ref().map_or(0, |close| 2 + close.reason.len()),
        }
    }

    fn put_payload(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Binary(bytes) => out.put_slice(bytes),
            Self::Ping(payload) | Self::Pong(payload) => out.put_slice(&payload.0),
            Self::Close(None) => {}
            Self::Close(Some(close)) => {
                out.put_u16(close.code.get());
                out.put_slice(close.reason.as_bytes());
            }
        }
    }
}

// === impl ControlPayload ===

impl<'a> ControlPayload<'a> {
    /// These bytes as a payload.
    ///
    /// # Errors
    /// [`ControlTooLong`] for more than 125 bytes.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, ControlTooLong> {
        let bytes = bytes.into();
        if bytes.len() > CONTROL_BYTES { Err(ControlTooLong) } else { Ok(Self(bytes)) }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload with what it borrowed made its own.
    #[must_use]
    pub fn into_owned(self) -> ControlPayload<'static> {
        ControlPayload(Cow::Owned(self.0.into_owned()))
    }
}

// === impl Close ===

impl<'a> Close<'a> {
    /// A code and a reason for humans. Of a reason over 123 bytes as many whole characters are kept as fit.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'a, str>>) -> Self {
        let mut reason = reason.into();
        let end = reason.floor_char_boundary(REASON_BYTES);
        if end < reason.len() {
            match &mut reason {
                Cow::Borrowed(text) => *text = text.get(..end).unwrap_or_default(),
                Cow::Owned(text) => text.truncate(end),
            }
        }
        Self { code, reason }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason; empty if none was given.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The close with what it borrowed made its own.
    #[must_use]
    pub fn into_owned(self) -> Close<'static> {
        Close { code: self.code, reason: Cow::Owned(self.reason.into_owned()) }
    }
}
