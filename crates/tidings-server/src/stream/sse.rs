//! A stream of server-sent events on a socket of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::Entry;
use tidings_core::feed::Frame;
use tidings_core::session::Pulse;
use tidings_core::view::View;
use tidings_protocol::chunk::{self, Chunk};
use tidings_protocol::control::Control;
use tidings_protocol::limits::STREAM_TRAILING_BYTES;
use tidings_protocol::sse::{Block, FieldValue, HEARTBEAT};
use tidings_protocol::{Cursor, EndReason};
use tokio::io::ReadBuf;

use super::batch::Batch;
use super::io::StreamIo;
use super::outgoing::Outgoing;
use super::pump::{Pump, Wire, id_of, reason_of};
use crate::guard::ConnectionGuard;

/// How a client asked for heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeartbeatForm {
    /// A comment, and a block with only an id where the position has moved.
    #[default]
    Comment,
    /// A `$ping` whose id is the position.
    Event,
}

/// How the body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1: chunked.
    Chunked,
    /// HTTP/1.0: by the end of the connection. HTTP/2: by its own frames.
    Bare,
}

/// Turns frames into the bytes of an event stream.
#[derive(Debug)]
pub struct SseWire {
    /// The heartbeat's form.
    pub heartbeat: HeartbeatForm,
    /// The body's framing.
    pub framing: Framing,
    /// How events look; none for the native view.
    pub view: Option<Arc<dyn View>>,
    /// Gathers events for a while, where the client asked for that.
    pub batch: Option<Box<Batch>>,
}

impl SseWire {
    /// The first block: how long a client is to wait before it comes back.
    #[must_use]
    pub fn opening(&self, retry: Duration) -> Bytes {
        self.frame(&Chunk::new(&Block::retry(retry).to_bytes()))
    }

    /// An event's bytes, and how many messages they are.
    fn event(&self, entry: &Entry) -> (Bytes, usize) {
        match &self.view {
            None => (self.frame(entry.sse()), 1),
            Some(view) => {
                let shown = entry.sse_in(&**view);
                (self.frame(&shown.chunk), shown.frames)
            }
        }
    }

    fn heartbeat(&self, pulse: Pulse) -> Chunk {
        if self.heartbeat == HeartbeatForm::Event {
            let id = match pulse {
                Pulse::Silent => None,
                Pulse::Same(id) | Pulse::Moved(id) => Some(id),
            };
            return control_block(&Control::Ping, id);
        }
        let Pulse::Moved(id) = pulse else { return Chunk::new(HEARTBEAT) };
        let id = id.to_string();
        Chunk::build(64, |out| {
            out.extend_from_slice(HEARTBEAT);
            Block::position(FieldValue::valid_prefix(&id)).write(out);
        })
    }

    fn frame(&self, chunk: &Chunk) -> Bytes {
        match self.framing {
            Framing::Chunked => chunk.framed().clone(),
            Framing::Bare => chunk.payload(),
        }
    }

    /// What ends the body.
    #[must_use]
    pub fn end(&self) -> Bytes {
        match self.framing {
            Framing::Chunked => Bytes::from_static(chunk::LAST),
            Framing::Bare => Bytes::new(),
        }
    }
}

fn control_block(control: &Control, id: Option<Cursor>) -> Chunk {
    let (id, data) = (id.map(|id| id.to_string()), control.to_json());
    let block = Block {
        id: id.as_deref().map(FieldValue::valid_prefix),
        event: Some(FieldValue::valid_prefix(control.name())),
        retry: control.retry_millis().map(Duration::from_millis),
        data: Some(&data),
    };
    Chunk::build(block.encoded_len(), |out| block.write(out))
}

