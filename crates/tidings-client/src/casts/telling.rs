//! What is told of a cast: a function for each kind of event, all of them `POST /api/casts/{id}/events`.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

use super::{Cast, CastStatus, Time};
use crate::exchange::Call;
use crate::publisher::attempts::insist;
use crate::publisher::{PublishError, Publisher, draw_key};

/// Longest id of a cast, in bytes.
const ID_BYTES: usize = 120;

/// What a cast is to become: what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CastState {
    /// Its owner; needed where the cast is not known yet.
    #[serde(skip)]
    pub user_id: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<CastStatus>,
    /// How far it is, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// What it does just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it began to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// What it cost, in cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_cents: Option<u64>,
    /// What it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_url: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The repository whose workflow carries it out, `owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The run of that workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_run_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Telling<'a, D: ?Sized> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a D>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    idempotency_key: String,
}

/// Each answers with the record as it is then.
impl Publisher {
    /// Tells that the cast has this status, an end as well as a beginning.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_status_change(
        &self,
        cast_id: &str,
        user_id: &str,
        status: CastStatus,
    ) -> Result<Cast, PublishError> {
        let state = CastState { status: Some(status), ..CastState::default() };
        self.tell(cast_id, "STATUS_CHANGED", Some(&state), Some(user_id)).await
    }

    /// Tells that the cast runs.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_started(
        &self,
        cast_id: &str,
        user_id: &str,
        started_at: impl Into<Time>,
    ) -> Result<Cast, PublishError> {
        let state = CastState { started_at: Some(started_at.into()), ..CastState::default() };
        self.tell(cast_id, "STARTED", Some(&state), Some(user_id)).await
    }

    /// Tells that the cast has succeeded: when, how long it took (to the millisecond; where it is not said, the server
    /// reckons from its start), and what it cost in cents.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_completed(
        &self,
        cast_id: &str,
        user_id: &str,
        finished_at: impl Into<Time>,
        duration: impl Into<Option<Duration>>,
        cost_cents: impl Into<Option<u64>>,
        artifact_url: Option<&str>,
    ) -> Result<Cast, PublishError> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let state = CastState {
            finished_at: Some(finished_at.into()),
            duration: duration.into().map(millis),
            cost_cents: cost_cents.into(),
            artifact_url: artifact_url.map(str::to_owned),
            ..CastState::default()
        };
        self.tell(cast_id, "COMPLETED", Some(&state), Some(user_id)).await
    }

    /// Tells that the cast has failed, and why.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_failed(
        &self,
        cast_id: &str,
        user_id: &str,
        error_message: &str,
    ) -> Result<Cast, PublishError> {
        let state = CastState { error_message: Some(error_message.to_owned()), ..CastState::default() };
        self.tell(cast_id, "FAILED", Some(&state), Some(user_id)).await
    }

    /// Tells how far the cast is, 0 to 100.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_progress(
        &self,
        cast_id: &str,
        user_id: &str,
        progress: f64,
        message: Option<&str>,
    ) -> Result<Cast, PublishError> {
        let message = message.map(str::to_owned);
        let state = CastState { progress: Some(progress), message, ..CastState::default() };
        self.tell(cast_id, "PROGRESS_UPDATE", Some(&state), Some(user_id)).await
    }

    /// Tells what the cast has made.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_artifact_ready(
        &self,
        cast_id: &str,
        user_id: &str,
        artifact_url: &str,
    ) -> Result<Cast, PublishError> {
        let state = CastState { artifact_url: Some(artifact_url.to_owned()), ..CastState::default() };
        self.tell(cast_id, "ARTIFACT_READY", Some(&state), Some(user_id)).await
    }

    /// Tells a state in one go; without one, what the server has stored, once more.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_update(
        &self,
        cast_id: &str,
        state: Option<CastState>,
    ) -> Result<Cast, PublishError> {
        let user_id = state.as_ref().and_then(|state| state.user_id.as_deref());
        self.tell(cast_id, "STATUS_CHANGED", state.as_ref(), user_id).await
    }

    /// Tells an event of any type. One of the six kinds does what it says; another is passed on and changes nothing.
    /// `user_id` is needed where the cast is not known yet.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_cast_event(
        &self,
        cast_id: &str,
        kind: &str,
        data: &(impl Serialize + Sync + ?Sized),
        user_id: Option<&str>,
    ) -> Result<Cast, PublishError> {
        self.tell(cast_id, kind, Some(data), user_id).await
    }

    async fn tell<D: Serialize + ?Sized>(
        &self,
        cast_id: &str,
        kind: &str,
        data: Option<&D>,
        user_id: Option<&str>,
    ) -> Result<Cast, PublishError> {
        check_id(cast_id)?;
        let telling = Telling { r#type: kind, data, user_id, idempotency_key: draw_key() };
        let body = serde_json::to_vec(&telling).map_err(|error| {
            let detail = format!("`data` cannot be written as JSON: {error}");
            PublishError::Refused(Problem::new(ErrorCode::InvalidBody, detail).at("/data").into())
        })?;
        let (sender, patience) = self.sender();
        let path = format!("/api/casts/{cast_id}/events");
        let call = Call { path, body: Bytes::from(body), shown: sender.shown.clone() };
        let answer = insist(&*sender.exchange, &call, patience).await?;
        serde_json::from_slice(&answer).map_err(|error| PublishError::Misunderstood(error.to_string()))
    }
}

