//! The AuditLog on a [`MemoryDisk`](super::MemoryDisk).

use tidings_core::port::audit::{AuditEntry, AuditQuery, AuditRow, NumberedRow};
use tidings_core::port::directory::DirectoryError;
use tidings_core::port::store::Policy;
use tidings_core::port::{AuditLog, PortFuture, StorageError};
use tidings_protocol::time::Timestamp;

use super::disk::Contents;
use super::store::MemoryStore;
use super::tenant::is_older;

/// The audit log, and which streams are open.
#[derive(Debug, Clone, Default)]
pub(super) struct AuditState {
    rows: Vec<NumberedRow>,
    last_id: i64,
    /// Of each open stream its id, the row of its opening, and the action of its end; oldest first.
    open: Vec<(String, AuditRow, String)>,
    /// The last sign of life that the present start found.
    found_alive: Timestamp,
}

impl AuditState {
    pub(super) fn push(&mut self, row: AuditRow) {
        self.last_id += 1;
        self.rows.push(NumberedRow { id: self.last_id, row });
    }

    /// Removes the rows that are too old.
    pub(super) fn trim(&mut self, now: Timestamp, policy: &Policy) {
        if !policy.audit_age.is_zero() {
            self.rows.retain(|numbered| !is_older(numbered.row.created_at, now, policy.audit_age));
        }
    }

    fn write(&mut self, entry: AuditEntry) {
        match entry {
            AuditEntry::Row(row) => self.push(row),
            AuditEntry::Opened { stream, row, closed_action } => {
                self.open.retain(|(other, ..)| *other != stream);
                self.open.push((stream, row.clone(), closed_action));
                self.push(row);
            }
            AuditEntry::Closed { stream, row } => {
                self.open.retain(|(other, ..)| *other != stream);
                self.push(row);
            }
        }
    }

    fn close_abandoned(&mut self, now: Timestamp) -> u64 {
        let open = std::mem::take(&mut self.open);
        let count = open.len() as u64;
        for (_, row, action) in open {
            let duration = self.found_alive.0.saturating_sub(row.created_at.0).max(0);
            let mut metadata: serde_json::Value = serde_json::from_str(&row.metadata).unwrap_or_default();
            metadata["reason"] = "server_crash".into();
            metadata["duration"] = duration.into();
            metadata["messageCount"] = serde_json::Value::Null;
            self.push(AuditRow { action, metadata: metadata.to_string(), created_at: now, ..row });
        }
        count
    }
}

impl Contents {
    /// Notes the last sign of life, as a start finds it.
    pub(super) fn found_alive(&mut self) {
        let events = self.tenants.values().map(|state| state.last_time);
        let rows = self.audit.rows.iter().map(|numbered| numbered.row.created_at);
        self.audit.found_alive = events.chain(rows).max().unwrap_or_default();
    }
}

fn is_wanted(query: &AuditQuery, numbered: &NumberedRow) -> bool {
    let row = &numbered.row;
    let of_action = |wanted: &String| match wanted.strip_suffix('*') {
        Some(prefix) => row.action.starts_with(prefix),
        None => row.action == *wanted,
    };
    query.tenant.as_ref().is_none_or(|tenant| row.tenant_id.as_ref() == Some(tenant))
        && query.user.as_ref().is_none_or(|user| row.user_id.as_ref() == Some(user))
        && query.action.as_ref().is_none_or(of_action)
        && query.since.is_none_or(|since| row.created_at >= since)
        && query.until.is_none_or(|until| row.created_at < until)
        && query.before.is_none_or(|before| numbered.id < before)
}

impl MemoryStore {
    fn with_audit<T>(&self, work: impl FnOnce(&mut AuditState) -> T) -> Result<T, StorageError> {
        self.with_contents(|contents| Ok(work(&mut contents.audit))).map_err(|error| match error {
            DirectoryError::Storage(why) => why,
            other => StorageError::Unavailable(other.to_string()),
        })
    }
}

impl AuditLog for MemoryStore {
    fn write(&self, entries: Vec<AuditEntry>) -> PortFuture<'_, Result<(), StorageError>> {
        let written = self.with_audit(|audit| entries.into_iter().for_each(|entry| audit.write(entry)));
        Box::pin(std::future::ready(written))
    }

    fn read<'a>(&'a self, query: &'a AuditQuery) -> PortFuture<'a, Result<Vec<NumberedRow>, StorageError>> {
        Box::pin(async move {
            self.with_audit(|audit| {
                let wanted = audit.rows.iter().rev().filter(|numbered| is_wanted(query, numbered));
                wanted.take(query.limit.max(1)).cloned().collect()
            })
        })
    }

    fn close_abandoned(&self) -> PortFuture<'_, Result<u64, StorageError>> {
        let now = self.clock.now();
        Box::pin(async move { self.with_audit(|audit| audit.close_abandoned(now)) })
    }
}
