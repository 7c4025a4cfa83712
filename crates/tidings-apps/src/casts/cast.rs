//! The record of a cast: as it is stored, as it is shown, and what it can be listed by.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_core::port::store::{Record, RecordWrite};
use tidings_core::port::users::UserId;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use super::fields::{Fields, Progress, Repository, RunId};
use super::id::CastId;
use super::status::Status;
use crate::members::Members;

/// A cast. The limits of its fields are those of [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// Its name.
    pub id: CastId,
    /// Its owner; for good.
    pub user: UserId,
    /// Where it stands.
    pub status: Status,
    /// How far it is.
    pub progress: Option<Progress>,
    /// What it does just now.
    pub message: Option<String>,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration: Option<u64>,
    /// What it cost, in cents.
    pub cost_cents: Option<u64>,
    /// What it made.
    pub artifact_url: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// The repository whose workflow carries it out.
    pub repository: Option<Repository>,
    /// The run of that workflow.
    pub workflow_run_id: Option<RunId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// 1 at its creation, one more with each change; counted by the store and not part of what it keeps.
    pub version: u64,
}

/// The members in their order. Those from `repository` on are left out while they are not set, the others are `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    user_id: &'a str,
    status: &'static str,
    progress: Option<Progress>,
    message: Option<&'a str>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    duration: Option<u64>,
    cost_cents: Option<u64>,
    artifact_url: Option<&'a str>,
    error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_run_id: Option<&'a str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

impl Cast {
    /// A queued cast that is not stored yet.
    #[must_use]
    pub const fn new(id: CastId, user: UserId, now: Timestamp) -> Self {
        Self {
            id,
            user,
            status: Status::Queued,
            progress: None,
            message: None,
            started_at: None,
            finished_at: None,
            duration: None,
            cost_cents: None,
            artifact_url: None,
            error_message: None,
            repository: None,
            workflow_run_id: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Reads a stored record.
    ///
    /// # Errors
    /// `internal` where it is not a cast of this program's making.
    pub fn from_record(record: &Record) -> Result<Self, Problem> {
        let read = || {
            let body = Members::parse(record.body.as_bytes(), "").ok()?;
            let fields = Fields::parse(&body).ok()?;
            let new = Self::new(CastId::new(&record.key.id)?, body.user("userId").ok()??, Timestamp(0));
            let cast = Self {
                status: Status::parse(body.get("status")?.as_str()?)?,
                created_at: body.instant("createdAt").ok()??,
                updated_at: body.instant("updatedAt").ok()??,
                version: record.version,
                ..new
            };
            Some(cast.with(&fields))
        };
        read().ok_or_else(|| Problem::of(ErrorCode::Internal))
    }

    /// The cast with what is to be set; status, times and version stay.
    #[must_use]
    pub fn with(self, fields: &Fields) -> Self {
        let Fields { progress, message, started_at, finished_at, duration, .. } = fields.clone();
        let Fields { cost_cents, artifact_url, error_message, repository, workflow_run_id, .. } =
            fields.clone();
        Self {
            progress: progress.or(self.progress),
            message: message.or(self.message),
            started_at: started_at.or(self.started_at),
            finished_at: finished_at.or(self.finished_at),
            duration: duration.or(self.duration),
            cost_cents: cost_cents.or(self.cost_cents),
            artifact_url: artifact_url.or(self.artifact_url),
            error_message: error_message.or(self.error_message),
            repository: repository.or(self.repository),
            workflow_run_id: workflow_run_id.or(self.workflow_run_id),
            ..self
        }
    }

    fn shown(&self, version: Option<u64>) -> Shown<'_> {
        Shown {
            id: self.id.as_str(),
            user_id: self.user.as_str(),
            status: self.status.name(),
            progress: self.progress,
            message: self.message.as_deref(),
            started_at: self.started_at,
            finished_at: self.finished_at,
            duration: self.duration,
            cost_cents: self.cost_cents,
            artifact_url: self.artifact_url.as_deref(),
            error_message: self.error_message.as_deref(),
            repository: self.repository.as_ref().map(Repository::as_str),
            workflow_run_id: self.workflow_run_id.as_ref().map(RunId::as_str),
            created_at: self.created_at,
            updated_at: self.updated_at,
            version,
        }
    }

    /// The record as clients see it.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        // Texts, numbers and nothing else: this cannot fail.
        serde_json::value::to_raw_value(&self.shown(Some(self.version))).unwrap_or_default()
    }

