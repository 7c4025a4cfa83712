//! One client connection and its state: a machine without I/O under every transport.
//!
//! A transport feeds it through [`crate::Feed`] and writes what it puts out; it decides nothing itself. Time is the
//! time since some fixed moment, given with each input.
//!
//! # States
//! ```text
//!              ┌────────────── Entries, overflow ───────────────┐
//!              ▼                                                │
//! open ─► Attaching ── the ring reaches ──────────────────────► Live
//!            │  ▲  ▲                                            │
//!    Behind  │  │  └───────────── change without backfill ──────┤
//!            ▼  │ Page                                          │ change with `since` before the position
//!          Reading                    Joining ◄─────────────────┘
//!                                        │ caught up: `$joined`, then Attaching
//! any ── End ─► Ended
//! ```
//! Every change of the subscriptions detaches the session, changes them, and attaches it anew at its own position; the
//! ring gives what was committed meanwhile. Overflow, a fresh start and a resume are the same case.
//!
//! # Invariants
//! - `position` is the id that is safe to keep: everything up to it was handed to the transport, filtered, superseded
//!   or reset. It moves only as outputs are taken, never while channels are being added.
//! - `scanned` is how far events were looked at; `position <= scanned`; between them lies what waits in the output.
//! - Each event is decided on once, in number order. The hub's match is a hint; the session's own subscriptions decide.
//! - An event below a subscription's `from`, or below a reset of its channel, is not given through it.
//! - After the end nothing is put out.

mod conflate;
mod course;
mod gaps;
mod join;
mod output;
mod subscriptions;
mod timing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, EndReason, Filter, Pattern};

use crate::entry::Entry;
use crate::pages::Page;
use crate::port::log::{Query, Selection};

pub use course::{Course, Ending};
pub use join::{ChangeResult, Join, JoinAt};
pub use output::{Output, Pulse};
pub use subscriptions::Subscriptions;

use join::Joining;
use output::Queued;
use timing::Timing;

/// What is the same for all sessions of a kind.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// How often a sign of life is sent; `None` for polls.
    pub heartbeat: Option<Duration>,
    /// The longest life of a stream.
    pub lifetime: Option<Duration>,
    /// How long a transport may be unable to write before the connection is reset.
    pub write_timeout: Duration,
    /// How long before its credential's end a session is told.
    pub expiry_notice: Duration,
    /// Most channels and patterns subscribed at once.
    pub max_channels: usize,
    /// Events in one page.
    pub page_events: usize,
    /// Bytes in one page, and from the ring in one go.
    pub page_bytes: usize,
    /// Rows looked at for one page.
    pub page_examined: usize,
    /// Whether superseded events are skipped. Polls and history do not conflate.
    pub conflate: bool,
    /// Whether controls are put out; polls take resets alone.
    pub controls: bool,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            heartbeat: Some(Duration::from_secs(30)),
            lifetime: None,
            write_timeout: Duration::from_secs(30),
            expiry_notice: Duration::from_secs(60),
            max_channels: 1_000,
            page_events: 256,
            page_bytes: 128 * 1024,
            page_examined: 4_096,
            conflate: true,
            controls: true,
        }
    }
}

/// Where a session begins, after the log was asked about the client's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    Head,
    /// After a cursor that the log knows.
    Resume(Cursor),
    /// After the cursor of a state that the client was not given yet: it is told in [`Course::state`].
    After(Cursor),
    /// With the oldest retained event; the floor's cursor.
    Oldest(Cursor),
    /// The client gave a cursor that the log does not know.
    Unknown,
}

