//! Telling Tidings, so that no change stays untold.
//!
//! The change and the telling are two steps in two systems. So a change is stored as untold, then told, then marked as
//! told; what a crash leaves untold is told at the next start.

use std::io;

use tidings_client::casts::CastState;
use tidings_client::{PublishError, Publisher};

use crate::store::{Cast, Store};

/// Why something is still untold.
#[derive(Debug)]
pub enum Untold {
    Refused(PublishError),
    NotMarked(io::Error),
}

impl std::fmt::Display for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::NotMarked(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Untold {}

/// Tells of a change that is stored, by one of the publisher's functions.
///
/// # Errors
/// [`Untold`]: it is told at the next start.
pub async fn tell(
    store: &Store,
    cast: &Cast,
    telling: impl Future<Output = Result<tidings_client::Cast, PublishError>>,
) -> Result<(), Untold> {
    telling.await.map_err(Untold::Refused)?;
    store.mark_told(cast).await.map_err(Untold::NotMarked)
}

/// Tells of everything that is untold: at the start. How many that were.
///
/// # Errors
/// [`Untold`]
pub async fn tell_the_rest(store: &Store, publisher: &Publisher) -> Result<usize, Untold> {
    let untold = store.untold().await;
    for cast in &untold {
        match publisher.publish_cast_update(&cast.id, Some(state(cast))).await {
            // Its end was told; only the mark is missing.
            Err(error) if error.code() == Some("illegal_transition") => {}
            told => drop(told.map_err(Untold::Refused)?),
        }
        store.mark_told(cast).await.map_err(Untold::NotMarked)?;
    }
    Ok(untold.len())
}

fn state(cast: &Cast) -> CastState {
    CastState {
        user_id: Some(cast.user_id.clone()),
        status: Some(cast.status),
        started_at: cast.started_at.clone().map(Into::into),
        finished_at: cast.finished_at.clone().map(Into::into),
        cost_cents: cast.cost_cents,
        artifact_url: cast.artifact_url.clone(),
        error_message: cast.error_message.clone(),
        ..CastState::default()
    }
}
