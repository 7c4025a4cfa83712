//! The bench on which every test works: a node on a harness, a clock set by hand, and a record of what was committed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tidings_core::port::log::{Bounds, LogPage, Query, Resolution, Selection, Trimmed};
use tidings_core::port::store::{
    Action, Batch, Changes, Command, Decision, IdempotencyKey, Outcome, Policy, Receipt, Record, RecordKey,
    RecordWrite, Refused,
};
use tidings_core::port::{Commits, Log, Store};
use tidings_protocol::{ChannelName, Cursor, Draft, ErrorCode, Event, Filter, Pattern, Seq, TenantId};
use tokio::sync::watch;

use super::{Harness, Opening};
use crate::clock::TestClock;

/// A day: as long as idempotency keys are remembered at least.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// Keeps what was committed, in the order in which it was told.
#[derive(Debug)]
pub struct Recorder {
    told: Mutex<Vec<(TenantId, Event)>>,
    grown: watch::Sender<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { told: Mutex::default(), grown: watch::Sender::new(0) }
    }
}

impl Commits for Recorder {
    fn committed(&self, batch: Batch) {
        assert!(!batch.events.is_empty(), "a batch has at least one event");
        let mut told = lock(&self.told);
        told.extend(batch.events.into_iter().map(|event| (batch.tenant.clone(), event)));
        self.grown.send_replace(told.len());
    }
}

impl Recorder {
    /// What was told of a tenant.
    #[must_use]
    pub fn events(&self, tenant: &TenantId) -> Vec<Event> {
        let told = lock(&self.told);
        told.iter().filter(|(of, _)| of == tenant).map(|(_, event)| event.clone()).collect()
    }

