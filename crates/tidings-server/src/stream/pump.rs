//! What drives a stream whatever its wire: frames from the feed into the queue, the queue into the socket, the clock.
//!
//! Owns: when frames are taken, what happens to what waits when the stream ends, and the deadlines. Leaves out: how a
//! frame looks ([`Wire`]) and what the client sends.
//!
//! A stream whose credential or membership ended drops what it has not begun to send; its `$end` then carries the id of
//! the last frame that was begun, so that nothing is passed over if the client may come back.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::Entry;
use tidings_core::feed::Frame;
use tidings_core::session::Pulse;
use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::{Cursor, EndReason, Pattern, Retry};
use tokio::time::Sleep;

use super::io::StreamIo;
use super::open::OpenedStream;
use super::outgoing::Outgoing;
use crate::app::App;

/// How long a client has to take the last bytes of a stream that it may no longer see, and of any other.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);
pub(super) const LAST_BYTES: Duration = Duration::from_secs(10);

/// Turns frames into bytes.
pub trait Wire {
    /// Queues the bytes of a frame; a wire that gathers may keep them for a while. Answers how many messages of events
    /// they are.
    fn put(&mut self, frame: &Frame, now: Duration, out: &mut Outgoing) -> usize;

    /// What ends the stream on the wire, after its last frame.
    fn closing(&mut self, reason: EndReason) -> Bytes;

    /// When it wants to be asked for what it has gathered.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Queues what it has gathered.
    fn flush(&mut self, _out: &mut Outgoing) {}

    /// Forgets the gathered events that are not to be kept; whether there were any.
    fn forget(&mut self, _keep: &dyn Fn(&Entry) -> bool) -> bool {
        false
    }
}

/// What a client may not see any more is taken back, as far as it has not begun to be sent. Answers the id that the
/// frame, an `$end`, is to carry instead of its own.
pub(super) fn take_back(frame: &mut Frame, out: &mut Outgoing, wire: &mut impl Wire, patterns: &[Pattern]) {
    let Frame::Control(control, id) = frame else { return };
    match &**control {
        Control::End { reason, .. } if matches!(reason.retry(), Retry::Auth | Retry::Never) => {
            // A stream that is over of itself gives what it has; no right has ended.
            if *reason == EndReason::TerminalState {
                return;
            }
            let gathered = wire.forget(&|_| false);
            // An end between `$subscribed` and `$joined` has no id, and gets none.
            if (out.drop_unbegun() || gathered) && id.is_some() {
                *id = out.begun();
            }
        }
        Control::Reset(Reset { reason: ResetReason::Unauthorized, .. }) => {
            let keep = |entry: &Entry| patterns.iter().any(|pattern| entry.event().is_on(pattern));
            wire.forget(&keep);
            out.drop_events(keep);
        }
        _ => {}
    }
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("over", &self.over).finish_non_exhaustive()
    }
}

/// A stream's feed, queue and clock.
pub struct Pump {
    /// What the server shares.
    pub app: Arc<App>,
    /// The session.
    pub stream: OpenedStream,
    /// What waits for the socket.
    pub outgoing: Outgoing,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Duration>,
    over: Option<EndReason>,
    /// When the last bytes must have gone.
    end_by: Option<Duration>,
    /// Whether the connection is to be reset: nothing is written any more.
    cut: bool,
}

impl Pump {
    /// Begins with the response's head.
    pub fn new(app: Arc<App>, stream: OpenedStream, head: Bytes) -> Self {
        let outgoing = Outgoing::with_head(head);
        let timer = Box::pin(tokio::time::sleep_until(app.clocks.instant(Duration::from_secs(3600))));
        Self { app, stream, outgoing, timer, timer_at: None, over: None, end_by: None, cut: false }
    }

    /// Why the stream is over, once its last bytes are queued.
    pub const fn over(&self) -> Option<EndReason> {
        self.over
    }

    /// Whether the connection is to be reset, with nothing more said.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Nothing waits any more: the peer has until `by` to close from its side.
    pub fn hasten(&mut self, by: Duration) {
        self.end_by = Some(self.end_by.map_or(by, |known| known.min(by)));
    }

    fn cut<Io: StreamIo>(&mut self, reason: EndReason, io: &Io) {
        if !self.outgoing.is_empty() || reason == EndReason::WriteStalled {
            io.reset_on_close();
        }
        self.outgoing = Outgoing::default();
        self.end_by = None;
        self.cut = true;
        self.over.get_or_insert(reason);
    }

