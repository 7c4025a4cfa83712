//! The audit log: who did what, when, from where; which streams were open, and how they ended.

use tidings_protocol::TenantId;
use tidings_protocol::time::Timestamp;

use super::{PortFuture, StorageError};

/// One row of the table `audit_logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Whose; `None` where no valid credential said so.
    pub tenant_id: Option<TenantId>,
    /// The user, or `key:<id>` of a service key; `None` where there is none.
    pub user_id: Option<String>,
    /// What happened: `cast.sse_connection_opened`.
    pub action: String,
    /// To what: a record's id, a channel, a key's id.
    pub resource_id: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`, without control characters, at most 512 bytes.
    pub user_agent: Option<String>,
    /// A JSON object.
    pub metadata: String,
    /// When. Written as RFC 3339 in UTC with milliseconds.
    pub created_at: Timestamp,
}

/// A row with its number, which grows with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedRow {
    /// Its number.
    pub id: i64,
    /// The row.
    pub row: AuditRow,
}

/// One entry for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEntry {
    /// A row by itself.
    Row(AuditRow),
    /// A stream was opened: a row, and a note that it is open.
    Opened {
        /// The stream's id.
        stream: String,
        /// The row.
        row: AuditRow,
        /// What the row of its end is to be called, should it have to be written without the stream.
        closed_action: String,
    },
    /// A stream was closed: a row, and the note goes.
    Closed {
        /// The stream's id.
        stream: String,
        /// The row.
        row: AuditRow,
    },
}

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of this user.
    pub user: Option<String>,
    /// With this action, or, where it ends in `*`, with an action that begins so.
    pub action: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// With a smaller number: the next page.
    pub before: Option<i64>,
    /// At most so many, at least 1.
    pub limit: usize,
}

/// The audit log. What is answered is durable.
///
/// Rows older than [`super::store::Policy::audit_age`] are removed some time later.
pub trait AuditLog: Send + Sync + 'static {
    /// Writes entries, all or none, in their order.
    fn write(&self, entries: Vec<AuditEntry>) -> PortFuture<'_, Result<(), StorageError>>;

    /// Rows, newest first.
    fn read<'a>(&'a self, query: &'a AuditQuery) -> PortFuture<'a, Result<Vec<NumberedRow>, StorageError>>;

    /// Closes every stream that is noted as open, as after a crash: a row each like that of its opening, with the action
    /// noted for its end and in the metadata, besides what the opening's had, `"reason":"server_crash"`, `duration` (ms
    /// from its opening to the last sign of life in the file: the latest event or audit row) and `messageCount: null`.
    /// Answers how many. Called once at a start, before anything is served.
    fn close_abandoned(&self) -> PortFuture<'_, Result<u64, StorageError>>;
}
