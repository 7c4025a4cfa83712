//! Reading frames and putting messages together, in pieces of any size.

use std::borrow::Cow;
use std::mem;

use super::frame::{MaskKey, Opcode};
use super::message::{Close, ControlPayload, Message};
use super::{CloseCode, Violation};

/// The longest head: two bytes, a length of eight, a key of four.
const HEAD_BYTES: usize = 14;

/// Which end of the connection reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads from a client: every frame must be masked.
    Server,
    /// Reads from a server: no frame may be masked.
    Client,
}

/// How much of a peer's message is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Biggest message, all its fragments together, in bytes of payload.
    pub message_bytes: usize,
    /// Most fragments of a message: empty ones cost the sender little and would never end.
    pub fragments: u32,
}

impl Default for Limits {
    /// 1 MiB in 256 fragments.
    fn default() -> Self {
        Self { message_bytes: 1024 * 1024, fragments: 256 }
    }
}

/// An incremental decoder of one direction of a connection, after the handshake.
///
/// ```
/// # use tidings_protocol::ws::{Decoder, Limits, Message, Role, Violation};
/// # fn main() -> Result<(), Violation> {
/// let mut decoder = Decoder::new(Role::Client, Limits::default());
/// let mut read: &[u8] = &Message::text("hello").encode();
/// while let Some(message) = decoder.decode(&mut read)? {
///     assert_eq!(message, Message::text("hello"));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    /// The head that has begun, while there is no frame.
    head: [u8; HEAD_BYTES],
    head_len: u8,
    frame: Option<Frame>,
    /// Of the message that was begun: whether it is text, its fragments so far, and their payload, unmasked.
    begun: Option<Kind>,
    fragments: u32,
    payload: Vec<u8>,
    /// The payload of an incomplete control frame, unmasked. Apart, as it may come between fragments.
    control: Vec<u8>,
    end: Option<End>,
}

/// The frame whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    fin: bool,
    opcode: Opcode,
    /// Bytes of payload to come.
    left: usize,
    /// For the next byte of payload; zero, which changes nothing, if the frame is not masked.
    mask: MaskKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

/// Why nothing is read any more.
#[derive(Debug, Clone, Copy)]
enum End {
    Closed,
    Violated(Violation),
}

