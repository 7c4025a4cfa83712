//! The stage: a store, a hub and streams on it, and their frames as text.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use tidings_contract::suite::kit::{draft, tenant};
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::feed::Frame;
use tidings_core::hub::{Hub, HubLimits, Mailbox, Signal};
use tidings_core::pages::{PageLimits, Pages};
use tidings_core::port::store::{Action, Batch, Command, Commits, Policy};
use tidings_core::port::{Log, Store};
use tidings_core::session::{ChangeResult, Course, Join, JoinAt, Opening, Pulse, SessionConfig, Start};
use tidings_core::{Feed, Session};
use tidings_protocol::control::Control;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Draft, Filter, Lineage, Pattern, Seq, TenantId};
use tokio::sync::oneshot;

#[derive(Default)]
struct Told(OnceLock<Arc<Hub>>);

impl Commits for Told {
    fn committed(&self, batch: Batch) {
        if let Some(hub) = self.0.get() {
            hub.committed(batch);
        }
    }
}

/// What is set otherwise than usual.
pub(crate) struct Limits {
    pub(crate) ring_events: usize,
    pub(crate) mailbox_bytes: usize,
    pub(crate) page_events: usize,
    /// Events that a channel keeps at [`Stage::trim`].
    pub(crate) kept: u64,
    pub(crate) session: SessionConfig,
    /// Seconds that a credential is good for.
    pub(crate) expires: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        let session = SessionConfig { heartbeat: Some(Duration::from_secs(30)), ..SessionConfig::default() };
        Self { ring_events: 1_000, mailbox_bytes: 100_000, page_events: 100, kept: 0, session, expires: None }
    }
}

impl Limits {
    /// A ring of one event: who falls behind reads the log.
    pub(crate) fn short() -> Self {
        Self { ring_events: 1, mailbox_bytes: 300, page_events: 2, ..Self::default() }
    }
}

pub(crate) struct Stage {
    limits: Limits,
    store: Arc<MemoryStore>,
    hub: Arc<Hub>,
    pages: Arc<Pages>,
    tenant: TenantId,
}

/// Runs a scene.
pub(crate) fn scene(scene: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(scene);
}

impl Stage {
    pub(crate) fn new(limits: Limits) -> Self {
        let told = Arc::new(Told::default());
        let policy =
            Policy { retention_age: Duration::ZERO, events_per_channel: limits.kept, ..Policy::default() };
        let commits = Arc::clone(&told) as Arc<dyn Commits>;
        let store = MemoryStore::open(&MemoryDisk::new(), Arc::new(TestClock::default()), policy, commits);
        let log: Arc<dyn Log> = Arc::new(store.join(Arc::clone(&told) as Arc<dyn Commits>));
        let hub = HubLimits { ring_events: limits.ring_events, ..HubLimits::default() };
        let hub = Hub::new(Arc::clone(&log), hub);
        let _ = told.0.set(Arc::clone(&hub));
        let pages = Pages::new(log, PageLimits::default());
        Self { limits, store: Arc::new(store), hub, pages, tenant: tenant("default") }
    }

    /// Publishes in one commit.
    pub(crate) fn post(&self, drafts: Vec<Draft>) -> Cursor {
        let command = Command { tenant: self.tenant.clone(), action: Action::Publish(drafts) };
        self.store.submit(command).now_or_never().unwrap().unwrap().head
    }

    /// Publishes to a channel, or to `channel+also`; answers the cursor after the last.
    pub(crate) fn publish(&self, channels: &[&str]) -> Cursor {
        self.post(channels.iter().map(|channel| on(channel)).collect())
    }

    pub(crate) fn trim(&self) {
        self.store.trim_now();
    }

    pub(crate) async fn open(&self, patterns: &[&str], start: Start) -> Stream {
        self.follow(patterns, start, Filter::default(), Course::default()).await
    }

    /// Opens a stream with a filter and a course of its own.
    pub(crate) async fn follow(
        &self,
        patterns: &[&str],
        start: Start,
        filter: Filter,
        course: Course,
    ) -> Stream {
        let hub = self.hub.tenant(&self.tenant).await.unwrap();
        let start = match start {
            Start::Oldest(_) => Start::Oldest(self.floor()),
            start => start,
        };
        let limits = &self.limits;
        let config = SessionConfig { page_events: limits.page_events, ..limits.session.clone() };
        let filter = Arc::new(filter);
        let mailbox = Mailbox::new(filter.clone(), limits.mailbox_bytes);
        let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let expires = limits.expires.map(|secs| (Timestamp(1_000), Duration::from_secs(secs)));
        let (page_bytes, head) = (config.page_bytes, hub.published());
        let opening = Opening { id: "s".into(), patterns, filter, start, head, expires, course };
        let session = Session::open(Duration::ZERO, Arc::new(config), opening);
        Stream { feed: Feed::new(session, mailbox, hub, self.pages.clone(), page_bytes), now: Duration::ZERO }
    }

    /// The position before the oldest retained event.
    pub(crate) fn floor(&self) -> Cursor {
        self.store.bounds(&self.tenant).now_or_never().unwrap().unwrap().floor
    }
}