/// What a session is opened with.
#[derive(Debug)]
pub struct Opening {
    /// Its id, unguessable.
    pub id: String,
    /// What it subscribes to.
    pub patterns: Vec<Pattern>,
    /// Which events it wants.
    pub filter: Arc<Filter>,
    /// Where it begins.
    pub start: Start,
    /// The log's head now.
    pub head: Cursor,
    /// How long its credential is good for.
    pub expires: Option<(Timestamp, Duration)>,
    /// What it begins and ends with of its own accord.
    pub course: Course,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input {
    /// [`Output::Attach`] was refused: the ring does not reach the position.
    Behind,
    /// [`Output::Attach`] brought these; attached now, or more to come.
    Given {
        /// Events after the position, ascending.
        entries: Vec<Arc<Entry>>,
        /// Everything up to here is among them.
        through: Cursor,
        /// Whether the session is attached.
        attached: bool,
    },
    /// [`Output::Read`] brought this page.
    Page(Arc<Page>),
    /// The log cannot be read.
    Unreadable,
    /// Live events; everything up to `through`, and to the last of them, has come.
    Entries {
        /// Ascending.
        entries: Vec<Arc<Entry>>,
        /// The hub's position before the mailbox was looked at.
        through: Cursor,
    },
    /// The mailbox ran over: read from the position.
    Overflowed,
    /// Channels are added and removed.
    Change {
        /// Authorised and resolved.
        add: Vec<Join>,
        /// As they were subscribed.
        remove: Vec<Pattern>,
    },
    /// These patterns may no longer be seen.
    Unauthorize(Vec<Pattern>),
    /// The credential's end is another now.
    Credential(Option<(Timestamp, Duration)>),
    /// The stream ends.
    End(EndReason, Option<Duration>),
    /// Time has passed.
    Tick,
    /// The transport cannot write.
    Blocked,
    /// The transport has written.
    Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Attaching,
    Reading,
    Live,
    Joining,
    Ended,
}

/// The state machine.
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    id: Box<str>,
    subscriptions: Subscriptions,
    filter: Arc<Filter>,
    phase: Phase,
    position: Cursor,
    scanned: Cursor,
    /// The last id that was put out.
    announced: Cursor,
    /// The first page's gaps are what "from the oldest retained event" means, and no news.
    forgives_gaps: bool,
    joining: Option<Box<Joining>>,
    out: VecDeque<Queued>,
    /// Whether it begins with a state of which the client has not been given all: until then no id is safe to keep.
    untold: bool,
    timing: Timing,
    ending: Ending,
    /// The answer to the last change, for the transport or the one who asked.
    changed: Option<Box<ChangeResult>>,
}

impl Session {
    /// Opens a session: `$ready`, perhaps `$reset`, then it reads on from where it begins.
    #[must_use]
    pub fn open(now: Duration, config: Arc<SessionConfig>, opening: Opening) -> Self {
        let (position, resumed, forgives_gaps) = match opening.start {
            Start::Resume(cursor) => (cursor, true, false),
            Start::After(cursor) => (cursor, false, false),
            Start::Oldest(floor) => (floor, false, true),
            Start::Head | Start::Unknown => (opening.head, false, false),
        };
        let timing = Timing::new(now, &config, opening.expires);
        let mut session = Self {
            config,
            id: opening.id.into(),
            subscriptions: Subscriptions::new(&opening.patterns, position.seq),
            filter: opening.filter,
            phase: Phase::Attaching,
            position,
            scanned: position,
            announced: position,
            forgives_gaps,
            joining: None,
            out: VecDeque::new(),
            untold: !opening.course.state.is_empty(),
            timing,
            ending: opening.course.ending,
            changed: None,
        };
        let channels = opening.patterns;
        let ready = Control::Ready {
            session: session.id.to_string(),
            resumed,
            channels: channels.clone(),
            // The hub may not have been told yet of what the cursor stands after.
            head: opening.head.max(position),
        };
        session.control(ready, true);
        if opening.start == Start::Unknown {
            let reset = Reset { reason: ResetReason::Unknown, channels, through: Some(opening.head) };
            session.control(Control::Reset(reset), true);
        }
        let mut state = opening.course.state;
        let last = state.pop();
        session.out.extend(state.into_iter().map(Queued::Backfill));
        session.out.extend(last.map(Queued::Event));
        session.attach();
        session
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id that is safe to keep.
    #[must_use]
    pub const fn position(&self) -> Cursor {
        self.position
    }

    /// Whether it is at the head: attached, with nothing waiting.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.phase == Phase::Live && self.out.is_empty()
    }