impl Wire for SseWire {
    fn put(&mut self, frame: &Frame, now: Duration, out: &mut Outgoing) -> usize {
        let id = id_of(frame);
        if let Frame::Event(entry) = frame
            && let Some(batch) = &mut self.batch
        {
            let messages = self.view.as_ref().map_or(1, |view| entry.sse_in(&**view).frames);
            if batch.add(entry.clone(), now) {
                self.flush(out);
            }
            return messages;
        }
        // What was gathered stands before what follows it.
        self.flush(out);
        match frame {
            Frame::Event(entry) => {
                let (bytes, messages) = self.event(entry);
                out.push_event(bytes, id, entry.clone());
                return messages;
            }
            Frame::Backfill(entry) => {
                let (chunk, messages) = match &self.view {
                    None => (entry.sse_without_id(), 1),
                    Some(view) => {
                        let shown = entry.sse_in_without_id(&**view);
                        (shown.chunk, shown.frames)
                    }
                };
                out.push_event(self.frame(&chunk), id, entry.clone());
                return messages;
            }
            Frame::Control(control, id) => out.push(self.frame(&control_block(control, *id)), *id),
            Frame::Heartbeat(pulse) => out.push(self.frame(&self.heartbeat(*pulse)), id),
            Frame::Abort(_) | Frame::Over => {}
        }
        0
    }

    fn closing(&mut self, _reason: EndReason) -> Bytes {
        self.end()
    }

    fn deadline(&self) -> Option<Duration> {
        self.batch.as_ref().and_then(|batch| batch.due())
    }

    fn flush(&mut self, out: &mut Outgoing) {
        let view = self.view.as_deref();
        let taken = self.batch.as_mut().and_then(|batch| batch.take(view));
        if let Some((chunk, id)) = taken {
            out.push(self.frame(&chunk), id);
        }
    }

    fn forget(&mut self, keep: &dyn Fn(&Entry) -> bool) -> bool {
        self.batch.as_mut().is_some_and(|batch| batch.forget(keep))
    }
}

/// The future that drives one stream until it ends.
pub struct SseTask<Io> {
    io: Io,
    pump: Pump,
    wire: SseWire,
    /// How many more bytes the client may send.
    trailing: usize,
    _guard: ConnectionGuard,
}

impl<Io> std::fmt::Debug for SseTask<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseTask").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl<Io: StreamIo> SseTask<Io> {
    /// A stream on a socket from which `read` bytes were read past the request's head.
    pub fn new(io: Io, pump: Pump, wire: SseWire, read: usize, guard: ConnectionGuard) -> Self {
        let trailing = STREAM_TRAILING_BYTES.saturating_sub(read);
        Self { io, pump, wire, trailing, _guard: guard }
    }

    /// Reads what the client sends: nothing is expected, little is dropped, more or the end ends the stream.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        let mut space = [0u8; 512];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let read = buffer.filled().len();
                    if read > self.trailing {
                        return Poll::Ready(EndReason::ProtocolError);
                    }
                    self.trailing -= read;
                }
                Poll::Ready(Ok(())) => return Poll::Ready(EndReason::ClientDisconnect),
                Poll::Ready(Err(error)) => return Poll::Ready(reason_of(&error)),
            }
        }
    }

    /// The client will send no more: the body gets its end if the socket takes it at once.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.pump.outgoing.is_empty() {
            self.pump.outgoing.push(self.wire.end(), None);
            if self.pump.outgoing.poll_write(cx, &mut self.io, &mut false).is_ready() {
                let _ = self.io.poll_farewell(cx);
            }
        }
    }

    /// One round: frames, then one write, then the client, then the clock. Pending once nothing moves.
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            let now = self.pump.app.clocks.now();
            let full = self.pump.fill(cx, now, &mut self.wire, &self.io);
            let written = self.pump.poll_write(cx, now, &mut self.io);
            match &written {
                Poll::Ready(Err(error)) => return Poll::Ready(reason_of(error)),
                Poll::Ready(Ok(())) => {
                    if let Some(reason) = self.pump.over()
                        && (self.pump.is_cut() || self.io.poll_farewell(cx).is_ready())
                    {
                        return Poll::Ready(reason);
                    }
                }
                Poll::Pending => {}
            }
            if let Poll::Ready(reason) = self.poll_client(cx) {
                self.say_goodbye(cx);
                return Poll::Ready(reason);
            }
            let due = self.wire.deadline();
            let ticked = self.pump.poll_timer(cx, now, due, &self.io);
            if ticked && due.is_some_and(|due| due <= self.pump.app.clocks.now()) {
                self.wire.flush(&mut self.pump.outgoing);
            }
            let more = full && written.is_ready();
            if !ticked && !more {
                return Poll::Pending;
            }
        }
    }
}

impl<Io: StreamIo> Future for SseTask<Io> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.poll_round(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reason) => {
                this.pump.stream.note_end(reason);
                Poll::Ready(())
            }
        }
    }
}
