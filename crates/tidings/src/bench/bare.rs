//! What the bytes alone cost: a process that writes what it is told to N sockets, one `write(2)` each.
//!
//! Owns: that process, and the [`Source`] that drives it. The driver connects once for control, says how many
//! subscribers will come, and connects these. From then on it sends frames (length, bytes); the process writes each
//! frame to every subscriber and answers with one byte.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::value::RawValue;
use tidings_core::Entry;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Event, Lineage, Seq};

use super::dial::forget_on_close;
use super::publisher::data;
use super::scan::Wire;
use super::source::Source;
use super::subscriber::is_momentary;
use super::tally::Ledger;
use crate::failure::Failure;
use crate::output::Output;

/// The process: says at which port it listens, and writes until the driver has gone.
///
/// # Errors
/// The network's.
pub(super) fn run(output: Output) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    output.line(&listener.local_addr().map_err(failed)?.to_string())?;
    match serve(&listener) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed(error)),
        _ => Ok(()),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: io::Error) -> Failure {
    Failure::new(format!("bare writes: {error}"))
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let (mut control, _) = listener.accept()?;
    control.set_nodelay(true)?;
    let subscribers = read_number(&mut control)?;
    let mut sockets = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    control.write_all(&[0])?;
    loop {
        let mut frame = vec![0; read_number(&mut control)?];
        control.read_exact(&mut frame)?;
        for socket in &mut sockets {
            socket.write_all(&frame)?;
        }
        control.write_all(&[0])?;
    }
}

fn read_number(control: &mut TcpStream) -> io::Result<usize> {
    let mut number = [0; 4];
    control.read_exact(&mut number)?;
    usize::try_from(u32::from_be_bytes(number)).map_err(io::Error::other)
}

fn write_number(out: &mut Vec<u8>, number: usize) -> io::Result<()> {
    out.extend_from_slice(&u32::try_from(number).map_err(io::Error::other)?.to_be_bytes());
    Ok(())
}

/// Tells the process what to write: so many events together, encoded as the server would.
#[derive(Debug)]
pub(super) struct Trigger {
    control: TcpStream,
    wire: Wire,
    template: Event,
    bytes: usize,
    together: u64,
    /// The number of the last event.
    sent: u64,
}

impl Trigger {
    /// Will have so many events written together.
    ///
    /// # Errors
    /// A channel that is none.
    pub(super) fn new(
        control: TcpStream,
        wire: Wire,
        channel: &str,
        bytes: usize,
        together: usize,
    ) -> io::Result<Self> {
        forget_on_close(&control);
        let template = Event {
            id: Cursor::new(Seq::ZERO, Lineage::from_bits(1)),
            time: Timestamp(0),
            channel: channel.parse().map_err(io::Error::other)?,
            also: Box::default(),
            kind: "tick".parse().map_err(io::Error::other)?,
            category: None,
            key: None,
            actor: None,
            version: None,
            mutation_id: None,
            terminal: false,
            data: RawValue::from_string("null".to_owned())?,
        };
        Ok(Self { control, wire, template, bytes, together: together as u64, sent: 0 })
    }

    /// Says how many subscribers there are.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn begin(&mut self, subscribers: usize) -> io::Result<()> {
        let mut begin = Vec::new();
        write_number(&mut begin, subscribers)?;
        self.control.write_all(&begin)
    }

    /// Waits until all subscribers are connected.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.control.set_nonblocking(false)?;
        self.control.read_exact(&mut [0])?;
        self.control.set_nonblocking(true)
    }

    /// The bytes of one delivery.
    ///
    /// # Errors
    /// Data that is no JSON.
    pub(super) fn delivery_bytes(&self) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.encode(1, 0, &mut bytes)?;
        Ok(bytes.len())
    }

    fn encode(&self, number: u64, now: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let mut event = self.template.clone();
        event.id.seq = Seq(number);
        event.data = RawValue::from_string(data(self.bytes, now))?;
        let entry = Entry::new(event);
        out.extend_from_slice(match self.wire {
            Wire::Sse => entry.sse().framed(),
            Wire::Websocket => entry.socket(),
        });
        Ok(())
    }
}

impl Source for Trigger {
    fn stream(&self) -> &TcpStream {
        &self.control
    }

    fn send(&mut self, now: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        for number in self.sent + 1..=self.sent + self.together {
            self.encode(number, now, &mut bytes)?;
        }
        let mut frame = Vec::with_capacity(4 + bytes.len());
        write_number(&mut frame, bytes.len())?;
        frame.extend_from_slice(&bytes);
        self.control.write_all(&frame)
    }

    fn answered(&mut self, ledger: &mut Ledger) -> io::Result<bool> {
        match self.control.read(&mut [0]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                for number in self.sent + 1..=self.sent + self.together {
                    ledger.note(number);
                }
                self.sent += self.together;
                Ok(true)
            }
            Err(error) if is_momentary(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
