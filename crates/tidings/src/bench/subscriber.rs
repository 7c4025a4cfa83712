//! One subscriber: a socket, what was read and is not whole yet, and what it was given.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tidings_protocol::Cursor;
use tidings_protocol::cursor::CURSOR_BYTES;
use tidings_server::clock::Clocks;

use super::dial::forget_on_close;
use super::latency::Latency;
use super::scan::{Item, Scan, Wire, sent_at};
use super::tally::Tally;

/// A pong without payload, masked with zeros.
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No `$ready` yet.
    Opening,
    /// Open.
    Open,
    /// The server or the network ended it.
    Ended,
}

/// A subscriber.
#[derive(Debug)]
pub(super) struct Subscriber {
    stream: TcpStream,
    scan: Scan,
    rest: Vec<u8>,
    stage: Stage,
    /// What it was given.
    pub(super) tally: Tally,
    /// Gaps that it was told of.
    pub(super) resets: u64,
    last_id: [u8; CURSOR_BYTES],
}

/// A subscriber between two connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    tally: Tally,
    /// After this it goes on.
    pub(super) last_id: [u8; CURSOR_BYTES],
}

impl Gone {
    /// The subscriber on its new connection.
    pub(super) fn back(self, stream: TcpStream, wire: Wire) -> Subscriber {
        Subscriber { tally: self.tally, last_id: self.last_id, ..Subscriber::new(stream, wire) }
    }
}

/// What one read brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// New events.
    pub(super) events: u64,
    ended: bool,
    pinged: bool,
    ready: bool,
}

impl Subscriber {
    /// A subscriber whose request has been sent.
    pub(super) fn new(stream: TcpStream, wire: Wire) -> Self {
        forget_on_close(&stream);
        Self {
            stream,
            scan: Scan::new(wire),
            rest: Vec::new(),
            stage: Stage::Opening,
            tally: Tally::default(),
            resets: 0,
            last_id: [b'0'; CURSOR_BYTES],
        }
    }

    /// A subscriber that is open from the start, on a stream without a head.
    pub(super) fn headless(stream: TcpStream, wire: Wire) -> Self {
        Self { scan: Scan::headless(wire), stage: Stage::Open, ..Self::new(stream, wire) }
    }

    /// Closes the connection; what is left comes back on another.
    pub(super) fn leave(self) -> Gone {
        Gone { tally: self.tally, last_id: self.last_id }
    }

    /// Its socket.
    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How far it has come.
    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Reads once, as much as `space` takes.
    pub(super) fn read(&mut self, space: &mut [u8], clock: &Clocks, latency: &mut Latency) -> Found {
        let mut found = Found::default();
        let kept = self.rest.len();
        if kept >= space.len() {
            self.stage = Stage::Ended;
            return found;
        }
        space[..kept].copy_from_slice(&self.rest);
        match self.stream.read(&mut space[kept..]) {
            Ok(0) => self.stage = Stage::Ended,
            Ok(read) => self.take(&space[..kept + read], clock, latency, &mut found),
            Err(error) if is_momentary(&error) => {}
            Err(_) => self.stage = Stage::Ended,
        }
        if found.ready && self.stage == Stage::Opening {
            self.stage = Stage::Open;
        }
        if found.ended {
            self.stage = Stage::Ended;
        }
        if found.pinged && self.stream.write_all(&PONG).is_err() {
            self.stage = Stage::Ended;
        }
        found
    }

    fn take(&mut self, bytes: &[u8], clock: &Clocks, latency: &mut Latency, found: &mut Found) {
        let (tally, resets, last_id) = (&mut self.tally, &mut self.resets, &mut self.last_id);
        let mut keep = |id: &[u8]| {
            if let Ok(id) = id.try_into() {
                *last_id = id;
            }
        };
        let scanned = self.scan.read(bytes, |item| match item {
            Item::Event(id, event) => {
                if let Ok(cursor) = Cursor::from_bytes(id)
                    && tally.note(cursor.seq.0)
                {
                    found.events += 1;
                    keep(id);
                    if latency.is_due()
                        && let Some(sent_at) = sent_at(event)
                    {
                        latency.note(clock.now().saturating_sub(Duration::from_nanos(sent_at)));
                    }
                }
            }
            Item::Ready(id) => {
                found.ready = true;
                keep(id);
            }
            Item::Head(status) => found.ended |= status != 200 && status != 101,
            Item::Reset => *resets += 1,
            Item::Ping => found.pinged = true,
            Item::End => found.ended = true,
        });
        match scanned {
            Ok(whole) if whole == bytes.len() => self.rest = Vec::new(),
            Ok(whole) => self.rest = bytes[whole..].to_vec(),
            Err(_) => found.ended = true,
        }
    }
}

/// Whether the socket has nothing now and may have something later.
pub(super) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
