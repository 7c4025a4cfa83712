//! A stream of server-sent events on a socket of its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::feed::Frame;
use tidings_core::session::Pulse;
use tidings_protocol::chunk::{self, Chunk};
use tidings_protocol::control::Control;
use tidings_protocol::limits::STREAM_TRAILING_BYTES;
use tidings_protocol::sse::{Block, FieldValue, HEARTBEAT};
use tidings_protocol::{Cursor, EndReason};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::io::StreamIo;
use super::open::OpenedStream;
use super::outgoing::Outgoing;
use crate::app::App;
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
#[derive(Debug, Clone, Copy)]
pub struct SseWire {
    /// The heartbeat's form.
    pub heartbeat: HeartbeatForm,
    /// The body's framing.
    pub framing: Framing,
}

impl SseWire {
    /// The first block: how long a client is to wait before it comes back.
    #[must_use]
    pub fn opening(self, retry: Duration) -> Bytes {
        self.frame(&Chunk::new(&Block::retry(retry).to_bytes()))
    }

    /// The bytes of a frame; empty where it has none.
    #[must_use]
    pub fn encode(self, frame: &Frame) -> Bytes {
        match frame {
            Frame::Event(entry) => self.frame(entry.sse()),
            Frame::Backfill(entry) => self.frame(&entry.sse_without_id()),
            Frame::Control(control, id) => self.frame(&control_block(control, *id)),
            Frame::Heartbeat(pulse) => self.frame(&self.heartbeat(*pulse)),
            Frame::Abort(_) | Frame::Over => Bytes::new(),
        }
    }

    fn heartbeat(self, pulse: Pulse) -> Chunk {
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

    fn frame(self, chunk: &Chunk) -> Bytes {
        match self.framing {
            Framing::Chunked => chunk.framed().clone(),
            Framing::Bare => chunk.payload(),
        }
    }

    /// What ends the body.
    #[must_use]
    pub fn closing(self) -> Bytes {
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

/// The future that drives one stream until it ends.
pub struct SseTask<Io> {
    io: Io,
    app: Arc<App>,
    stream: OpenedStream,
    wire: SseWire,
    outgoing: Outgoing,
    /// How many more bytes the client may send.
    trailing: usize,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Duration>,
    over: Option<EndReason>,
    _guard: ConnectionGuard,
}

impl<Io> std::fmt::Debug for SseTask<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseTask").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl<Io: StreamIo> SseTask<Io> {
    /// A stream whose response head is `head`, on a socket from which `read` bytes were read past the request's head.
    pub fn new(
        io: Io,
        app: Arc<App>,
        stream: OpenedStream,
        wire: SseWire,
        head: Bytes,
        read: usize,
        guard: ConnectionGuard,
    ) -> Self {
        let mut outgoing = Outgoing::default();
        outgoing.push(head);
        let timer = Box::pin(tokio::time::sleep_until(app.clocks.instant(Duration::from_secs(3600))));
        let trailing = STREAM_TRAILING_BYTES.saturating_sub(read);
        Self { io, app, stream, wire, outgoing, trailing, timer, timer_at: None, over: None, _guard: guard }
    }

    /// Takes frames until there are none or the queue is full; `true` where it is full.
    fn fill(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        while self.over.is_none() {
            if self.outgoing.len() >= self.app.stream_queue {
                return true;
            }
            let Poll::Ready(frame) = self.stream.feed.poll(cx, now) else { return false };
            match &frame {
                Frame::Over => {
                    self.outgoing.push(self.wire.closing());
                    self.over = Some(self.stream.end_reason());
                }
                Frame::Abort(reason) => {
                    self.io.reset_on_close();
                    self.stream.note_end(*reason);
                    self.over = Some(*reason);
                    self.outgoing = Outgoing::default();
                }
                _ => {
                    self.stream.count(&frame);
                    self.outgoing.push(self.wire.encode(&frame));
                }
            }
        }
        false
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
                Poll::Ready(Err(error)) => return Poll::Ready(io_failed(&error)),
            }
        }
    }

    /// The client will send no more: the body gets its end if the socket takes it at once.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.outgoing.is_empty() {
            self.outgoing.push(self.wire.closing());
            let _ = self.outgoing.poll_write(cx, &mut self.io, &mut false);
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(deadline) = self.stream.feed.next_deadline() else { return false };
        if deadline <= now {
            self.stream.feed.tick(now);
            return true;
        }
        if self.timer_at != Some(deadline) {
            self.timer_at = Some(deadline);
            self.timer.as_mut().reset(self.app.clocks.instant(deadline));
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            self.timer_at = None;
            self.stream.feed.tick(now);
            return true;
        }
        false
    }

    /// One round: frames, then one write, then the client, then the clock. Pending once nothing moves.
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            let now = self.app.clocks.now();
            let full = self.fill(cx, now);
            let mut wrote = false;
            let written = self.outgoing.poll_write(cx, &mut self.io, &mut wrote);
            if wrote {
                self.stream.feed.progress(now);
            }
            match written {
                Poll::Ready(Err(error)) => return Poll::Ready(io_failed(&error)),
                Poll::Ready(Ok(())) => {
                    if let Some(reason) = self.over {
                        return Poll::Ready(reason);
                    }
                }
                Poll::Pending => self.stream.feed.blocked(now),
            }
            if let Poll::Ready(reason) = self.poll_client(cx) {
                self.say_goodbye(cx);
                return Poll::Ready(reason);
            }
            let ticked = self.poll_timer(cx, now);
            let more = full && written.is_ready();
            if !ticked && !more {
                return Poll::Pending;
            }
        }
    }
}

/// What a socket's error says of how the stream ended.
pub(super) fn io_failed(error: &io::Error) -> EndReason {
    match error.kind() {
        io::ErrorKind::TimedOut => EndReason::WriteStalled,
        _ => EndReason::ClientDisconnect,
    }
}

impl<Io: StreamIo> Future for SseTask<Io> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.poll_round(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reason) => {
                this.stream.note_end(reason);
                Poll::Ready(())
            }
        }
    }
}
