//! What is told of a step: the events, the rows for the audit log, and what the store is to write.

use serde_json::json;
use serde_json::value::RawValue;
use tidings_core::port::audit::AuditRow;
use tidings_core::port::store::Changes;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Draft, EventType};

use super::cast::Cast;
use super::command::Change;
use super::decide::Decided;
use super::id::casts_of;
use super::kind::{Kind, PROGRESS_KEY};
use super::status::Status;
use crate::author::Author;

/// The audit log's word for a change of status.
pub(super) const STATUS_CHANGED: &str = "cast.status_changed";

/// Gathers what a decision tells.
pub(super) struct Teller<'a> {
    author: &'a Author,
    mutation_id: Option<Box<str>>,
    now: Timestamp,
    events: Vec<Draft>,
    audit: Vec<AuditRow>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(author: &'a Author, mutation_id: Option<&str>, now: Timestamp) -> Self {
        let mutation_id = mutation_id.map(Into::into);
        Self { author, mutation_id, now, events: Vec::new(), audit: Vec::new() }
    }

    /// Tells of a cast by one of the six kinds.
    pub(super) fn tell(&mut self, cast: &Cast, kind: Kind) -> Result<(), Problem> {
        let draft = self.draft(cast, kind.event_type()?, kind.data(cast, self.now))?;
        let key = (kind == Kind::ProgressUpdate).then(|| PROGRESS_KEY.into());
        self.events.push(Draft { key, terminal: kind.ends(cast.status), ..draft });
        Ok(())
    }

    /// Passes a backend's own event on.
    pub(super) fn relay(&mut self, cast: &Cast, kind: &EventType, data: &RawValue) -> Result<(), Problem> {
        let draft = self.draft(cast, kind.clone(), data.to_owned())?;
        self.events.push(draft);
        Ok(())
    }

    fn draft(&self, cast: &Cast, kind: EventType, data: Box<RawValue>) -> Result<Draft, Problem> {
        Ok(Draft {
            channel: cast.id.channel().clone(),
            also: Box::new([casts_of(&cast.user)?]),
            kind,
            category: None,
            key: None,
            actor: self.author.actor.clone(),
            version: Some(cast.version),
            mutation_id: self.mutation_id.clone(),
            terminal: false,
            data,
            // A repeat is known by the command's own key: an event's alone would let the record change twice.
            idempotency_key: None,
        })
    }

    /// Notes a change of status for the audit log.
    pub(super) fn note(&mut self, from: Option<Status>, cast: &Cast) {
        let metadata = json!({
            "from": from.map(Status::name),
            "to": cast.status.name(),
            "version": cast.version,
            "by": self.author.standing.name(),
        });
        self.audit.push(self.author.audit(STATUS_CHANGED, cast.id.as_str(), &metadata, self.now));
    }

    /// What comes of a step from `stored` to `cast`: nothing is written where nothing has changed.
    pub(super) fn decided(self, stored: Option<&Cast>, cast: Cast) -> Decided {
        let is_changed = stored != Some(&cast);
        let changes = Changes {
            records: if is_changed { vec![cast.to_write()] } else { Vec::new() },
            events: self.events,
            audit: self.audit,
            answer: Some(cast.to_raw().get().to_owned()),
            ..Changes::default()
        };
        Decided { cast, changes }
    }
}

/// By which kinds a step is told that led to `next`, in order: what ends a cast goes last.
pub(super) fn kinds(change: &Change, next: &Cast) -> Vec<Kind> {
    let fields = &change.fields;
    let tells_progress = (fields.progress.is_some() || fields.message.is_some()) && next.progress.is_some();
    // `COMPLETED` has the artifact itself.
    let tells_artifact = fields.artifact_url.is_some() && next.status != Status::Succeeded;
    let has_others = fields.started_at.is_some()
        || fields.finished_at.is_some()
        || fields.duration.is_some()
        || fields.cost_cents.is_some()
        || fields.error_message.is_some()
        || fields.repository.is_some()
        || fields.workflow_run_id.is_some();
    let tells_status = change.status.is_some() || has_others || !(tells_progress || tells_artifact);
    let status = match next.status {
        Status::Running if change.is_start => Kind::Started,
        status => Kind::of_status(status),
    };
    let mut kinds = Vec::with_capacity(3);
    kinds.extend(tells_progress.then_some(Kind::ProgressUpdate));
    kinds.extend(tells_artifact.then_some(Kind::ArtifactReady));
    if tells_status {
        let at = if next.status.is_terminal() { kinds.len() } else { 0 };
        kinds.insert(at, status);
    }
    kinds
}