impl Decoder {
    /// A decoder for what comes after the handshake.
    #[must_use]
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            head: [0; HEAD_BYTES],
            head_len: 0,
            frame: None,
            begun: None,
            fragments: 0,
            payload: Vec::new(),
            control: Vec::new(),
            end: None,
        }
    }

    /// Reads from the front of `input` up to the next message. `None`: all of `input` is read, bring more. After a
    /// close frame everything is read and dropped (RFC 6455, 1.4).
    ///
    /// # Errors
    /// [`Violation`] where the peer breaks RFC 6455 or exceeds a limit; from then on for every call.
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Message<'i>>, Violation> {
        match self.end {
            Some(End::Violated(violation)) => return Err(violation),
            Some(End::Closed) => {
                *input = &[];
                return Ok(None);
            }
            None => {}
        }
        let decoded = self.next_message(input);
        match &decoded {
            Err(violation) => self.finish(End::Violated(*violation)),
            Ok(Some(Message::Close(_))) => self.finish(End::Closed),
            Ok(_) => {}
        }
        decoded
    }

    /// How many bytes are held: none between messages, never more than the limit of a message and 139.
    #[must_use]
    pub fn buffered(&self) -> usize {
        usize::from(self.head_len) + self.payload.len() + self.control.len()
    }

    /// Whether the stream may end here without cutting a message short.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.begun.is_none()
    }

    fn finish(&mut self, end: End) {
        *self = Self { end: Some(end), ..Self::new(self.role, self.limits) };
    }

    fn next_message<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Message<'i>>, Violation> {
        loop {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.read_head(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let Some(payload) = self.read_payload(frame, input) else { return Ok(None) };
            if frame.opcode.is_control() {
                return control_message(frame.opcode, payload).map(Some);
            }
            if let Some(kind) = self.begun.take_if(|_| frame.fin) {
                self.fragments = 0;
                return data_message(kind, payload).map(Some);
            }
        }
    }

    /// Takes the head byte by byte and refuses what is wrong as soon as it is known.
    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.head[usize::from(self.head_len)] = byte;
            self.head_len += 1;
            match self.head_len {
                1 => self.check_first(byte)?,
                2 => self.check_second(byte)?,
                _ => {}
            }
            if self.head_len >= 2 && self.head_len == head_len(self.head[1]) {
                self.head_len = 0;
                return self.begin_frame().map(Some);
            }
        }
        Ok(None)
    }

    fn check_first(&self, byte: u8) -> Result<(), Violation> {
        if byte & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = opcode(byte)?;
        match opcode {
            Opcode::Continuation if self.begun.is_none() => Err(Violation::NothingToContinue),
            Opcode::Text | Opcode::Binary if self.begun.is_some() => Err(Violation::UnfinishedMessage),
            _ if opcode.is_control() && byte & 0x80 == 0 => Err(Violation::FragmentedControl),
            _ => Ok(()),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), Violation> {
        match (self.role, byte & 0x80 != 0) {
            (Role::Server, false) => return Err(Violation::Unmasked),
            (Role::Client, true) => return Err(Violation::Masked),
            _ => {}
        }
        let is_control = self.head[0] & 0x08 != 0;
        if is_control && byte & 0x7F > 125 { Err(Violation::ControlTooLong) } else { Ok(()) }
    }

    /// The frame whose head is complete; nothing of its payload has been read, or memory taken for it.
    fn begin_frame(&mut self) -> Result<Frame, Violation> {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.head;
        let (len, key_at) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes([a, b])), 4),
            127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10),
            len => (u64::from(len), 2),
        };
        match key_at {
            4 if len <= 125 => return Err(Violation::LengthNotMinimal),
            10 if len <= 0xFFFF => return Err(Violation::LengthNotMinimal),
            10 if len >> 63 != 0 => return Err(Violation::LengthTooLarge),
            _ => {}
        }
        let mut mask = MaskKey::default();
        if second & 0x80 != 0 {
            mask.0.copy_from_slice(&self.head[key_at..key_at + 4]);
        }
        let left = usize::try_from(len).map_err(|_| Violation::TooBig)?;
        let frame = Frame { fin: first & 0x80 != 0, opcode: opcode(first)?, left, mask };
        if !frame.opcode.is_control() {
            self.admit(frame)?;
        }
        Ok(frame)
    }

    /// Counts a data frame towards its message.
    fn admit(&mut self, frame: Frame) -> Result<(), Violation> {
        if self.payload.len().saturating_add(frame.left) > self.limits.message_bytes {
            return Err(Violation::TooBig);
        }
        if self.fragments >= self.limits.fragments {
            return Err(Violation::TooManyFragments);
        }
        self.fragments += 1;
        match frame.opcode {
            Opcode::Text => self.begun = Some(Kind::Text),
            Opcode::Binary => self.begun = Some(Kind::Binary),
            _ => {}
        }
        Ok(())
    }

    /// The payload up to the end of this frame, once it is there: of the message so far, or of the control frame.
    fn read_payload<'i>(&mut self, mut frame: Frame, input: &mut &'i [u8]) -> Option<Cow<'i, [u8]>> {
        let (bytes, rest) = input.split_at(frame.left.min(input.len()));
        *input = rest;
        let buffer = if frame.opcode.is_control() { &mut self.control } else { &mut self.payload };
        let is_complete = bytes.len() == frame.left;
        let is_whole_message = is_complete && frame.fin && buffer.is_empty();
        if is_whole_message && frame.mask == MaskKey::default() {
            return Some(Cow::Borrowed(bytes));
        }
        let start = buffer.len();
        buffer.extend_from_slice(bytes);
        frame.mask = frame.mask.apply(&mut buffer[start..]);
        frame.left -= bytes.len();
        if !is_complete {
            self.frame = Some(frame);
            return None;
        }
        // Between the fragments of a message its payload stays where it is.
        Some(Cow::Owned(if frame.fin { mem::take(buffer) } else { Vec::new() }))
    }
}

/// How long the head with this second byte is.
fn head_len(second: u8) -> u8 {
    let len = match second & 0x7F {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    len + if second & 0x80 != 0 { 4 } else { 0 }
}

fn opcode(first: u8) -> Result<Opcode, Violation> {
    Opcode::new(first & 0x0F).ok_or(Violation::UnknownOpcode(first & 0x0F))
}

fn data_message(kind: Kind, payload: Cow<'_, [u8]>) -> Result<Message<'_>, Violation> {
    match kind {
        Kind::Text => utf8(payload).map(Message::Text).ok_or(Violation::InvalidUtf8),
        Kind::Binary => Ok(Message::Binary(payload)),
    }
}

fn control_message(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Message<'_>, Violation> {
    if opcode == Opcode::Close {
        return close_message(&payload);
    }
    // The head was refused if it declared more than a control frame may have.
    let payload = ControlPayload::new(payload).map_err(|_| Violation::ControlTooLong)?;
    Ok(if opcode == Opcode::Ping { Message::Ping(payload) } else { Message::Pong(payload) })
}

fn close_message(payload: &[u8]) -> Result<Message<'static>, Violation> {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), reason),
        None if payload.is_empty() => return Ok(Message::Close(None)),
        None => return Err(Violation::CloseTooShort),
    };
    let code = CloseCode::new(code).ok_or(Violation::InvalidCloseCode(code))?;
    let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidCloseReason)?;
    Ok(Message::Close(Some(Close::new(code, reason.to_owned()))))
}

fn utf8(payload: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match payload {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}
