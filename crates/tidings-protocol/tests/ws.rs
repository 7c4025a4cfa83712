//! WebSocket: the rules of RFC 6455 one by one, and both directions against another implementation.

#![allow(clippy::unwrap_used)] // A test crate as a whole, helpers included.

mod ws {
    mod against_tungstenite;
    mod handshake;
    mod rules;
}

use tidings_protocol::ws::{Decoder, FrameHead, Limits, MaskKey, Message, Opcode, Role, Violation};

const KEY: MaskKey = MaskKey([0x37, 0xFA, 0x21, 0x3D]);

/// One frame as a client sends it to a server, or the other way round, whatever is in it.
fn frame(to: Role, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mask = (to == Role::Server).then_some(KEY);
    let mut out = Vec::new();
    FrameHead { fin, opcode, len: payload.len() as u64, mask }.write(&mut out);
    let start = out.len();
    out.extend_from_slice(payload);
    let _ = mask.unwrap_or_default().apply(&mut out[start..]);
    out
}

/// All that these pieces of a stream hold, and how it went.
fn read(role: Role, limits: Limits, pieces: &[&[u8]]) -> (Vec<Message<'static>>, Result<(), Violation>) {
    let mut decoder = Decoder::new(role, limits);
    let mut messages = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(message)) => messages.push(message.into_owned()),
                Ok(None) => break,
                Err(violation) => return (messages, Err(violation)),
            }
        }
    }
    (messages, Ok(()))
}
