//! A native WebSocket on a socket of its own: the session's frames out, the client's requests in.
//!
//! One request is carried out at a time; the next is read when it has been answered, so a client that asks faster than
//! it is served is held back by its own socket. A client that answers no ping is closed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tidings_core::feed::Frame;
use tidings_core::session::Pulse;
use tidings_protocol::control::Control;
use tidings_protocol::socket;
use tidings_protocol::ws::{CloseCode, ControlPayload, Decoder, Limits, Message, Role};
use tidings_protocol::{EndReason, ErrorCode};
use tokio::io::{AsyncWriteExt, ReadBuf};

use super::io::StreamIo;
use super::open::OpenedStream;
use super::outgoing::Outgoing;
use super::pump::{Pump, Wire, id_of, reason_of};
use super::sse::HeartbeatForm;
use crate::guard::ConnectionGuard;
use crate::requests;

/// What a WebSocket begins with.
#[derive(Debug)]
pub enum SocketStart {
    /// A stream.
    Open(Box<OpenedStream>, HeartbeatForm),
    /// A refusal: its `$end`, the code to close with, and why in the words of the table.
    Refused(Control, CloseCode, ErrorCode),
}

/// How long the client has to close from its side after a close frame (RFC 6455, 7.1.1).
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Completes a refused upgrade: `$end` and the close, and nothing else.
pub async fn refuse<Io: StreamIo>(
    mut io: Io,
    head: Bytes,
    control: Control,
    code: CloseCode,
    why: ErrorCode,
) {
    let end = Message::text(control_frame(&control, None)).encode();
    let close = Message::close(code, why.name()).encode();
    // The client has gone where this fails; nobody is left to tell.
    let _ = io.write_all(&[head, end, close].concat()).await;
    crate::connection::linger(io).await;
}

fn control_frame(control: &Control, id: Option<tidings_protocol::Cursor>) -> String {
    socket::event_frame(id, control.name(), &control.to_json())
}

/// Turns frames into WebSocket frames.
#[derive(Debug)]
struct SocketWire {
    heartbeat: HeartbeatForm,
    pong_timeout: Duration,
    /// When the client must have answered a ping.
    pong_by: Option<Duration>,
}

impl SocketWire {
    /// A ping that must be answered, and the position: on its own where it moved, or in a `$ping`.
    fn heartbeat(&mut self, pulse: Pulse, now: Duration) -> Bytes {
        let mut out = Message::Ping(ControlPayload::default()).encode().to_vec();
        if self.pong_by.is_none() && !self.pong_timeout.is_zero() {
            self.pong_by = Some(now + self.pong_timeout);
        }
        let text = match (self.heartbeat, pulse) {
            (HeartbeatForm::Comment, Pulse::Moved(id)) => Some(socket::position_frame(id)),
            (HeartbeatForm::Comment, _) => None,
            (HeartbeatForm::Event, Pulse::Silent) => Some(control_frame(&Control::Ping, None)),
            (HeartbeatForm::Event, Pulse::Same(id) | Pulse::Moved(id)) => {
                Some(control_frame(&Control::Ping, Some(id)))
            }
        };
        if let Some(text) = text {
            Message::text(text).write(&mut out, None);
        }
        out.into()
    }
}

impl Wire for SocketWire {
    fn put(&mut self, frame: &Frame, now: Duration, out: &mut Outgoing) -> usize {
        let id = id_of(frame);
        match frame {
            Frame::Event(entry) => out.push_event(entry.socket().clone(), id, entry.clone()),
            Frame::Backfill(entry) => out.push_event(entry.socket_without_id(), id, entry.clone()),
            Frame::Control(control, id) => {
                out.push(Message::text(control_frame(control, *id)).encode(), *id);
            }
            Frame::Heartbeat(pulse) => out.push(self.heartbeat(*pulse, now), id),
            Frame::Abort(_) | Frame::Over => {}
        }
        usize::from(matches!(frame, Frame::Event(_) | Frame::Backfill(_)))
    }

    fn closing(&mut self, reason: EndReason) -> Bytes {
        let code = if reason.is_on_wire() { CloseCode::new(reason.retry().close_code()) } else { None };
        Message::close(code.unwrap_or(CloseCode::GOING_AWAY), "").encode()
    }
}

type Answering = Pin<Box<dyn Future<Output = String> + Send>>;

/// The future that drives one WebSocket until it ends.
pub struct SocketTask<Io> {
    io: Io,
    pump: Pump,
    wire: SocketWire,
    decoder: Decoder,
    /// Read from the client and not decoded: what follows a request that is being carried out.
    unread: BytesMut,
    answering: Option<Answering>,
    /// A ping for whose answer there was no room: of several the last suffices (RFC 6455, 5.5.3).
    pong: Option<ControlPayload<'static>>,
    /// Whether the client has closed from its side.
    client_closed: bool,
    _guard: ConnectionGuard,
}