/// An event on `channel` or `channel+also`.
pub(crate) fn on(channels: &str) -> Draft {
    let mut channels = channels.split('+');
    let first = channels.next().unwrap();
    Draft { also: channels.map(|also| also.parse().unwrap()).collect(), ..draft(first) }
}

/// An event with a conflation key.
pub(crate) fn keyed(channels: &str, key: &str) -> Draft {
    Draft { key: Some(key.into()), ..on(channels) }
}

/// A cursor of nobody's history.
pub(crate) fn foreign() -> Cursor {
    Cursor::new(Seq(9), Lineage::from_bits(12_345))
}

/// [`Start::Oldest`]; the stage knows the floor.
pub(crate) fn oldest() -> Start {
    Start::Oldest(foreign())
}

pub(crate) fn join(pattern: &str, at: JoinAt) -> Join {
    Join { pattern: pattern.parse().unwrap(), at }
}

pub(crate) fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// An open stream.
pub(crate) struct Stream {
    pub(crate) feed: Feed,
    now: Duration,
}

impl Stream {
    /// Time passes.
    pub(crate) fn wait(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
        self.feed.tick(self.now);
    }

    /// The socket takes nothing.
    pub(crate) fn block(&mut self) {
        self.feed.blocked(self.now);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.feed.mailbox().signal(signal));
    }

    /// Asks for a change; the answer comes once it is acted on.
    pub(crate) fn change(&self, add: Vec<Join>, remove: &[&str]) -> oneshot::Receiver<ChangeResult> {
        let (reply, answer) = oneshot::channel();
        self.signal(Signal::Change { add, remove: patterns(remove), reply });
        answer
    }

    fn poll(&mut self) -> Poll<Frame> {
        self.feed.poll(&mut Context::from_waker(Waker::noop()), self.now)
    }

    /// The next frame, once what is read has come.
    async fn frame(&mut self) -> Option<Frame> {
        for _ in 0..10 {
            if let Poll::Ready(frame) = self.poll() {
                return Some(frame);
            }
            tokio::task::yield_now().await;
        }
        None
    }

    /// The next `count` lines.
    pub(crate) async fn take(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            let Some(frame) = self.frame().await else { break };
            let _ = writeln!(text, "{}", line(&frame));
            if matches!(frame, Frame::Over | Frame::Abort(_)) {
                break;
            }
        }
        text
    }

    /// The next lines are these, and then there is no more.
    #[track_caller]
    pub(crate) fn says(&mut self, expected: &str) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            let expected: String = expected.lines().map(str::trim).filter(|line| !line.is_empty()).fold(
                String::new(),
                |mut text, line| {
                    let _ = writeln!(text, "{line}");
                    text
                },
            );
            let said = self.take(usize::MAX).await;
            assert!(said == expected, "at {at}:\nexpected\n{expected}\nsaid\n{said}");
        }
    }
}

fn names<T: ToString>(names: &[T]) -> String {
    names.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn line(frame: &Frame) -> String {
    match frame {
        Frame::Event(entry) => format!("{}#{} id", names_of(entry), entry.seq()),
        Frame::Backfill(entry) => format!("{}#{}", names_of(entry), entry.seq()),
        Frame::Control(control, id) => {
            let id = id.map_or(String::new(), |id| format!(" id={}", id.seq));
            format!("{}{id}{}", control.name(), details(control))
        }
        Frame::Heartbeat(Pulse::Silent) => "heartbeat".into(),
        Frame::Heartbeat(Pulse::Same(id)) => format!("heartbeat same={}", id.seq),
        Frame::Heartbeat(Pulse::Moved(id)) => format!("heartbeat moved={}", id.seq),
        Frame::Abort(reason) => format!("abort {}", reason.name()),
        Frame::Over => "over".into(),
    }
}

fn names_of(entry: &tidings_core::Entry) -> String {
    entry.event().channels().map(ToString::to_string).collect::<Vec<_>>().join("+")
}

fn details(control: &Control) -> String {
    match control {
        Control::Ready { resumed, channels, head, .. } => {
            let resumed = if *resumed { " resumed" } else { "" };
            format!("{resumed} {} head={}", names(channels), head.seq)
        }
        Control::Reset(reset) => {
            let through = reset.through.map_or(String::new(), |through| format!(" through={}", through.seq));
            format!(" {} {}{through}", reset.reason.name(), names(&reset.channels))
        }
        Control::Subscribed { channels, from } => format!(" {} from={}", names(channels), from.seq),
        Control::Joined { channels } => format!(" {}", names(channels)),
        Control::Lagged { key, skipped } => format!(" {key} skipped={skipped}"),
        Control::Expiring { at } => format!(" at={}", at.0),
        Control::Ping => String::new(),
        Control::End { reason, after } | Control::Refused { reason, after, .. } => {
            let after = after.map_or(String::new(), |after| format!(" after={}", after.as_millis()));
            format!(" {} {}{after}", reason.name(), reason.retry().name())
        }
    }
}
