//! A cast's state as the events that would lead to it: what a stream begins with.

use tidings_protocol::problem::Problem;
use tidings_protocol::{Cursor, Event};

use super::cast::Cast;
use super::id::casts_of;
use super::kind::{Kind, PROGRESS_KEY};

/// The state as of the cursor `head`, which is the id of each event: the status; of a cast that has not ended its
/// progress and its artifact too, where there is one. Their time is that of the last change.
///
/// # Errors
/// `internal`; no cast leads to it.
pub fn state_events(cast: &Cast, head: Cursor) -> Result<Vec<Event>, Problem> {
    let mut kinds = vec![Kind::of_status(cast.status)];
    if !cast.status.is_terminal() {
        kinds.extend(cast.progress.map(|_| Kind::ProgressUpdate));
        kinds.extend(cast.artifact_url.as_ref().map(|_| Kind::ArtifactReady));
    }
    kinds.into_iter().map(|kind| state_event(cast, kind, head)).collect()
}

fn state_event(cast: &Cast, kind: Kind, head: Cursor) -> Result<Event, Problem> {
    Ok(Event {
        id: head,
        time: cast.updated_at,
        channel: cast.id.channel().clone(),
        also: Box::new([casts_of(&cast.user)?]),
        kind: kind.event_type()?,
        category: None,
        key: (kind == Kind::ProgressUpdate).then(|| PROGRESS_KEY.into()),
        actor: None,
        version: Some(cast.version),
        mutation_id: None,
        terminal: kind.ends(cast.status),
        data: kind.data(cast, cast.updated_at),
    })
}
