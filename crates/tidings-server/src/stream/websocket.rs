//! A native WebSocket on a socket of its own: the session's frames out, the client's requests in.
//!
//! One request is carried out at a time; the next is read when it has been answered, so a client that asks faster than
//! it is served is held back by its own socket. A client that answers no ping is closed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidings_core::feed::Frame;
use tidings_core::session::Pulse;
use tidings_protocol::EndReason;
use tidings_protocol::control::Control;
use tidings_protocol::socket;
use tidings_protocol::ws::{CloseCode, ControlPayload, Decoder, Limits, Message, Role};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::io::StreamIo;
use super::open::OpenedStream;
use super::outgoing::Outgoing;
use super::sse::{HeartbeatForm, io_failed};
use crate::app::App;
use crate::guard::ConnectionGuard;
use crate::requests;

/// What a WebSocket begins with.
#[derive(Debug)]
pub enum SocketStart {
    /// A stream.
    Open(Box<OpenedStream>, HeartbeatForm),
    /// A refusal: its `$end`, and the code to close with.
    Refused(Control, CloseCode),
}

type Answering = Pin<Box<dyn Future<Output = String> + Send>>;

/// The future that drives one WebSocket until it ends.
pub struct SocketTask<Io> {
    io: Io,
    app: Arc<App>,
    stream: Option<Box<OpenedStream>>,
    heartbeat: HeartbeatForm,
    outgoing: Outgoing,
    decoder: Decoder,
    /// Read from the client and not decoded: what follows a request that is being carried out.
    unread: BytesMut,
    answering: Option<Answering>,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Duration>,
    /// When the client must have answered a ping.
    pong_by: Option<Duration>,
    /// Set once the last frame is queued: close when it is written, and why.
    closing: Option<EndReason>,
    close_by: Option<Duration>,
    _guard: ConnectionGuard,
}

impl<Io> std::fmt::Debug for SocketTask<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketTask").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

/// How long the client has to close after a close frame.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

impl<Io: StreamIo> SocketTask<Io> {
    /// A WebSocket whose response head is `head`, with what was read past the request's head.
    pub fn new(
        io: Io,
        app: Arc<App>,
        start: SocketStart,
        head: Bytes,
        read: &[u8],
        guard: ConnectionGuard,
    ) -> Self {
        let limits = Limits { message_bytes: app.config.limits.message_bytes, ..Limits::default() };
        let mut task = Self {
            io,
            stream: None,
            heartbeat: HeartbeatForm::Comment,
            outgoing: Outgoing::default(),
            decoder: Decoder::new(Role::Server, limits),
            unread: BytesMut::from(read),
            answering: None,
            timer: Box::pin(tokio::time::sleep_until(app.clocks.instant(Duration::from_secs(3600)))),
            timer_at: None,
            pong_by: None,
            closing: None,
            close_by: None,
            _guard: guard,
            app,
        };
        task.outgoing.push(head);
        match start {
            SocketStart::Open(stream, heartbeat) => {
                task.stream = Some(stream);
                task.heartbeat = heartbeat;
            }
            SocketStart::Refused(control, code) => {
                task.push_text(socket::event_frame(None, control.name(), &control.to_json()));
                task.close(code, EndReason::Capacity);
            }
        }
        task
    }

    fn push_text(&mut self, text: String) {
        self.outgoing.push(Message::text(text).encode());
    }

    /// Queues the close frame; nothing is put out after it.
    fn close(&mut self, code: CloseCode, reason: EndReason) {
        if self.closing.is_none() {
            self.outgoing.push(Message::close(code, "").encode());
            self.closing = Some(reason);
        }
    }

    fn fill(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        while self.closing.is_none() {
            if self.outgoing.len() >= self.app.stream_queue {
                return true;
            }
            let Some(stream) = &mut self.stream else { return false };
            let Poll::Ready(frame) = stream.feed.poll(cx, now) else { return false };
            stream.count(&frame);
            self.put(&frame, now);
        }
        false
    }

    fn put(&mut self, frame: &Frame, now: Duration) {
        match frame {
            Frame::Event(entry) => self.outgoing.push(entry.socket().clone()),
            Frame::Backfill(entry) => self.outgoing.push(entry.socket_without_id()),
            Frame::Control(control, id) => {
                self.push_text(socket::event_frame(*id, control.name(), &control.to_json()));
                if let Control::End { reason, .. } = **control {
                    let code = CloseCode::new(reason.retry().close_code()).unwrap_or(CloseCode::GOING_AWAY);
                    self.close(code, reason);
                }
            }
            Frame::Heartbeat(pulse) => self.put_heartbeat(*pulse, now),
            Frame::Abort(reason) => {
                self.io.reset_on_close();
                self.outgoing = Outgoing::default();
                self.closing = Some(*reason);
            }
            Frame::Over => self.close(CloseCode::GOING_AWAY, EndReason::ClientDisconnect),
        }
    }

