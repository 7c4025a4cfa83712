//! A stream of server-sent events over HTTP/2: the session under the library's frames.
//!
//! The library asks a body for more only while the client has window. Deadlines and signals must hold all the same, so
//! the session is driven by a task of its own, which hands what it has to the body through a slot for one piece. A
//! client that takes nothing for `stream.write_timeout`, or not the last bytes of a stream that has ended, loses its
//! connection: HTTP/2 has no way to take back a piece of one.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame as BodyFrame};
use tidings_core::feed::Frame;
use tidings_protocol::EndReason;
use tidings_protocol::control::Control;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::open::OpenedStream;
use super::outgoing::Outgoing;
use super::pump::{Wire, last_moment, lost_some, take_back};
use super::sse::SseWire;
use crate::app::App;

/// Comes with each request on an HTTP/2 connection: cancelled, it cuts the connection.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCut(pub CancellationToken);

/// The body of a stream's response.
#[derive(Debug)]
pub struct EventBody {
    pieces: mpsc::Receiver<Bytes>,
}

impl EventBody {
    /// The body of `stream`, which begins with how long a client is to wait before it comes back.
    #[must_use]
    pub fn new(
        app: &Arc<App>,
        stream: OpenedStream,
        wire: SseWire,
        retry: Duration,
        cut: ConnectionCut,
    ) -> Self {
        let (slot, pieces) = mpsc::channel(1);
        let mut waiting = Outgoing::default();
        waiting.push(wire.opening(retry), None);
        let driver = Driver { app: app.clone(), stream, wire, waiting, over: false, end_by: None, cut };
        app.tasks.spawn(driver.run(slot));
        Self { pieces }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        self.pieces.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}

/// Drives one stream until it ends.
struct Driver {
    app: Arc<App>,
    stream: OpenedStream,
    wire: SseWire,
    waiting: Outgoing,
    over: bool,
    /// When the last bytes must have been handed over.
    end_by: Option<Duration>,
    cut: ConnectionCut,
}

impl Driver {
    async fn run(mut self, slot: mpsc::Sender<Bytes>) {
        while !(self.over && self.waiting.is_empty()) {
            let now = self.app.clocks.now();
            if !self.waiting.is_empty() {
                self.stream.feed.blocked(now);
            }
            let deadlines = [self.stream.feed.next_deadline(), self.end_by, self.wire.deadline()];
            let deadline = deadlines.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(3600));
            let alarm = tokio::time::sleep_until(self.app.clocks.instant(deadline));
            let (has_piece, goes_on) = (!self.waiting.is_empty(), !self.over);
            tokio::select! {
                biased;
                () = slot.closed() => return,
                place = slot.reserve(), if has_piece => {
                    let Ok(place) = place else { return };
                    place.send(self.waiting.take());
                    self.stream.feed.progress(now);
                }
                () = poll_fn(|cx| self.poll_gather(cx)), if goes_on => {}
                () = alarm => self.on_deadline(deadline),
            }
        }
    }

    /// Takes frames until there are none or enough wait. Ready where there was one.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.app.clocks.now();
        let mut any = false;
        while !self.over {
            // Only an end does not wait for the client.
            if self.waiting.len() >= self.app.stream_queue && !self.stream.feed.attend(cx, now) {
                break;
            }
            let Poll::Ready(frame) = self.stream.feed.poll(cx, now) else { break };
            self.put(frame, now);
            any = true;
        }
        if any { Poll::Ready(()) } else { Poll::Pending }
    }

    fn put(&mut self, mut frame: Frame, now: Duration) {
        self.app.say_when(&mut frame);
        self.stream.count(&frame);
        match &mut frame {
            Frame::Abort(reason) => return self.cut(*reason),
            Frame::Over => {
                self.over = true;
                return;
            }
            Frame::Control(control, _) => {
                if let Control::End { reason, .. } = **control {
                    self.end_by = Some(now + last_moment(reason));
                }
                let patterns = lost_some(control).then(|| self.stream.feed.session().patterns());
                take_back(&mut frame, &mut self.waiting, &mut self.wire, &patterns.unwrap_or_default());
            }
            Frame::Event(_) | Frame::Backfill(_) | Frame::Heartbeat(_) => {}
        }
        let messages = self.wire.put(&frame, now, &mut self.waiting);
        self.stream.count_messages(messages);
    }

    fn on_deadline(&mut self, deadline: Duration) {
        let now = self.app.clocks.now().max(deadline);
        if self.end_by.is_some_and(|by| by <= now) {
            self.cut(self.stream.end_reason());
            return;
        }
        if self.wire.deadline().is_some_and(|at| at <= now) {
            self.wire.flush(&mut self.waiting);
        }
        self.stream.feed.tick(now);
    }

    fn cut(&mut self, reason: EndReason) {
        self.stream.note_end(reason);
        self.waiting = Outgoing::default();
        self.over = true;
        self.cut.0.cancel();
    }
}