impl<Io> std::fmt::Debug for SocketTask<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketTask").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl<Io: StreamIo> SocketTask<Io> {
    /// A WebSocket on a socket from which `read` was read past the request's head.
    pub fn new(io: Io, pump: Pump, heartbeat: HeartbeatForm, read: &[u8], guard: ConnectionGuard) -> Self {
        let config = &pump.app.config;
        let limits = Limits { message_bytes: config.limits.message_bytes, ..Limits::default() };
        let wire = SocketWire { heartbeat, pong_timeout: config.stream.pong_timeout, pong_by: None };
        Self {
            io,
            pump,
            wire,
            decoder: Decoder::new(Role::Server, limits),
            unread: BytesMut::from(read),
            answering: None,
            pong: None,
            client_closed: false,
            _guard: guard,
        }
    }

    fn close(&mut self, now: Duration, code: CloseCode, reason: EndReason) {
        self.pump.close(now, Message::close(code, "").encode(), reason);
    }

    /// Whether what the client asks for may be answered in the queue.
    fn has_room(&self) -> bool {
        self.pump.outgoing.len() < self.pump.app.stream_queue
    }

    fn put_pong(&mut self) {
        if let Some(payload) = self.pong.take() {
            self.pump.outgoing.push(Message::Pong(payload).encode(), None);
        }
    }

    /// Decodes what was read, until a request is under way.
    fn decode(&mut self, now: Duration) {
        while self.answering.is_none() && !self.unread.is_empty() {
            let mut input: &[u8] = &self.unread;
            let decoded = self.decoder.decode(&mut input).map(|message| message.map(Message::into_owned));
            let rest = input.len();
            self.unread.advance(self.unread.len() - rest);
            if self.unread.is_empty() {
                // Nothing is held at rest.
                self.unread = BytesMut::new();
            }
            match decoded {
                Ok(Some(message)) => self.take_message(message, now),
                Ok(None) => return,
                Err(violation) => {
                    self.close(now, violation.close_code(), EndReason::ProtocolError);
                    self.unread = BytesMut::new();
                }
            }
        }
    }

    fn take_message(&mut self, message: Message<'static>, now: Duration) {
        if self.pump.over().is_some() && !matches!(message, Message::Close(_)) {
            return;
        }
        match message {
            Message::Text(text) => {
                let request =
                    requests::on_socket(self.pump.app.clone(), &self.pump.stream, text.into_owned());
                self.answering = Some(Box::pin(request));
            }
            Message::Binary(_) => self.close(now, CloseCode::UNSUPPORTED_DATA, EndReason::ProtocolError),
            Message::Ping(payload) if self.has_room() => {
                self.pump.outgoing.push(Message::Pong(payload).encode(), None);
            }
            Message::Ping(payload) => self.pong = Some(payload),
            Message::Pong(_) => self.wire.pong_by = None,
            Message::Close(_) => {
                self.client_closed = true;
                self.close(now, CloseCode::NORMAL, EndReason::ClientDisconnect);
            }
        }
    }

    /// Reads while nothing read waits for a request to be answered.
    fn poll_client(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<EndReason> {
        loop {
            self.decode(now);
            if let Some(answering) = &mut self.answering {
                let Poll::Ready(answer) = answering.as_mut().poll(cx) else { return Poll::Pending };
                self.answering = None;
                if self.pump.over().is_none() {
                    self.put_pong();
                    self.pump.outgoing.push(Message::text(answer).encode(), None);
                }
                continue;
            }
            if self.pump.outgoing.len() >= self.pump.app.stream_queue.saturating_mul(2) {
                // Answers wait to be written: no further request until they are.
                return Poll::Pending;
            }
            let mut space = [0u8; 2048];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.unread.extend_from_slice(buffer.filled())
                }
                Poll::Ready(Ok(())) => return Poll::Ready(EndReason::ClientDisconnect),
                Poll::Ready(Err(error)) => return Poll::Ready(reason_of(&error)),
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let ticked = self.pump.poll_timer(cx, now, self.wire.pong_by, &self.io);
        if ticked && self.wire.pong_by.is_some_and(|by| by <= self.pump.app.clocks.now()) {
            self.wire.pong_by = None;
            self.close(now, CloseCode::POLICY_VIOLATION, EndReason::ClientDisconnect);
        }
        ticked
    }

    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            let now = self.pump.app.clocks.now();
            let full = self.pump.fill(cx, now, &mut self.wire, &self.io);
            let written = self.pump.poll_write(cx, now, &mut self.io);
            match (&written, self.pump.over()) {
                (Poll::Ready(Err(error)), _) => return Poll::Ready(reason_of(error)),
                (Poll::Ready(Ok(())), Some(reason)) if self.client_closed || self.pump.is_cut() => {
                    return Poll::Ready(reason);
                }
                (Poll::Ready(Ok(())), Some(_)) => self.pump.hasten(now + CLOSE_WAIT),
                _ => {}
            }
            let queued = self.pump.outgoing.len();
            if let Poll::Ready(reason) = self.poll_client(cx, now) {
                return Poll::Ready(self.pump.over().unwrap_or(reason));
            }
            if self.has_room() {
                self.put_pong();
            }
            let answered = self.pump.outgoing.len() > queued || self.client_closed;
            let ticked = self.poll_timer(cx, now);
            if !(ticked || answered && written.is_ready() || full && written.is_ready()) {
                return Poll::Pending;
            }
        }
    }
}

impl<Io: StreamIo> Future for SocketTask<Io> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.poll_round(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reason) => {
                if this.pump.outgoing.is_empty() && !this.pump.is_cut() {
                    let _ = this.io.poll_farewell(cx);
                }
                this.pump.stream.note_end(reason);
                Poll::Ready(())
            }
        }
    }
}
