//! Fuzz targets: for every decoder a function over bytes that panics if an invariant does not hold.
//!
//! Owns: what must hold for any input, stated against second, simpler implementations where there can be one. Leaves
//! out: where inputs come from; any fuzzer can drive [`TARGETS`], and `tests/fuzz.rs` does on stable Rust with the
//! inputs kept in `fuzz-corpus/<name of the target>/`.
//!
//! Invariants of all: no panic, no endless loop; the same result for every way of cutting the input into pieces;
//! `decode(encode(x)) == x`; what is held stays within the limits that were set.

mod chunked;
mod event_stream;
mod names;
mod websocket;

pub use chunked::{chunk_frames, chunked};
pub use event_stream::{sse, sse_blocks};
pub use names::{cursor, names, publish, requests};
pub use websocket::{ws_client, ws_handshake, ws_messages, ws_server};

/// A target: takes any bytes, returns if all is well, panics if not.
pub type Target = fn(&[u8]);

/// All targets by name. A new one is a line here and a folder of that name in `fuzz-corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("sse", sse),
    ("sse_blocks", sse_blocks),
    ("chunked", chunked),
    ("chunk_frames", chunk_frames),
    ("ws_server", ws_server),
    ("ws_client", ws_client),
    ("ws_messages", ws_messages),
    ("ws_handshake", ws_handshake),
    ("cursor", cursor),
    ("names", names),
    ("publish", publish),
    ("requests", requests),
];

/// Ways to cut an input into pieces: whole, byte by byte, and at places that depend on the input. Some are empty.
fn cuttings(data: &[u8]) -> [Vec<&[u8]>; 3] {
    let hash = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let mut random = data.iter().fold(0xCBF2_9CE4_8422_2325, hash);
    let mut pieces = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let longest = if random & 1 == 0 { 4 } else { 24 };
        let len = (random >> 33) as usize % longest;
        let (piece, after) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    [vec![data], data.chunks(1).collect(), pieces]
}

/// The bytes of an input taken one after another, as decisions; zeros when there are no more.
struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    fn of(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        byte
    }

    /// Up to `most` bytes, their number chosen by the first.
    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let len = usize::from(self.byte()) % (most + 1);
        let (bytes, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        bytes
    }
}
