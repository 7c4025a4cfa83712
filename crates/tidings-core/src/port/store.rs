//! Changing what is stored: one writer, group commit, a decision inside the transaction.

use std::fmt;
use std::time::Duration;

use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::{Cursor, Draft, Event, TenantId};

use super::audit::AuditRow;
use super::{PortFuture, StorageError};

/// How much is kept, and for how long. The same for every tenant of a server.
///
/// Carried out from time to time, not with each commit: until then more may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Events older than this are removed, as a prefix of the tenant's log: it ends before the first event that is not
    /// older, whatever follows. Zero keeps them.
    pub retention_age: Duration,
    /// Each channel keeps at most so many events, the latest. An event on several channels goes from each by itself, and
    /// altogether with the last. Zero keeps all.
    pub events_per_channel: u64,
    /// Each tenant may use so many new idempotency keys within 24 hours; zero sets no limit.
    pub idempotency_keys: u64,
    /// Each tenant keeps at most so many marks of trimmed channels (a channel and the last number removed from it); past
    /// that the oldest give way to the floor, which stands for all channels: what lies at or under it goes.
    pub trim_marks: u64,
    /// Rows of the audit log older than this are removed. Zero keeps them.
    pub audit_age: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retention_age: Duration::from_secs(7 * 24 * 3600),
            events_per_channel: 100_000,
            idempotency_keys: 5_000_000,
            trim_marks: 100_000,
            audit_age: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

/// No idempotency key younger than this is forgotten, and an ended channel stays ended at least so long.
pub const KEY_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// Names one record of an app: `("cast", "cast_123")`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// What kind of record, `[a-z_]{1,40}`.
    pub kind: String,
    /// Which one, at most 200 bytes.
    pub id: String,
}

/// A record as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: RecordKey,
    /// 1 at its creation, one more with each change.
    pub version: u64,
    /// Its state: JSON text.
    pub body: String,
    /// The log's head after the commit that last changed it: events up to here are contained in the state.
    pub at: Cursor,
    /// Its place among the tenant's records of its kind, in the order of their creation; kept for as long as it exists.
    pub place: u64,
}

/// A record, or that there is none, with the log's head read in the same snapshot: all events up to it are contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRead {
    /// The record.
    pub record: Option<Record>,
    /// The cursor for `Tidings-Cursor`.
    pub head: Cursor,
}

/// Which records of a kind are wanted: newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// What kind of record.
    pub kind: String,
    /// Those that carry this tag now; `None` for all of the kind.
    pub tag: Option<String>,
    /// Those with a smaller place: the next page.
    pub before: Option<u64>,
    /// At most so many, at least 1.
    pub limit: usize,
}

/// A page of records, with the log's head read in the same snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// Newest first.
    pub records: Vec<Record>,
    /// The cursor for `Tidings-Cursor`.
    pub head: Cursor,
}

/// A change of a record. The version is counted by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordWrite {
    /// Create or replace.
    Put {
        /// Which record.
        key: RecordKey,
        /// Its new state: JSON text.
        body: String,
        /// What it can be listed by from now on, in place of what it was listed by: at most 16, each at most 400 bytes,
        /// distinct.
        tags: Vec<String>,
    },
    /// Remove.
    Delete(RecordKey),
}

/// A value that is to enter the log at most once in a window; the latest wins. [`crate::throttle`] decides when.
///
/// It has no receipt, and its event's idempotency key is not looked at. Where its channel has ended it is refused like
/// an event; where the channel ends while it is held, neither its event nor its records enter.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What is throttled, e.g. `run:7:stage:2`; at most 400 bytes.
    pub stage: String,
    /// At most one event in so long.
    pub window: Duration,
    /// The event.
    pub event: Draft,
    /// Records that change when the event enters the log, in the same commit.
    pub records: Vec<RecordWrite>,
}

/// What a command changes, in the order of the members. All of it, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Stages whose held value is committed first, and whose window is forgotten.
    pub settle: Vec<String>,
    /// Records to write.
    pub records: Vec<RecordWrite>,
    /// Events to append, in order.
    pub events: Vec<Draft>,
    /// Values to throttle.
    pub hold: Vec<Hold>,
    /// Rows for the audit log, in the same commit.
    pub audit: Vec<AuditRow>,
    /// What the request is answered: kept with the command's idempotency keys, and given again to whoever repeats one.
    pub answer: Option<String>,
}

/// Makes repeats of a command one command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Within what the key is distinct, besides the tenant: principal and route, at most 400 bytes.
    pub scope: String,
    /// The key, at most 255 bytes.
    pub key: String,
    /// Tells one request from another under the same key.
    pub fingerprint: Fingerprint,
}

