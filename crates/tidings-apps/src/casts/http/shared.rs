//! What the handlers have in common: finding a cast, and who makes a change.

use http::HeaderMap;
use serde_json::json;
use tidings_core::Principal;
use tidings_core::port::store::Record;
use tidings_protocol::problem::Problem;
use tidings_protocol::{Cursor, ErrorCode, TenantId};
use tidings_server::App;
use tidings_server::audit::About;
use tidings_server::clock::wall_time;
use tidings_server::peer::Peer;
use tidings_server::problem::{Answer, Refusal};

use crate::author::{Author, Standing};
use crate::casts::cast::Cast;
use crate::casts::id::CastId;

/// A cast as it was read.
pub(super) struct Found {
    pub(super) cast: Cast,
    /// The head of the log in the same snapshot.
    pub(super) head: Cursor,
    /// The head of the log after its last change: where it has ended, its end.
    pub(super) at: Cursor,
}

impl Found {
    pub(super) fn of(record: &Record, head: Cursor) -> Answer<Self> {
        Ok(Self { cast: Cast::from_record(record)?, head, at: record.at })
    }
}

/// Reads a cast.
pub(super) async fn find(app: &App, tenant: &TenantId, id: &CastId) -> Answer<Option<Found>> {
    let read = app.store.record(tenant, &id.key()).await?;
    read.record.map(|record| Found::of(&record, read.head)).transpose()
}

/// Reads a cast that there must be.
pub(super) async fn need(app: &App, tenant: &TenantId, id: &CastId) -> Answer<Found> {
    find(app, tenant, id).await?.ok_or_else(no_cast)
}

pub(super) fn no_cast() -> Refusal {
    Refusal(Problem::new(ErrorCode::NotFound, "there is no such cast"))
}

/// The id in a path. What can be no id names no cast.
pub(super) fn parse_id(text: &str) -> Answer<CastId> {
    CastId::new(text).ok_or_else(no_cast)
}

/// Who makes a change.
pub(super) fn author(principal: &Principal, headers: &HeaderMap, peer: Peer) -> Author {
    let standing = match principal.user() {
        None => Standing::Service,
        Some(user) if principal.is_admin() => Standing::Admin(user.clone()),
        Some(user) => Standing::Member(user.clone()),
    };
    let about = About::new("cast", None, headers, peer);
    about.is_by(principal);
    let row = about.row(String::new(), &json!({}), wall_time());
    Author {
        tenant: principal.tenant.clone(),
        actor: standing.user().map(|user| user.as_str().into()),
        standing,
        audit_name: row.user_id,
        ip_address: row.ip_address,
        user_agent: row.user_agent,
    }
}