    /// Ends the stream from this side: the last bytes are queued, nothing follows.
    pub fn close(&mut self, now: Duration, last: Bytes, reason: EndReason) {
        if self.over.is_none() {
            self.outgoing.push(last, None);
            self.over = Some(reason);
            self.end_by.get_or_insert(now + LAST_BYTES);
        }
    }

    /// Takes frames until there are none or the queue is full; `true` where it is full.
    pub fn fill<Io: StreamIo>(
        &mut self,
        cx: &mut Context<'_>,
        now: Duration,
        wire: &mut impl Wire,
        io: &Io,
    ) -> bool {
        while self.over.is_none() {
            // A full queue waits for the socket; only an end does not.
            if self.outgoing.len() >= self.app.stream_queue && !self.stream.feed.attend(cx, now) {
                return true;
            }
            let Poll::Ready(frame) = self.stream.feed.poll(cx, now) else { return false };
            self.put(frame, now, wire, io);
        }
        false
    }

    fn put<Io: StreamIo>(&mut self, mut frame: Frame, now: Duration, wire: &mut impl Wire, io: &Io) {
        self.app.say_when(&mut frame);
        self.stream.count(&frame);
        match &mut frame {
            Frame::Abort(reason) => {
                self.cut(*reason, io);
                return;
            }
            Frame::Over => {
                let reason = self.stream.end_reason();
                let last = wire.closing(reason);
                self.close(now, last, reason);
                return;
            }
            Frame::Control(control, _) => {
                if let Control::End { reason, .. } = **control {
                    self.end_by = Some(now + last_moment(reason));
                }
                let patterns = lost_some(control).then(|| self.stream.feed.session().patterns());
                take_back(&mut frame, &mut self.outgoing, wire, &patterns.unwrap_or_default());
            }
            Frame::Event(_) | Frame::Backfill(_) | Frame::Heartbeat(_) => {}
        }
        let messages = wire.put(&frame, now, &mut self.outgoing);
        self.stream.count_messages(messages);
    }

    /// Writes what waits. Ready where nothing waits any more. The client moves on where the socket took bytes.
    ///
    /// # Errors
    /// The socket's.
    pub fn poll_write<Io: StreamIo>(
        &mut self,
        cx: &mut Context<'_>,
        now: Duration,
        io: &mut Io,
    ) -> Poll<io::Result<()>> {
        let (mut wrote, taken) = (false, io.taken());
        let written = self.outgoing.poll_write(cx, io, &mut wrote);
        if taken.map_or(wrote, |before| io.taken() != Some(before)) {
            self.stream.feed.progress(now);
        }
        if written.is_pending() {
            self.stream.feed.blocked(now);
        }
        written
    }

    /// Looks at the clock: the session's deadlines, the stream's last moment, and one `more` of the wire's. `true` where
    /// one has passed; the wire looks at its own.
    pub fn poll_timer<Io: StreamIo>(
        &mut self,
        cx: &mut Context<'_>,
        now: Duration,
        more: Option<Duration>,
        io: &Io,
    ) -> bool {
        let deadlines = [self.stream.feed.next_deadline(), self.end_by, more];
        let Some(deadline) = deadlines.into_iter().flatten().min() else { return false };
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
        if self.end_by.is_some_and(|by| by <= now) {
            self.cut(self.stream.end_reason(), io);
        }
        self.stream.feed.tick(now);
        true
    }
}

/// How long a client has to take the last bytes.
pub(super) fn last_moment(reason: EndReason) -> Duration {
    let at_once = matches!(reason.retry(), Retry::Auth | Retry::Never) && reason != EndReason::TerminalState;
    if at_once { LAST_WORD } else { LAST_BYTES }
}

/// Whether some of the channels may not be seen any more.
pub(super) fn lost_some(control: &Control) -> bool {
    matches!(control, Control::Reset(Reset { reason: ResetReason::Unauthorized, .. }))
}

/// The id that a client has once it has taken the frame.
pub(super) fn id_of(frame: &Frame) -> Option<Cursor> {
    match frame {
        Frame::Event(entry) => Some(entry.event().id),
        Frame::Control(_, id) => *id,
        Frame::Heartbeat(Pulse::Moved(id) | Pulse::Same(id)) => Some(*id),
        _ => None,
    }
}

/// What a socket's error says of how the stream ended.
pub fn reason_of(error: &io::Error) -> EndReason {
    match error.kind() {
        io::ErrorKind::TimedOut => EndReason::WriteStalled,
        _ => EndReason::ClientDisconnect,
    }
}