    /// How many events were told of all tenants; changes are signalled.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.grown.subscribe()
    }

    /// Whether the event was told.
    #[must_use]
    pub fn has(&self, tenant: &TenantId, id: Cursor) -> bool {
        lock(&self.told).iter().rev().any(|(of, event)| of == tenant && event.id == id)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node under test.
#[derive(Debug)]
pub struct Bench<H: Harness> {
    /// How it is started and ended.
    pub harness: H,
    /// Its wall clock.
    pub clock: TestClock,
    /// What its writer told, since the first start.
    pub recorder: Arc<Recorder>,
    /// The tenant that the short forms are about.
    pub tenant: TenantId,
    policy: Policy,
    node: Option<Arc<H::Node>>,
}

impl<H: Harness> Bench<H> {
    /// Starts a node with the default policy.
    pub async fn start(harness: H) -> Self {
        Self::start_with(harness, Policy::default()).await
    }

    /// Starts a node.
    pub async fn start_with(harness: H, policy: Policy) -> Self {
        let mut bench = Self {
            harness,
            clock: TestClock::default(),
            recorder: Arc::default(),
            tenant: tenant("default"),
            policy,
            node: None,
        };
        bench.open().await;
        bench
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Arc<H::Node> {
        self.node.as_ref().expect("the node is open")
    }

    /// Starts the node; it is not open.
    pub async fn open(&mut self) {
        assert!(self.node.is_none());
        let commits = Arc::clone(&self.recorder) as Arc<dyn Commits>;
        let opening = Opening { policy: self.policy.clone(), clock: self.clock.clone(), commits };
        self.node = Some(Arc::new(self.harness.open(opening).await));
    }

    /// Ends the node.
    pub async fn close(&mut self) {
        let node =
            self.node.take().and_then(Arc::into_inner).expect("no task of a test holds on to the node");
        self.harness.close(node).await;
    }

    /// Ends the node and starts it again.
    pub async fn restart(&mut self) {
        self.close().await;
        self.open().await;
    }

    /// Moves the clock on and has the node do what is due.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.wake().await;
    }

    /// Has the node do what is due.
    pub async fn wake(&self) {
        self.harness.wake(self.node()).await;
    }

    /// Has the node carry out its retention policy.
    pub async fn trim(&self) {
        self.harness.trim(self.node()).await;
    }

    /// Publishes for a tenant.
    pub async fn publish_for(&self, tenant: &TenantId, drafts: Vec<Draft>) -> Result<Outcome, Refused> {
        self.node().submit(Command { tenant: tenant.clone(), action: Action::Publish(drafts) }).await
    }

    /// Publishes a batch.
    pub async fn try_publish(&self, drafts: Vec<Draft>) -> Result<Outcome, Refused> {
        self.publish_for(&self.tenant, drafts).await
    }

    /// Publishes one event that is accepted.
    pub async fn publish(&self, draft: Draft) -> Receipt {
        let outcome = self.try_publish(vec![draft]).await.unwrap();
        assert_eq!(outcome.receipts.len(), 1);
        outcome.receipts[0]
    }

    /// Publishes events without an idempotency key to a channel, each in a command of its own.
    pub async fn publish_many(&self, channel: &str, count: usize) -> Vec<Cursor> {
        let mut ids = Vec::new();
        for n in 0..count {
            ids.push(self.publish(numbered(channel, n)).await.id);
        }
        ids
    }

    /// The code with which a batch is refused.
    pub async fn refusal(&self, drafts: Vec<Draft>) -> ErrorCode {
        code(self.try_publish(drafts).await)
    }

    /// Carries out what a decision gives.
    pub async fn decide(
        &self,
        reads: Vec<RecordKey>,
        decide: impl Fn(&[Option<Record>]) -> Decision + Send + Sync + 'static,
    ) -> Result<Outcome, Refused> {
        let action = Action::Decide { reads, decide: Box::new(decide), idempotency: Vec::new() };
        self.node().submit(Command { tenant: self.tenant.clone(), action }).await
    }

    /// Carries out changes that depend on nothing, under idempotency keys.
    pub async fn change_as(
        &self,
        idempotency: Vec<IdempotencyKey>,
        changes: Changes,
    ) -> Result<Outcome, Refused> {
        let decide = Box::new(move |_: &[_]| Ok(changes.clone()));
        let action = Action::Decide { reads: Vec::new(), decide, idempotency };
        self.node().submit(Command { tenant: self.tenant.clone(), action }).await
    }

    /// Carries out changes that depend on nothing.
    pub async fn change(&self, changes: Changes) -> Result<Outcome, Refused> {
        self.decide(Vec::new(), move |_| Ok(changes.clone())).await
    }

    /// A record.
    pub async fn record(&self, key: &RecordKey) -> Option<Record> {
        self.node().record(&self.tenant, key).await.unwrap().record
    }

    /// Both ends of the log.
    pub async fn bounds(&self) -> Bounds {
        self.node().bounds(&self.tenant).await.unwrap()
    }

    /// Whether a cursor is known.
    pub async fn knows(&self, cursor: Cursor) -> bool {
        self.node().resolve(&self.tenant, cursor).await.unwrap() == Resolution::Known
    }

    /// One page.
    pub async fn read(&self, query: &Query) -> LogPage {
        self.node().read(&self.tenant, query).await.unwrap()
    }

    /// Everything on the patterns after a number, read page by page.
    pub async fn read_after(&self, after: u64, patterns: &[&str]) -> Vec<Event> {
        self.read_paged(Query { after: Seq(after), ..query(patterns) }).await
    }

    /// Everything on the patterns.
    pub async fn read_all(&self, patterns: &[&str]) -> Vec<Event> {
        self.read_after(0, patterns).await
    }

    /// The numbers of everything on the patterns.
    pub async fn numbers(&self, patterns: &[&str]) -> Vec<u64> {
        numbers(&self.read_all(patterns).await)
    }

    /// Reads from the query's position to the head by pages of its limits, and checks each page.
    pub async fn read_paged(&self, mut query: Query) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let page = self.read(&query).await;
            check_page(&query, &page);
            events.extend(page.events);
            if page.scanned_to.seq >= page.head.seq {
                return events;
            }
            assert!(page.scanned_to.seq > query.after, "a page that is not at the head moves on");
            query.after = page.scanned_to.seq;
        }
    }

    /// What retention removed of the patterns after a number, by the patterns' text.
    pub async fn trimmed_after(&self, after: u64, patterns: &[&str]) -> Vec<(String, u64)> {
        let page = self.read(&Query { after: Seq(after), ..query(patterns) }).await;
        let mut trimmed: Vec<_> = page.trimmed.iter().map(plain).collect();
        trimmed.sort();
        trimmed
    }
}

fn plain(trimmed: &Trimmed) -> (String, u64) {
    (trimmed.pattern.to_string(), trimmed.through.seq.0)
}