/// What a command decided.
pub type Decision = Result<Changes, Problem>;

/// Decides inside the transaction, from the records as they are: `None` where there is none. Pure; it may run again.
pub type Decide = Box<dyn Fn(&[Option<Record>]) -> Decision + Send + Sync>;

/// One change to one tenant.
#[derive(Debug)]
pub struct Command {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub action: Action,
}

/// What a command does.
pub enum Action {
    /// Appends events as they are.
    Publish(Vec<Draft>),
    /// Reads records, decides, writes.
    Decide {
        /// The records the decision needs, given to it in this order.
        reads: Vec<RecordKey>,
        /// The decision.
        decide: Decide,
        /// Keys under which the command is known once it is committed; looked up before anything else.
        idempotency: Vec<IdempotencyKey>,
    },
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(drafts) => write!(f, "Publish({} events)", drafts.len()),
            Self::Decide { reads, .. } => write!(f, "Decide({reads:?})"),
        }
    }
}

/// One event's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id; of a known idempotency key the id it had.
    pub id: Cursor,
    /// Whether the idempotency key was known.
    pub duplicate: bool,
}

/// What a committed command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// One receipt for each of the command's own events, in order. Settled and throttled ones are not among them, not
    /// even those that pass at once.
    pub receipts: Vec<Receipt>,
    /// The log's head after the command: the cursor for `Tidings-Cursor`.
    pub head: Cursor,
    /// [`Changes::answer`].
    pub answer: Option<String>,
    /// Whether a key of the command was known: nothing was done, and everything here, `head` too, is what it was at the
    /// first time; each receipt is marked as a duplicate.
    pub replayed: bool,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The command itself cannot be: ended channel, idempotency conflict or quota, or the decision's own refusal.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Events of one tenant that were committed, in order, numbers without a hole.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose.
    pub tenant: TenantId,
    /// What, at least one.
    pub events: Vec<Event>,
}

/// Is told of every commit that this node's writer made: durable, in order, before the commands are answered.
///
/// The commits of a start, which settles what was held, are told too. Called on the writer's own thread; it must not
/// block and must not call the store.
pub trait Commits: Send + Sync + 'static {
    /// These events are committed.
    fn committed(&self, batch: Batch);
}

/// The one writer of this node.
///
/// Promises: commands queue fairly between tenants, are committed in groups, and each stands or falls alone; numbers
/// are taken in the transaction; a command is answered only after its commit is durable. After a failed commit every
/// command gets [`StorageError::Failed`] until the next start.
///
/// Idempotency. A key belongs to the tenant and the event's `channel`. For each event with a key the key is looked up
/// first: known with the same fingerprint, the old receipt, and the event is left out while everything else of the
/// command is carried out; with another, `idempotency_conflict`, and the command changes nothing; twice in one command,
/// `idempotency_key_repeated`. Ended channels are looked at next, for the events that are new, and the quota last: past
/// it new keys get `idempotency_quota`. No key younger than 24 hours is forgotten, whatever retention does; an older one
/// is once its event has gone too, and may be before.
///
/// A decision's own keys ([`IdempotencyKey`]) are looked up before its records are read: if one is known with the same
/// fingerprint the command does nothing and gets the first one's outcome; with another, `idempotency_conflict`. Keys of
/// a command that was refused are not kept. They count to the same quota, and are kept for 24 hours at least.
///
/// Ends. A terminal event ends its own `channel` from the next event on, within a command too: a later event on it (as
/// `channel` or in `also`) gets `channel_ended`. The name stays taken after retention has removed the terminal event,
/// for 24 hours and for the retention age: the longer of the two at least, both together at most.
///
/// A held value ([`Hold`]) is durable before it is answered and invisible to reads; event and records follow in one
/// commit at the window's end, before the stage's next event ([`Changes::settle`]), or at the next start, which settles
/// every stage. A stage belongs to its tenant.
///
/// What has expired (keys, ended names) is dropped when retention is next carried out, or sooner.
pub trait Store: Send + Sync + 'static {
    /// Carries out a command.
    fn submit(&self, command: Command) -> PortFuture<'_, Result<Outcome, Refused>>;

    /// Reads a record.
    fn record<'a>(
        &'a self,
        tenant: &'a TenantId,
        key: &'a RecordKey,
    ) -> PortFuture<'a, Result<RecordRead, StorageError>>;

    /// Lists records of a kind, newest first. Cost: the rows that are given.
    fn records<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a RecordQuery,
    ) -> PortFuture<'a, Result<RecordPage, StorageError>>;

    /// Whether the store still writes; the reason where it does not.
    fn health(&self) -> Result<(), StorageError>;
}
