//! The audit log's queue: what happens becomes rows, and the rows are written in batches.
//!
//! Owns: the words of the rows, the queue, and how refusals are counted together. Leaves out: the table, and how long it
//! is kept ([`tidings_core::port::AuditLog`]).
//!
//! Invariants: nothing is dropped. While more rows wait than `audit.queue`, new streams wait for room, and are refused
//! after `audit.wait`; deliveries never wait. What is added without waiting is bounded by itself: the end of a stream
//! that was let in, and refusals, which are one row at once and then one a minute for each cause and whoever it was.

mod refusals;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, header};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tidings_core::Principal;
use tidings_core::port::AuditLog;
use tidings_core::port::audit::{AuditEntry, AuditRow};
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{EndReason, ErrorCode, TenantId};
use tokio::sync::Notify;

use crate::clock::wall_time;
use crate::config::AuditConfig;
use crate::peer::Peer;
use crate::problem::{Answer, Refusal};

use refusals::Refusals;

/// Most bytes of a `User-Agent`, and of what a request asks for, that are kept.
const TEXT_BYTES: usize = 512;
/// Most rows written at once.
const BATCH: usize = 1_000;
/// How long rows are gathered, and how long a write that failed is not tried again.
const GATHER: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(500);
/// How often refusals that were counted together are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Who a request was found to come from.
#[derive(Debug, Clone)]
struct Who {
    tenant: TenantId,
    name: Box<str>,
}

#[derive(Debug)]
struct Asked {
    prefix: &'static str,
    resource: Option<Box<str>>,
    address: IpAddr,
    user_agent: Option<Box<str>>,
    who: OnceLock<Who>,
}

/// What a request asks for, and what is known of whoever asks: all that its rows say. Cheap to clone.
#[derive(Debug, Clone)]
pub struct About(Arc<Asked>);

impl About {
    /// A request: `prefix` stands before the action (`cast.sse`), `resource` is what it is about.
    #[must_use]
    pub fn new(prefix: &'static str, resource: Option<String>, headers: &HeaderMap, peer: Peer) -> Self {
        let user_agent = headers.get(header::USER_AGENT).map(|value| printable(value.as_bytes()));
        let resource = resource.map(|resource| printable(resource.as_bytes()));
        Self(Arc::new(Asked { prefix, resource, address: peer.0, user_agent, who: OnceLock::new() }))
    }

    /// Notes who it was found to be.
    pub fn is_by(&self, principal: &Principal) {
        let name = principal.audit_name().into();
        // The first answer stays: a request has one credential.
        let _ = self.0.who.set(Who { tenant: principal.tenant.clone(), name });
    }

    /// Where the request comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// A row of this request; `metadata` is an object.
    #[must_use]
    pub fn row(&self, action: String, metadata: &Value, at: Timestamp) -> AuditRow {
        let who = self.0.who.get();
        AuditRow {
            tenant_id: who.map(|who| who.tenant.clone()),
            user_id: who.map(|who| who.name.to_string()),
            action,
            resource_id: self.0.resource.as_deref().map(str::to_owned),
            ip_address: Some(self.0.address.to_canonical().to_string()),
            user_agent: self.0.user_agent.as_deref().map(str::to_owned),
            metadata: metadata.to_string(),
            created_at: at,
        }
    }

    /// Says in the log that a stream was opened.
    pub(crate) fn log_opened(&self) {
        let resource = self.0.resource.as_deref().unwrap_or("nothing yet");
        match self.0.prefix {
            "cast.sse" if self.0.resource.is_none() => {
                tracing::info!("[SSE] Connected to all of a user's casts")
            }
            "cast.sse" => tracing::info!("[SSE] Connected to cast {resource}"),
            prefix => tracing::info!("[{prefix}] Connected to {resource}"),
        }
    }

    /// Says in the log that a stream ended by its lifetime.
    pub(crate) fn log_end(&self, reason: EndReason) {
        if reason == EndReason::Lifetime {
            let resource = self.0.resource.as_deref().unwrap_or("nothing");
            match self.0.prefix {
                "cast.sse" => tracing::info!("[SSE] Connection timeout for cast {resource}"),
                prefix => tracing::info!("[{prefix}] Connection timeout for {resource}"),
            }
        }
    }

    fn action(&self, what: &str) -> String {
        format!("{}_connection_{what}", self.0.prefix)
    }
}

/// Text for a row: no control characters, so that nobody writes lines of their own into an export.
fn printable(bytes: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > TEXT_BYTES {
            break;
        }
        kept.push(c);
    }
    kept.into()
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<AuditEntry>,
    refusals: Refusals,
    /// Rows taken by the writer and not written yet.
    in_hand: usize,
    is_closing: bool,
}

/// The queue of one server.
#[derive(Debug)]
pub struct Audit {
    queue: Mutex<Queue>,
    /// Told when there is something to write.
    work: Notify,
    /// Told when there is room again.
    room: Notify,
    limit: usize,
    wait: Duration,
}