    /// What the store is to keep.
    #[must_use]
    pub fn to_write(&self) -> RecordWrite {
        let body = serde_json::value::to_raw_value(&self.shown(None)).unwrap_or_default();
        RecordWrite::Put { key: self.id.key(), body: body.get().to_owned(), tags: self.tags() }
    }

    /// What it can be listed by; at most five, each under 400 bytes.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let mut tags = vec![
            owner_tag(&self.user),
            status_tag(self.status),
            owner_and_status_tag(&self.user, self.status),
        ];
        tags.extend(self.workflow_run_id.as_ref().map(run_tag));
        tags.extend(self.repository.as_ref().map(repository_tag));
        tags
    }
}

/// The tag of a user's casts.
#[must_use]
pub fn owner_tag(user: &UserId) -> String {
    format!("owner:{user}")
}

/// The tag of casts with a status.
#[must_use]
pub fn status_tag(status: Status) -> String {
    format!("status:{status}")
}

/// The tag of a user's casts with a status. The status goes first: a user's id may have any characters, so that after
/// `owner:` it could be taken for another user's with a status.
#[must_use]
pub fn owner_and_status_tag(user: &UserId, status: Status) -> String {
    format!("status:{status}/owner:{user}")
}

/// The tag of the casts that a workflow's run carries out.
#[must_use]
pub fn run_tag(run: &RunId) -> String {
    format!("run:{}", run.as_str())
}

/// The tag of a repository's casts, in lower case.
#[must_use]
pub fn repository_tag(repository: &Repository) -> String {
    format!("repository:{}", repository.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_protocol::{Cursor, Lineage, Seq};

    fn user(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    fn full() -> Cast {
        let cast = Cast::new(CastId::new("cast_1").unwrap(), user("usr_1"), Timestamp(0));
        let fields = Fields {
            progress: Progress::new(12.5),
            message: Some("a\n\"b\"".into()),
            started_at: Some(Timestamp(1)),
            finished_at: Some(Timestamp(2)),
            duration: Some(1),
            cost_cents: Some(250),
            artifact_url: Some("https://x.example/a".into()),
            error_message: Some("e".into()),
            repository: Repository::new("Octo/Repo"),
            workflow_run_id: RunId::new("289782451"),
        };
        Cast { status: Status::Failed, version: 7, updated_at: Timestamp(3), ..cast.with(&fields) }
    }

    fn stored(cast: &Cast) -> Record {
        let RecordWrite::Put { key, body, .. } = cast.to_write() else { panic!("a put") };
        let at = Cursor::new(Seq(1), Lineage::from_bits(1));
        Record { key, version: cast.version, body, at, place: 1 }
    }

    #[test]
    fn a_new_cast_shows_null_for_what_is_not_set() {
        let cast = Cast::new(CastId::new("cast_1").unwrap(), user("usr_1"), Timestamp(0));
        let expected = r#"{"id":"cast_1","userId":"usr_1","status":"queued","progress":null,"message":null,"startedAt":null,"finishedAt":null,"duration":null,"costCents":null,"artifactUrl":null,"errorMessage":null,"createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.000Z","version":1}"#;
        assert_eq!(cast.to_raw().get(), expected);
    }

    #[test]
    fn what_is_stored_reads_back_and_leaves_the_version_to_the_store() {
        for cast in [full(), Cast::new(CastId::new("c").unwrap(), user("acme|ü"), Timestamp(5))] {
            let record = stored(&cast);
            assert!(!record.body.contains("version"));
            assert_eq!(Cast::from_record(&record), Ok(cast));
        }
        let foreign = Record { body: "{}".into(), ..stored(&full()) };
        assert_eq!(Cast::from_record(&foreign).unwrap_err().code, ErrorCode::Internal);
    }

    #[test]
    fn tags_are_distinct_and_fit_the_store() {
        let cast = Cast { user: user(&"ü".repeat(150)), ..full() };
        let tags = cast.tags();
        assert_eq!(tags.len(), 5);
        assert!(tags.iter().all(|tag| tag.len() <= 400));
        assert_eq!(tags[3..], ["run:289782451", "repository:octo/repo"]);
    }

    #[test]
    fn no_users_id_makes_another_users_tag() {
        let sly = user("usr_1/status:failed");
        assert_ne!(owner_tag(&sly), owner_and_status_tag(&user("usr_1"), Status::Failed));
        assert!(!full().tags().contains(&owner_tag(&sly)));
    }
}