    /// Whether it has ended and everything was taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ended && self.out.is_empty()
    }

    /// Whether it has ended; its last outputs may wait to be taken.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether channels are being added, so that a further change must wait.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// Whether live events are expected.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// What it subscribes to.
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut patterns = self.subscriptions.patterns();
        if let Some(joining) = &self.joining {
            patterns
                .extend(joining.patterns().filter(|pattern| !self.subscriptions.contains(pattern)).cloned());
        }
        patterns
    }

    /// Which events it wants from the hub and the log.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection { patterns: self.subscriptions.patterns().into(), filter: self.filter.clone() }
    }

    /// The answer to the change that was just put in.
    pub fn take_change_result(&mut self) -> Option<ChangeResult> {
        self.changed.take().map(|result| *result)
    }

    /// Takes in what happened.
    pub fn on_input(&mut self, now: Duration, input: Input) {
        if self.phase == Phase::Ended {
            self.after_end(input);
            return;
        }
        match input {
            Input::Behind if self.phase == Phase::Attaching => self.read(),
            Input::Given { entries, through, attached } if self.phase == Phase::Attaching => {
                self.forgives_gaps = false;
                self.process(&entries, through);
                if self.phase == Phase::Ended {
                    return;
                }
                if attached {
                    self.phase = Phase::Live;
                    self.conclude();
                } else {
                    self.attach();
                }
            }
            Input::Page(page) => self.on_page(&page),
            Input::Unreadable => self.end(EndReason::Capacity, None),
            Input::Entries { entries, through } if self.phase == Phase::Live => {
                self.process(&entries, through)
            }
            Input::Overflowed if self.phase == Phase::Live => self.attach(),
            Input::Change { add, remove } => self.on_change(add, &remove),
            Input::Unauthorize(lost) => self.on_unauthorized(&lost),
            Input::Credential(expires) => self.timing.renew(now, &self.config, expires),
            Input::End(reason, after) => self.end(reason, after),
            Input::Tick => self.on_tick(now),
            Input::Blocked => self.timing.blocked(now, self.config.write_timeout),
            Input::Progress => self.timing.progress(),
            Input::Behind | Input::Given { .. } | Input::Entries { .. } | Input::Overflowed => {}
        }
    }

    /// When [`Input::Tick`] is due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.phase == Phase::Ended { None } else { self.timing.next() }
    }

    fn attach(&mut self) {
        self.phase = Phase::Attaching;
        self.out.push_back(Queued::Attach(self.scanned));
    }

    fn read(&mut self) {
        self.phase = Phase::Reading;
        let query = self.query(self.scanned, self.selection());
        self.out.push_back(Queued::Read(Box::new(query)));
    }

    fn query(&self, after: Cursor, selection: Selection) -> Query {
        Query {
            after: after.seq,
            selection,
            max_events: self.config.page_events,
            max_bytes: self.config.page_bytes,
            max_examined: self.config.page_examined,
        }
    }

    fn on_page(&mut self, page: &Page) {
        match self.phase {
            Phase::Reading => {
                self.note_trimmed(page);
                self.forgives_gaps = false;
                self.process(&page.entries, page.scanned_to);
                if self.phase != Phase::Ended {
                    self.attach();
                }
            }
            Phase::Joining => self.on_joining_page(page),
            Phase::Attaching | Phase::Live | Phase::Ended => {}
        }
    }

    /// Tells of what retention has removed, each removal once.
    fn note_trimmed(&mut self, page: &Page) {
        let after = self.scanned.seq;
        for trimmed in &page.trimmed {
            let (pattern, through) = (&trimmed.pattern, trimmed.through);
            if self.forgives_gaps {
                self.subscriptions.forgive(pattern, after, through.seq);
            } else if self.subscriptions.note_reset(pattern, after, through.seq) {
                let channels = vec![pattern.clone()];
                let reset = Reset { reason: ResetReason::Expired, channels, through: Some(through) };
                self.control(Control::Reset(reset), false);
            }
        }
    }

    /// Decides on events in order and moves on to `through`.
    fn process(&mut self, entries: &[Arc<Entry>], through: Cursor) {
        let wanted: Vec<&Arc<Entry>> = entries
            .iter()
            .filter(|entry| entry.seq() > self.scanned.seq)
            .filter(|entry| self.subscriptions.want(entry.event()) && self.filter.selects(entry.event()))
            .collect();
        let (mut wanted, ends) = self.until_end(wanted);
        // Events may have come into the mailbox after `through` was looked at; after an end none are looked at.
        let last = if ends { wanted.last().copied() } else { entries.last() };
        let through = match last {
            Some(last) if ends => last.event().id,
            Some(last) => through.max(last.event().id),
            None => through,
        };
        if self.filter.terminal {
            wanted.retain(|entry| self.filter.names(entry.event()));
        }
        self.put_events(&wanted, Queued::Event);
        if through.seq > self.scanned.seq {
            self.scanned = through;
            self.out.push_back(Queued::Advance(through));
        }
        if ends {
            self.finish();
        }
    }

    fn put_events(&mut self, wanted: &[&Arc<Entry>], wrap: fn(Arc<Entry>) -> Queued) {
        if !self.config.conflate || wanted.len() < 2 {
            self.out.extend(wanted.iter().map(|entry| wrap(Arc::clone(entry))));
            return;
        }
        for item in conflate::conflate(wanted) {
            if item.skipped > 0 {
                let key = item.entry.event().key.as_deref().unwrap_or_default().to_owned();
                self.control(Control::Lagged { key, skipped: item.skipped }, false);
            }
            self.out.push_back(wrap(Arc::clone(item.entry)));
        }
    }

    fn on_unauthorized(&mut self, lost: &[Pattern]) {
        let lost = self.remove_lost(lost);
        if lost.is_empty() {
            return;
        }
        if self.patterns().is_empty() {
            self.end(EndReason::Revoked, None);
            return;
        }
        self.rewind();
        self.out.push_back(Queued::Detach);
        let reset = Reset { reason: ResetReason::Unauthorized, channels: lost, through: None };
        self.control(Control::Reset(reset), false);
        self.resume_reading();
    }

    /// Takes back what was not taken yet: events are decided on again from the position.
    fn rewind(&mut self) {
        let patterns = self.patterns();
        self.out.retain(|queued| queued.outlasts_rewind(&patterns));
        self.scanned = self.position;
        self.subscriptions.rewind(self.position.seq);
    }

    fn resume_reading(&mut self) {
        if self.joining.is_some() { self.read_joining() } else { self.attach() }
    }

    /// What opens the stream is said all the same: without it the end's id would pass for the client's own position.
    fn end(&mut self, reason: EndReason, after: Option<Duration>) {
        self.out.retain(Queued::opens_stream);
        self.out.push_back(Queued::Detach);
        self.control(Control::End { reason, after }, self.joining.is_none());
        self.phase = Phase::Ended;
    }

    fn abort(&mut self, reason: EndReason) {
        self.out.clear();
        self.out.push_back(Queued::Detach);
        self.out.push_back(Queued::Abort(reason));
        self.phase = Phase::Ended;
    }

    /// Puts out a control; with the position at the time it is taken as its id.
    fn control(&mut self, control: Control, with_id: bool) {
        let takes = match &control {
            Control::Reset(_) | Control::End { .. } => true,
            _ => self.config.controls,
        };
        if takes {
            self.out.push_back(Queued::Control(Box::new((control, with_id))));
        }
    }
}
