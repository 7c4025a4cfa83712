//! A cast as the server shows it.

use serde::{Deserialize, Serialize};

/// Where a cast stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CastStatus {
    /// It waits.
    Queued,
    /// It is at work.
    Running,
    /// It has made what it was to make.
    Succeeded,
    /// It has not.
    Failed,
    /// It was called off.
    Cancelled,
}

impl CastStatus {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A cast. What is not known is `None`. Times are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cast {
    /// Its name.
    pub id: String,
    /// Its owner.
    pub user_id: String,
    /// Where it stands.
    pub status: CastStatus,
    /// How far it is, 0 to 100.
    pub progress: Option<f64>,
    /// What it does just now.
    pub message: Option<String>,
    /// When it began to run.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How long it took, in milliseconds.
    pub duration: Option<u64>,
    /// What it cost, in cents.
    pub cost_cents: Option<u64>,
    /// What it made.
    pub artifact_url: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// The repository whose workflow carries it out, `owner/name`.
    pub repository: Option<String>,
    /// The run of that workflow.
    pub workflow_run_id: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// 1 at its creation, one more with each change.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read() {
        let cast: Cast = serde_json::from_str(
            r#"{"id":"c1","userId":"shop|42","status":"succeeded","progress":50,"message":null,"startedAt":"2026-11-21T10:00:00.000Z","finishedAt":"2026-11-21T10:01:00.000Z","duration":60000,"costCents":250,"artifactUrl":null,"errorMessage":null,"createdAt":"2026-11-21T10:00:00.000Z","updatedAt":"2026-11-21T10:01:00.000Z","version":3}"#,
        )
        .unwrap();
        assert_eq!(
            (cast.status, cast.duration, cast.progress),
            (CastStatus::Succeeded, Some(60_000), Some(50.0))
        );
        assert!(cast.status.is_end() && !CastStatus::Running.is_end());
        assert_eq!(cast.workflow_run_id, None);
    }
}