impl Audit {
    /// An empty queue.
    #[must_use]
    pub fn new(config: &AuditConfig) -> Self {
        Self {
            queue: Mutex::default(),
            work: Notify::new(),
            room: Notify::new(),
            limit: config.queue.max(1),
            wait: config.wait,
        }
    }

    /// How many rows wait.
    #[must_use]
    pub fn len(&self) -> usize {
        let queue = self.queue.lock();
        queue.waiting.len() + queue.in_hand
    }

    /// Whether no row waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there is room.
    ///
    /// # Errors
    /// `capacity` where there is none in time.
    async fn has_room(&self) -> Answer<()> {
        let waiting = async {
            loop {
                let told = self.room.notified();
                if self.len() < self.limit {
                    return;
                }
                told.await;
            }
        };
        tokio::time::timeout(self.wait, waiting).await.map_err(|_| {
            tracing::error!("the audit log is not written fast enough, or at all: a request is refused");
            let why = "the audit log cannot be written fast enough; try again";
            Refusal(Problem::new(ErrorCode::Capacity, why).retry_after(1))
        })
    }

    fn push(&self, entry: AuditEntry) {
        self.queue.lock().waiting.push_back(entry);
        self.work.notify_one();
    }

    /// Writes a row, once there is room for it.
    ///
    /// # Errors
    /// `capacity` where there is none.
    pub async fn note(&self, row: AuditRow) -> Answer<()> {
        self.has_room().await?;
        self.push(AuditEntry::Row(row));
        Ok(())
    }

    /// A stream is about to be opened.
    ///
    /// # Errors
    /// `capacity`: it must not be.
    pub async fn opened(&self, stream: &str, about: &About) -> Answer<()> {
        self.has_room().await?;
        let row = about.row(about.action("opened"), &json!({ "streamId": stream }), wall_time());
        let closed_action = about.action("closed");
        self.push(AuditEntry::Opened { stream: stream.to_owned(), row, closed_action });
        Ok(())
    }

    /// A stream that was noted as opened has ended.
    pub fn closed(&self, stream: &str, about: &About, open_for: Duration, messages: u64, reason: EndReason) {
        let reason = match reason {
            EndReason::Lifetime => EndReason::Timeout,
            other => other,
        };
        let metadata = json!({
            "streamId": stream,
            "duration": u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX),
            "messageCount": messages,
            "reason": reason.name(),
        });
        let row = about.row(about.action("closed"), &metadata, wall_time());
        self.push(AuditEntry::Closed { stream: stream.to_owned(), row });
    }

    /// Passes an outcome on; a refusal of what opens a stream is noted.
    pub fn watch<T>(&self, about: &About, outcome: Answer<T>) -> Answer<T> {
        if let Err(Refusal(problem)) = &outcome {
            self.refused(about, about.action("failed"), problem.code, &Map::new());
        }
        outcome
    }

    /// Notes a refusal: the first of a cause and whoever it was at once, further ones within the minute together.
    pub fn refused(&self, about: &About, action: String, cause: ErrorCode, more: &Map<String, Value>) {
        let mut metadata = more.clone();
        metadata.insert("code".to_owned(), cause.name().into());
        let row = about.row(action, &Value::Object(metadata), wall_time());
        let who = row.user_id.clone().or_else(|| row.ip_address.clone()).unwrap_or_default();
        let mut queue = self.queue.lock();
        if let Some(row) = queue.refusals.note(cause, who, row) {
            queue.waiting.push_back(AuditEntry::Row(row));
            drop(queue);
            self.work.notify_one();
        }
    }

    /// Writes what comes into `log`, until [`Self::close`] and everything is written.
    pub async fn run(&self, log: Arc<dyn AuditLog>) {
        loop {
            let _ = tokio::time::timeout(TICK, self.work.notified()).await;
            tokio::time::sleep(GATHER).await;
            while let Some(batch) = self.take() {
                self.write(&*log, batch).await;
            }
            if self.queue.lock().is_closing && self.is_empty() {
                return;
            }
        }
    }

    fn take(&self) -> Option<Vec<AuditEntry>> {
        let mut queue = self.queue.lock();
        let is_closing = queue.is_closing;
        let due = queue.refusals.due(wall_time(), is_closing);
        queue.waiting.extend(due.into_iter().map(AuditEntry::Row));
        let count = queue.waiting.len().min(BATCH);
        queue.in_hand = count;
        (count > 0).then(|| queue.waiting.drain(..count).collect())
    }

    async fn write(&self, log: &dyn AuditLog, batch: Vec<AuditEntry>) {
        while let Err(error) = log.write(batch.clone()).await {
            tracing::error!(%error, rows = batch.len(), "the audit log cannot be written; trying again");
            if self.queue.lock().is_closing {
                // The process ends: what could not be written is said, row by row, where operators look.
                batch.iter().for_each(|entry| tracing::error!(?entry, "an audit row was not written"));
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.queue.lock().in_hand = 0;
        self.room.notify_waiters();
    }

    /// Nothing more comes: [`Self::run`] ends once everything is written.
    pub fn close(&self) {
        self.queue.lock().is_closing = true;
        self.work.notify_one();
    }
}

#[cfg(test)]
mod tests;
