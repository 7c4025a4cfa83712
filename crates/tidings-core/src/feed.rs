//! A session with its effects carried out: attached to the hub, reading the log, woken by its mailbox.
//!
//! Transports poll it for frames and write them. It holds a place in the hub for as long as it lives and gives it back
//! when dropped.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tidings_protocol::control::Control;
use tidings_protocol::{Cursor, EndReason};

use crate::entry::Entry;
use crate::hub::{Attach, Mailbox, Membership, Signal, TenantHub};
use crate::pages::{Pages, SharedPage};
use crate::port::directory::Right;
use crate::session::{Input, Output, Pulse, Session};

/// One thing for the wire.
#[derive(Debug)]
pub enum Frame {
    /// An event with its id.
    Event(Arc<Entry>),
    /// An event without an id: between `$subscribed` and `$joined`.
    Backfill(Arc<Entry>),
    /// A control, with an id where it has one.
    Control(Box<Control>, Option<Cursor>),
    /// A sign of life.
    Heartbeat(Pulse),
    /// Reset the connection without a word.
    Abort(EndReason),
    /// Nothing comes any more.
    Over,
}

/// A session and what it needs.
#[derive(Debug)]
pub struct Feed {
    session: Session,
    mailbox: Arc<Mailbox>,
    membership: Membership,
    hub: Arc<TenantHub>,
    pages: Arc<Pages>,
    reading: Option<Box<SharedPage>>,
    page_bytes: usize,
}

impl Feed {
    /// Puts a session to work. `page_bytes` bounds what the ring gives in one go.
    #[must_use]
    pub fn new(
        session: Session,
        mailbox: Arc<Mailbox>,
        hub: Arc<TenantHub>,
        pages: Arc<Pages>,
        page_bytes: usize,
    ) -> Self {
        Self { session, mailbox, membership: Membership::default(), hub, pages, reading: None, page_bytes }
    }

    /// The session's state.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Where others leave word for the session.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// When [`Feed::tick`] is due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.session.next_deadline()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        self.settle(now);
        self.session.on_input(now, Input::Tick);
    }

    /// The transport cannot write now.
    pub fn blocked(&mut self, now: Duration) {
        self.session.on_input(now, Input::Blocked);
    }

    /// The transport has written.
    pub fn progress(&mut self, now: Duration) {
        self.session.on_input(now, Input::Progress);
    }

    /// Ends the stream.
    pub fn end(&mut self, now: Duration, reason: EndReason, after: Option<Duration>) {
        self.session.on_input(now, Input::End(reason, after));
    }

    /// Whether everything there is was put out: a poll may be answered.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.session.is_caught_up() && self.mailbox.is_empty()
    }

    /// The next frame. Pending until something comes; [`Frame::Over`] at the end, and ever after.
    pub fn poll(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Frame> {
        loop {
            self.take_urgent_signals(now);
            if let Some(frame) = self.take_outputs(now) {
                return Poll::Ready(frame);
            }
            if self.session.is_over() {
                return Poll::Ready(Frame::Over);
            }
            if self.poll_reading(cx, now) || self.take_mail(cx, now) || self.take_change(now) {
                continue;
            }
            return Poll::Pending;
        }
    }

    /// For a transport that has no room: takes in what does not wait for anything, and leaves the waker. `true` where the
    /// stream has ended, so that its last frames are to be taken all the same.
    pub fn attend(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        self.mailbox.listen(cx.waker());
        self.take_urgent_signals(now);
        self.session.has_ended()
    }

    /// Moves the position to the hub's where nothing waits, so that ids of quiet streams do not grow old.
    pub fn settle(&mut self, now: Duration) {
        if self.session.is_caught_up() {
            let through = self.hub.published();
            if self.mailbox.is_empty() {
                self.session.on_input(now, Input::Entries { entries: Vec::new(), through });
                // Nothing but the position can be there to be taken.
                while let Some(output) = self.session.poll_output() {
                    debug_assert!(false, "settling put out {output:?}");
                }
            }
        }
    }

    fn take_urgent_signals(&mut self, now: Duration) {
        while let Some(signal) = self.mailbox.next_urgent() {
            match signal {
                Signal::Unauthorize(lost) => {
                    self.settle(now);
                    self.session.on_input(now, Input::Unauthorize(lost));
                }
                Signal::Grants(principal) => {
                    self.settle(now);
                    let mut lost = self.session.patterns();
                    lost.retain(|pattern| !principal.may(Right::Subscribe, pattern));
                    self.session.on_input(now, Input::Unauthorize(lost));
                }
                Signal::Credential(at, left) => {
                    self.session.on_input(now, Input::Credential(at.zip(left)));
                }
                Signal::End(reason, after) => {
                    self.settle(now);
                    self.session.on_input(now, Input::End(reason, after));
                }
                Signal::Change { .. } => {}
            }
        }
    }

    fn take_outputs(&mut self, now: Duration) -> Option<Frame> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Event(entry) => return Some(Frame::Event(entry)),
                Output::Backfill(entry) => return Some(Frame::Backfill(entry)),
                Output::Control(control, id) => return Some(Frame::Control(control, id)),
                Output::Heartbeat(pulse) => return Some(Frame::Heartbeat(pulse)),
                Output::Abort(reason) => return Some(Frame::Abort(reason)),
                Output::Attach(after) => self.attach(now, after),
                Output::Detach => {
                    self.reading = None;
                    self.hub.detach(&self.mailbox, &mut self.membership);
                }
                Output::Read(query) => {
                    self.reading = Some(Box::new(self.pages.read(self.hub.tenant(), *query)));
                }
            }
        }
        None
    }

    fn attach(&mut self, now: Duration, after: Cursor) {
        let selection = self.session.selection();
        let attach = self.hub.attach(&self.mailbox, &mut self.membership, &selection, after, self.page_bytes);
        let input = match attach {
            Attach::Behind => Input::Behind,
            Attach::Given { entries, through, attached } => Input::Given { entries, through, attached },
        };
        self.session.on_input(now, input);
    }

    fn poll_reading(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        let Poll::Ready(page) = reading.poll_unpin(cx) else { return false };
        self.reading = None;
        let input = match page {
            Ok(page) => Input::Page(page),
            Err(error) => {
                tracing::warn!(tenant = %self.hub.tenant(), %error, "the log cannot be read; ending a stream");
                Input::Unreadable
            }
        };
        self.session.on_input(now, input);
        true
    }

    /// Looks into the mailbox, and leaves the waker there.
    fn take_mail(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        // Loaded first: what was published up to here is in the mailbox by now.
        let through = self.hub.published();
        let taken = self.mailbox.take(cx.waker());
        if taken.overflowed {
            self.session.on_input(now, Input::Overflowed);
            return true;
        }
        if taken.entries.is_empty() {
            return taken.urgent;
        }
        self.session.on_input(now, Input::Entries { entries: taken.entries, through });
        true
    }

    /// Acts on a change of the subscriptions, now that nothing waits before it.
    fn take_change(&mut self, now: Duration) -> bool {
        if self.session.is_joining() {
            return false;
        }
        let Some(Signal::Change { add, remove, reply }) = self.mailbox.next_change() else { return false };
        self.settle(now);
        self.session.on_input(now, Input::Change { add, remove });
        if let Some(result) = self.session.take_change_result() {
            // Whoever asked may have gone; the change holds all the same.
            let _ = reply.send(result);
        }
        true
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.hub.detach(&self.mailbox, &mut self.membership);
    }
}
