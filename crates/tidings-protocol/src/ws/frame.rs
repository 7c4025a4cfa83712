//! The head of a frame, and masking.

use bytes::BufMut;

/// What a frame is (RFC 6455, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of the message that was begun.
    Continuation,
    /// A text message, or its first fragment.
    Text,
    /// A binary message, or its first fragment.
    Binary,
    /// The sender will send no more.
    Close,
    /// To be answered with a pong of the same payload.
    Ping,
    /// The answer to a ping, or a sign of life of its own.
    Pong,
}

impl Opcode {
    /// The opcode of these four bits, if there is one.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// Its four bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Close, ping or pong.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.bits() >= 0x8
    }
}

/// What a client masks one frame with. Browsers must draw it unpredictably (RFC 6455, 5.3); where no page has a say in
/// the payload, as in a load driver, any key will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaskKey(pub [u8; 4]);

impl MaskKey {
    /// Masks `bytes`, or unmasks them; returns the key for the bytes that follow these.
    #[must_use]
    pub fn apply(self, bytes: &mut [u8]) -> Self {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let len = bytes.len();
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(self.0.iter().cycle()) {
            *byte ^= key;
        }
        let mut next = self.0;
        next.rotate_left(len % 4);
        Self(next)
    }
}

/// Everything of a frame but its payload. For messages in one frame there is [`Message`](super::Message); this is for
/// sending fragments, and for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The payload's length in bytes; at most 125 for control frames, less than 2^63 for all.
    pub len: u64,
    /// Present from client to server, absent from server to client. The payload that follows is to be masked with it.
    pub mask: Option<MaskKey>,
}

impl FrameHead {
    /// Appends the head, the length in as few bytes as it needs.
    pub fn write(&self, out: &mut impl BufMut) {
        let fin = if self.fin { 0x80 } else { 0 };
        out.put_u8(fin | self.opcode.bits());
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        if let Ok(len @ 0..=125) = u8::try_from(self.len) {
            out.put_u8(masked | len);
        } else if let Ok(len) = u16::try_from(self.len) {
            out.put_u8(masked | 126);
            out.put_u16(len);
        } else {
            out.put_u8(masked | 127);
            out.put_u64(self.len);
        }
        if let Some(MaskKey(key)) = self.mask {
            out.put_slice(&key);
        }
    }

    /// How many bytes [`write`](Self::write) appends: 2 to 14.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        let len = match self.len {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        len + if self.mask.is_some() { 4 } else { 0 }
    }
}
