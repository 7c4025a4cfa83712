//! WebSocket: the opening handshake and the framing of RFC 6455, both roles, without extensions.
//!
//! Owns: whether a request may be upgraded ([`accept_upgrade`]), how messages are written ([`Message::encode`],
//! [`FrameHead`]) and read ([`Decoder`]), and which close code a broken rule has ([`Violation`]). Leaves out: sockets,
//! when to ping, when to give up on a peer, sub-protocols, and what the messages say.
//!
//! Invariants:
//! - what is encoded unmasked is one [`Bytes`](bytes::Bytes) that any number of connections can write;
//! - the decoder holds memory only while a message is incomplete, never more than its limits, and none for a frame
//!   whose declared length is over them; it yields the same for every way of cutting the stream into pieces;
//! - control payloads (125 bytes) and close reasons (123 bytes, UTF-8) cannot be made too long.
//!
//! Source: RFC 6455, 4.2 (handshake), 5 (framing), 7 (closing), 8.1 (UTF-8).

mod base64;
mod code;
mod decode;
mod frame;
mod handshake;
mod message;
mod violation;

pub use code::CloseCode;
pub use decode::{Decoder, Limits, Role};
pub use frame::{FrameHead, MaskKey, Opcode};
pub use handshake::{AcceptKey, InvalidKey, Refusal, VERSION, accept_key, accept_upgrade, request_key};
pub use message::{Close, ControlPayload, ControlTooLong, Message};
pub use violation::Violation;