/// What is no cast's id must not become part of a path.
fn check_id(id: &str) -> Result<(), PublishError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~@-".contains(&byte);
    if (1..=ID_BYTES).contains(&id.len())
        && id.bytes().all(is_allowed)
        && !matches!(id, "." | ".." | "events")
    {
        return Ok(());
    }
    let detail = "a cast's id is 1 to 120 of A-Z a-z 0-9 . _ ~ @ -, and not `events`";
    Err(PublishError::Refused(Problem::new(ErrorCode::InvalidParameter, detail).at("id").into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::testing::{Script, broken};

    const RECORD: &str = r#"{"id":"c1","userId":"u","status":"running","progress":null,"message":null,"startedAt":null,"finishedAt":null,"duration":null,"costCents":null,"artifactUrl":null,"errorMessage":null,"createdAt":"t","updatedAt":"t","version":1}"#;

    /// The bodies that were sent, without their keys.
    fn bodies(script: &Script) -> Vec<String> {
        let without_key = |(_, body): &(_, String)| {
            let (rest, key) = body.split_once(r#","idempotencyKey":"#).unwrap();
            assert_eq!(key.len(), 32 + 3, "{key}");
            format!("{rest}}}")
        };
        script.sent().iter().map(without_key).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_function_tells_its_kind() {
        let script = Script::of(vec![Ok(RECORD); 9]);
        let publisher = Publisher::scripted(&script);
        let p = &publisher;
        p.publish_cast_status_change("c1", "u", CastStatus::Queued).await.unwrap();
        p.publish_cast_started("c1", "u", "2026-11-21T10:00:00Z").await.unwrap();
        let took = Duration::from_millis(1500);
        p.publish_cast_completed("c1", "u", "2026-11-21T10:00:00Z", took, 7, Some("https://a/b"))
            .await
            .unwrap();
        p.publish_cast_failed("c1", "u", "out of memory").await.unwrap();
        p.publish_cast_progress("c1", "u", 12.5, Some("m")).await.unwrap();
        p.publish_cast_artifact_ready("c1", "u", "https://a/b").await.unwrap();
        p.publish_cast_update("c1", None).await.unwrap();
        let user_id = Some("u".to_owned());
        let state = CastState { user_id, status: Some(CastStatus::Cancelled), ..CastState::default() };
        p.publish_cast_update("c1", Some(state)).await.unwrap();
        let cast = p.publish_cast_event("c1", "note", &[1], None).await.unwrap();
        assert_eq!((cast.status, cast.version), (CastStatus::Running, 1));
        assert_eq!(
            bodies(&script),
            [
                r#"{"type":"STATUS_CHANGED","data":{"status":"queued"},"userId":"u"}"#,
                r#"{"type":"STARTED","data":{"startedAt":"2026-11-21T10:00:00Z"},"userId":"u"}"#,
                r#"{"type":"COMPLETED","data":{"finishedAt":"2026-11-21T10:00:00Z","duration":1500,"costCents":7,"artifactUrl":"https://a/b"},"userId":"u"}"#,
                r#"{"type":"FAILED","data":{"errorMessage":"out of memory"},"userId":"u"}"#,
                r#"{"type":"PROGRESS_UPDATE","data":{"progress":12.5,"message":"m"},"userId":"u"}"#,
                r#"{"type":"ARTIFACT_READY","data":{"artifactUrl":"https://a/b"},"userId":"u"}"#,
                r#"{"type":"STATUS_CHANGED"}"#,
                r#"{"type":"STATUS_CHANGED","data":{"status":"cancelled"},"userId":"u"}"#,
                r#"{"type":"note","data":[1]}"#,
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_share_a_key_and_calls_do_not() {
        let script = Script::of(vec![Err(broken()), Ok(RECORD), Ok(RECORD)]);
        let publisher = Publisher::scripted(&script);
        publisher.publish_cast_update("c1", None).await.unwrap();
        publisher.publish_cast_update("c1", None).await.unwrap();
        let bodies: Vec<String> = script.sent().into_iter().map(|(_, body)| body).collect();
        assert!(bodies[0] == bodies[1] && bodies[1] != bodies[2]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_id_is_not_asked_for() {
        let script = Script::of(vec![Ok(RECORD)]);
        let publisher = Publisher::scripted(&script);
        for bad in ["", "a/b", "..", "events", "a?b", "é"] {
            let error = publisher.publish_cast_update(bad, None).await.unwrap_err();
            assert_eq!(error.code(), Some("invalid_parameter"), "{bad:?}");
        }
        assert!(publisher.publish_cast_update("c~1@x", None).await.is_ok());
        assert_eq!(script.sent().len(), 1);
    }
}
