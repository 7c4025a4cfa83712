//! The HTTP interface of the program. What workers and users do to casts goes through here, and Tidings is told of it.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tidings_client::casts::Time;
use tidings_client::{CastStatus, Publisher};

use crate::store::{Cast, NotChanged, Store};
use crate::telling::{Untold, tell};

/// What every request has at hand.
#[derive(Debug, Clone)]
struct Shared {
    store: Arc<Store>,
    publisher: Publisher,
}

/// The program, with its store.
pub fn app(store: Arc<Store>, publisher: Publisher) -> Router {
    Router::new()
        .route("/casts", post(create))
        .route("/casts/{id}", get(read))
        .route("/casts/{id}/start", post(start))
        .route("/casts/{id}/progress", post(progress))
        .route("/casts/{id}/complete", post(complete))
        .route("/casts/{id}/fail", post(fail))
        .with_state(Shared { store, publisher })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    // A real program takes the user from its session, not from the request.
    user_id: String,
    spell: String,
}

async fn create(State(shared): State<Shared>, Json(new): Json<New>) -> Result<Response, Refused> {
    let Shared { store, publisher } = &shared;
    let cast = store.create(new.user_id, new.spell).await.map_err(NotChanged::Failed)?;
    tell(store, &cast, publisher.publish_cast_status_change(&cast.id, &cast.user_id, cast.status)).await?;
    Ok((StatusCode::CREATED, answer(store, &cast.id).await?).into_response())
}

async fn read(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Cast>, Refused> {
    answer(&shared.store, &id).await
}

async fn start(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Cast>, Refused> {
    let Shared { store, publisher } = &shared;
    let started_at = now();
    let change = |cast: &mut Cast| {
        cast.status = CastStatus::Running;
        cast.started_at = Some(started_at.to_string());
    };
    let cast = store.change(&id, change).await?;
    tell(store, &cast, publisher.publish_cast_started(&id, &cast.user_id, started_at.clone())).await?;
    answer(store, &id).await
}

#[derive(Deserialize)]
struct Progress {
    progress: f64,
    message: Option<String>,
}

/// Progress is told and not stored: the next one makes up for one that is lost.
async fn progress(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(Progress { progress, message }): Json<Progress>,
) -> Result<Json<Cast>, Refused> {
    let cast = shared.store.find(&id).await.ok_or(NotChanged::Missing)?;
    let told = shared.publisher.publish_cast_progress(&id, &cast.user_id, progress, message.as_deref());
    told.await.map_err(Untold::Refused)?;
    Ok(Json(cast))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    cost_cents: Option<u64>,
    artifact_url: Option<String>,
}

async fn complete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(outcome): Json<Outcome>,
) -> Result<Json<Cast>, Refused> {
    let Shared { store, publisher } = &shared;
    let finished_at = now();
    let Outcome { cost_cents, artifact_url } = outcome;
    let change = |cast: &mut Cast| {
        cast.status = CastStatus::Succeeded;
        cast.finished_at = Some(finished_at.to_string());
        (cast.cost_cents, cast.artifact_url) = (cost_cents, artifact_url.clone());
    };
    let cast = store.change(&id, change).await?;
    let (user, url) = (&cast.user_id, artifact_url.as_deref());
    // How long it took, Tidings reckons from its start.
    let telling = publisher.publish_cast_completed(&id, user, finished_at.clone(), None, cost_cents, url);
    tell(store, &cast, telling).await?;
    answer(store, &id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    error_message: String,
}

async fn fail(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(Failure { error_message }): Json<Failure>,
) -> Result<Json<Cast>, Refused> {
    let Shared { store, publisher } = &shared;
    let change = |cast: &mut Cast| {
        cast.status = CastStatus::Failed;
        cast.finished_at = Some(now().to_string());
        cast.error_message = Some(error_message.clone());
    };
    let cast = store.change(&id, change).await?;
    tell(store, &cast, publisher.publish_cast_failed(&id, &cast.user_id, &error_message)).await?;
    answer(store, &id).await
}

async fn answer(store: &Store, id: &str) -> Result<Json<Cast>, Refused> {
    Ok(Json(store.find(id).await.ok_or(NotChanged::Missing)?))
}

#[allow(clippy::disallowed_methods, reason = "what happens here happens now")]
fn now() -> Time {
    SystemTime::now().into()
}

/// A request that did not do what it was to do.
struct Refused(StatusCode, String);

impl From<NotChanged> for Refused {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::Missing => Self(StatusCode::NOT_FOUND, "there is no such cast".to_owned()),
            NotChanged::Ended => Self(StatusCode::CONFLICT, "the cast has ended".to_owned()),
            NotChanged::Failed(error) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<Untold> for Refused {
    /// The change is stored; Tidings hears of it at the next start, or with the next change.
    fn from(why: Untold) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}