/// Checks what holds of every page.
pub fn check_page(query: &Query, page: &LogPage) {
    let seqs: Vec<Seq> = page.events.iter().map(|event| event.id.seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "ascending, each once: {seqs:?}");
    assert!(seqs.first().is_none_or(|first| *first > query.after), "after the position");
    assert!(
        seqs.last().is_none_or(|last| *last <= page.scanned_to.seq),
        "scanned up to the last event at least"
    );
    assert!(
        page.scanned_to.seq >= query.after && page.scanned_to.seq <= page.head.seq,
        "scanned within the log"
    );
    assert!(page.events.len() <= query.max_events, "no more events than asked");
    assert!(page.examined <= query.max_examined, "no more rows looked at than asked");
    assert!(
        page.trimmed.iter().all(|trimmed| trimmed.through.seq > query.after),
        "trimmed beyond the position"
    );
    let sizes: Vec<usize> = page.events.iter().map(|event| event.data.get().len()).collect();
    let but_last: usize = sizes.iter().rev().skip(1).sum();
    assert!(sizes.len() < 2 || but_last < query.max_bytes, "no event follows once the bytes are reached");
}

/// A tenant's name.
#[must_use]
pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// A channel.
#[must_use]
pub fn channel(name: &str) -> ChannelName {
    name.parse().unwrap()
}

/// An event of type `t` with data `null`.
#[must_use]
pub fn draft(on: &str) -> Draft {
    Draft {
        channel: channel(on),
        also: Box::new([]),
        kind: "t".parse().unwrap(),
        category: None,
        key: None,
        actor: None,
        version: None,
        mutation_id: None,
        terminal: false,
        data: json("null"),
        idempotency_key: None,
    }
}

/// An event whose data is a number.
#[must_use]
pub fn numbered(on: &str, n: usize) -> Draft {
    Draft { data: json(&n.to_string()), ..draft(on) }
}

/// An event with an idempotency key.
#[must_use]
pub fn keyed(on: &str, key: &str) -> Draft {
    Draft { idempotency_key: Some(key.into()), ..draft(on) }
}

/// An event with further channels.
#[must_use]
pub fn with_also(on: &str, also: &[&str]) -> Draft {
    Draft { also: also.iter().map(|name| channel(name)).collect(), ..draft(on) }
}

/// An event that ends its channel.
#[must_use]
pub fn terminal(on: &str) -> Draft {
    Draft { terminal: true, ..draft(on) }
}

/// A JSON text.
#[must_use]
pub fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

/// All events on the patterns, in pages of a size that most tests need one of.
#[must_use]
pub fn query(patterns: &[&str]) -> Query {
    Query {
        after: Seq::ZERO,
        selection: selection(patterns, &[], &[]),
        max_events: 1_000,
        max_bytes: 1 << 20,
        max_examined: 10_000,
    }
}

/// A selection by patterns, types and categories.
#[must_use]
pub fn selection(patterns: &[&str], types: &[&str], categories: &[&str]) -> Selection {
    let patterns: Vec<Pattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
    let filter = Filter {
        types: types.iter().map(|text| text.parse().unwrap()).collect(),
        categories: categories.iter().map(|text| text.parse().unwrap()).collect(),
        terminal: false,
    };
    Selection { patterns: patterns.into(), filter: Arc::new(filter) }
}

/// The numbers of events.
#[must_use]
pub fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id.seq.0).collect()
}

/// The data of events.
#[must_use]
pub fn data(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.data.get()).collect()
}

/// A record's name.
#[must_use]
pub fn record_key(id: &str) -> RecordKey {
    RecordKey { kind: "thing".into(), id: id.into() }
}

/// The writing of a record.
#[must_use]
pub fn put(id: &str, body: &str) -> RecordWrite {
    tagged(id, body, &[])
}

/// The writing of a record that can be listed by tags.
#[must_use]
pub fn tagged(id: &str, body: &str, tags: &[&str]) -> RecordWrite {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    RecordWrite::Put { key: record_key(id), body: body.into(), tags }
}

/// The code of a refusal.
///
/// # Panics
/// Where it is none.
pub fn code(answer: Result<Outcome, Refused>) -> ErrorCode {
    match answer {
        Err(Refused::Problem(problem)) => problem.code,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

/// Checks that the events told of a tenant are numbered from 1 without a hole, and answers them by number.
///
/// # Panics
/// Where they are not.
#[must_use]
pub fn by_number(events: &[Event]) -> HashMap<u64, Event> {
    let expected: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(numbers(events), expected, "from 1 without a hole");
    events.iter().map(|event| (event.id.seq.0, event.clone())).collect()
}