    /// A ping that must be answered, and the position: on its own where it moved, or in a `$ping`.
    fn put_heartbeat(&mut self, pulse: Pulse, now: Duration) {
        self.outgoing.push(Message::Ping(ControlPayload::default()).encode());
        if self.pong_by.is_none() && !self.app.config.stream.pong_timeout.is_zero() {
            self.pong_by = Some(now + self.app.config.stream.pong_timeout);
        }
        match (self.heartbeat, pulse) {
            (HeartbeatForm::Comment, Pulse::Moved(id)) => self.push_text(socket::position_frame(id)),
            (HeartbeatForm::Comment, _) => {}
            (HeartbeatForm::Event, pulse) => {
                let id = match pulse {
                    Pulse::Silent => None,
                    Pulse::Same(id) | Pulse::Moved(id) => Some(id),
                };
                self.push_text(socket::event_frame(id, Control::Ping.name(), &Control::Ping.to_json()));
            }
        }
    }

    /// Decodes what was read, until a request is under way.
    fn decode(&mut self) {
        while self.answering.is_none() && !self.unread.is_empty() {
            let bytes = std::mem::take(&mut self.unread).freeze();
            let mut input: &[u8] = &bytes;
            let decoded = self.decoder.decode(&mut input).map(|message| message.map(Message::into_owned));
            self.unread = BytesMut::from(input);
            match decoded {
                Ok(Some(message)) => self.take_message(message),
                Ok(None) => return,
                Err(violation) => {
                    self.close(violation.close_code(), EndReason::ProtocolError);
                    self.unread = BytesMut::new();
                }
            }
        }
    }

    fn take_message(&mut self, message: Message<'static>) {
        match message {
            Message::Text(text) if self.closing.is_none() => {
                if let Some(stream) = &self.stream {
                    let request = requests::on_socket(self.app.clone(), stream, text.into_owned());
                    self.answering = Some(Box::pin(request));
                }
            }
            Message::Binary(_) => self.close(CloseCode::UNSUPPORTED_DATA, EndReason::ProtocolError),
            Message::Ping(payload) if self.closing.is_none() => {
                self.outgoing.push(Message::Pong(payload).encode())
            }
            Message::Pong(_) => self.pong_by = None,
            Message::Close(_) => {
                self.close(CloseCode::NORMAL, EndReason::ClientDisconnect);
                self.close_by = Some(Duration::ZERO);
            }
            Message::Text(_) | Message::Ping(_) => {}
        }
    }

    /// Reads while nothing read waits for a request to be answered.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            self.decode();
            if let Some(answering) = &mut self.answering {
                let Poll::Ready(answer) = answering.as_mut().poll(cx) else { return Poll::Pending };
                self.answering = None;
                if self.closing.is_none() {
                    self.push_text(answer);
                }
                continue;
            }
            if self.outgoing.len() >= self.app.stream_queue.saturating_mul(2) {
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
                Poll::Ready(Err(error)) => return Poll::Ready(io_failed(&error)),
            }
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        let feed = self.stream.as_ref().and_then(|stream| stream.feed.next_deadline());
        [feed, self.pong_by, self.close_by].into_iter().flatten().min()
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(deadline) = self.next_deadline() else { return false };
        if deadline > now {
            if self.timer_at != Some(deadline) {
                self.timer_at = Some(deadline);
                self.timer.as_mut().reset(self.app.clocks.instant(deadline));
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.timer_at = None;
        }
        let now = now.max(deadline);
        if self.pong_by.is_some_and(|by| by <= now) {
            self.pong_by = None;
            self.close(CloseCode::POLICY_VIOLATION, EndReason::ClientDisconnect);
        }
        if let Some(stream) = &mut self.stream {
            stream.feed.tick(now);
        }
        true
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<std::io::Result<()>> {
        let mut wrote = false;
        let written = self.outgoing.poll_write(cx, &mut self.io, &mut wrote);
        if let Some(stream) = &mut self.stream {
            if wrote {
                stream.feed.progress(now);
            }
            if written.is_pending() {
                stream.feed.blocked(now);
            }
        }
        written
    }

    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            let now = self.app.clocks.now();
            let full = self.fill(cx, now);
            let written = self.poll_write(cx, now);
            match &written {
                Poll::Ready(Err(error)) => return Poll::Ready(io_failed(error)),
                Poll::Ready(Ok(())) => {
                    if let Some(reason) = self.closing {
                        // The client has a moment to close from its side (RFC 6455, 7.1.1).
                        let by = *self.close_by.get_or_insert(now + CLOSE_WAIT);
                        if by <= now {
                            return Poll::Ready(reason);
                        }
                    }
                }
                Poll::Pending => {}
            }
            let queued = self.outgoing.len();
            if let Poll::Ready(reason) = self.poll_client(cx) {
                return Poll::Ready(self.closing.unwrap_or(reason));
            }
            let answered = self.outgoing.len() > queued;
            let ticked = self.poll_timer(cx, now);
            if !(ticked || answered || (full && written.is_ready())) {
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
                if let Some(stream) = &mut this.stream {
                    stream.note_end(reason);
                }
                Poll::Ready(())
            }
        }
    }
}
