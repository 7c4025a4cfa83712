//! Casts as records: create, read, change, cancel, and what other backends tell.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tidings_core::Principal;
use tidings_core::port::directory::Right;
use tidings_core::port::store::{IdempotencyKey, Outcome};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_server::App;
use tidings_server::clock::wall_time;
use tidings_server::ids::random_text;
use tidings_server::peer::Peer;
use tidings_server::problem::{Answer, Refusal};
use tidings_server::records::{self, Kept};
use tidings_server::routes::{Caller, Purpose, principal, read_body};

use super::access::{check_read, check_write, exact, forbidden, is_owner};
use super::shared::{author, need, parse_id};
use crate::casts::command::Command;
use crate::casts::decide::decide_record;
use crate::casts::id::CastId;
use crate::casts::wire::{BODY_BYTES, parse_create, parse_patch, parse_telling};

/// A request that changes something: whoever asks, and the body.
struct Asked {
    principal: Arc<Principal>,
    body: Bytes,
}

async fn asked(app: &App, peer: Peer, headers: &HeaderMap, body: Body) -> Answer<Asked> {
    let caller = Caller { headers, peer, purpose: Purpose::Change };
    let principal = principal(app, caller, None).await?;
    let body = read_body(app, body, BODY_BYTES).await?;
    Ok(Asked { principal, body })
}

/// Has a command decided on inside the store, and its answer kept.
async fn carry_out(
    app: &App,
    asked: &Asked,
    from: (&HeaderMap, Peer),
    command: Command,
    status: StatusCode,
    idempotency: Vec<IdempotencyKey>,
) -> Answer<Outcome> {
    let author = author(&asked.principal, from.0, from.1);
    let (now, id) = (wall_time(), command.id.clone());
    let told = Arc::new(OnceLock::new());
    let kinds = told.clone();
    let decide = move |records: &[Option<tidings_core::port::store::Record>]| {
        let stored = records.first().and_then(Option::as_ref);
        let mut decided = decide_record(stored, &command, &author, now)?;
        let kept = Kept {
            status: status.as_u16(),
            version: Some(decided.cast.version),
            body: decided.cast.to_raw(),
        };
        decided.changes.answer = Some(kept.to_text());
        let names = decided.changes.events.iter().map(|event| event.kind.as_str().to_lowercase());
        // The first run's; a decision that runs again decides the same.
        let _ = kinds.set(names.collect::<Vec<_>>().join(", "));
        Ok(decided.changes)
    };
    let tenant = &asked.principal.tenant;
    let outcome = records::decide(app, tenant, vec![id.key()], Box::new(decide), idempotency).await?;
    if !outcome.replayed && !outcome.receipts.is_empty() {
        let kinds = told.get().map_or("", String::as_str);
        tracing::info!("[Cast Events] Published event: {kinds} for cast {id}");
    }
    Ok(outcome)
}

/// Creates a cast, owned by whoever asks.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let asked = asked(&app, peer, &headers, body).await?;
    let random = random_text::<10>().map_err(|error| {
        tracing::error!(%error, "no id can be drawn");
        Refusal::of(ErrorCode::Internal)
    })?;
    let command = parse_create(&asked.body, &author(&asked.principal, &headers, peer), &random)?;
    check_write(&asked.principal, &command.id)?;
    let keys = records::idempotency(&headers, &asked.principal, "POST /api/casts", &asked.body)?;
    let from = (&headers, peer);
    let channel = exact(command.id.channel());
    let outcome = carry_out(&app, &asked, from, command, StatusCode::CREATED, keys).await;
    let outcome = outcome.map_err(|Refusal(mut problem)| {
        // A key that may write is not one that may read.
        if asked.principal.is_service() && !asked.principal.may(Right::Subscribe, &channel) {
            problem.current = None;
        }
        Refusal(problem)
    })?;
    let mut response = records::answer(&outcome)?;
    if let Some(location) = location(&outcome) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Where the cast of an answer is.
fn location(outcome: &Outcome) -> Option<HeaderValue> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let kept: Kept = serde_json::from_str(outcome.answer.as_deref()?).ok()?;
    let named: Named = serde_json::from_str(kept.body.get()).ok()?;
    HeaderValue::from_str(&format!("/api/casts/{}", named.id)).ok()
}

/// Reads a cast.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = Caller { headers: &headers, peer, purpose: Purpose::Read };
    let principal = principal(&app, caller, None).await?;
    let found = need(&app, &principal.tenant, &parse_id(&id)?).await?;
    check_read(&principal, &found.cast)?;
    let body = Bytes::from(found.cast.to_raw().get().to_owned());
    Ok(records::respond(StatusCode::OK, body, Some(found.cast.version), found.head))
}

/// A cast that the principal may know of, before its change is decided on: to others' members it is forbidden.
async fn may_know(app: &App, principal: &Principal, id: &CastId) -> Answer<()> {
    let found = need(app, &principal.tenant, id).await?;
    let is_allowed = principal.is_service() || principal.is_admin() || is_owner(principal, &found.cast);
    if is_allowed { Ok(()) } else { Err(forbidden("the cast belongs to another user")) }
}

/// Changes a cast.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let id = parse_id(&id)?;
    let asked = asked(&app, peer, &headers, body).await?;
    check_write(&asked.principal, &id)?;
    may_know(&app, &asked.principal, &id).await?;
    let if_match = if_match(&headers)?;
    let command = parse_patch(id.clone(), if_match.as_deref(), &asked.body)?;
    let keys =
        records::idempotency(&headers, &asked.principal, &format!("PATCH /api/casts/{id}"), &asked.body)?;
    let outcome = carry_out(&app, &asked, (&headers, peer), command, StatusCode::OK, keys).await?;
    records::answer(&outcome)
}

/// The value of `If-Match`; several lines are one list (RFC 9110, 5.3).
fn if_match(headers: &HeaderMap) -> Answer<Option<String>> {
    let lines: Result<Vec<&str>, _> =
        headers.get_all(header::IF_MATCH).iter().map(HeaderValue::to_str).collect();
    let bad = || Problem::new(ErrorCode::InvalidParameter, "If-Match is not text").at("If-Match");
    let lines = lines.map_err(|_| bad())?;
    Ok((!lines.is_empty()).then(|| lines.join(",")))
}

/// Cancels a cast.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let id = parse_id(&id)?;
    let asked = asked(&app, peer, &headers, body).await?;
    check_write(&asked.principal, &id)?;
    may_know(&app, &asked.principal, &id).await?;
    let route = format!("POST /api/casts/{id}/cancel");
    let keys = records::idempotency(&headers, &asked.principal, &route, &asked.body)?;
    let outcome =
        carry_out(&app, &asked, (&headers, peer), Command::cancel(id), StatusCode::OK, keys).await?;
    records::answer(&outcome)
}

/// What another backend tells of a cast: the first mention creates it.
pub(super) async fn tell(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let id = CastId::new(&id).ok_or_else(|| {
        let why = "a cast's id is 1 to 120 of A-Z a-z 0-9 . _ ~ @ -, and not `events`";
        Refusal(Problem::new(ErrorCode::InvalidParameter, why).at("id"))
    })?;
    let asked = asked(&app, peer, &headers, body).await?;
    if !asked.principal.is_service() && !asked.principal.is_admin() {
        return Err(forbidden("only a service key or an admin may tell what happens to a cast"));
    }
    check_write(&asked.principal, &id)?;
    let telling = parse_telling(id.clone(), &asked.body)?;
    let route = format!("POST /api/casts/{id}/events");
    let mut keys = records::idempotency(&headers, &asked.principal, &route, &asked.body)?;
    if let Some((key, fingerprint)) = telling.idempotency {
        let key = records::idempotency_key(&asked.principal, &format!("{route} body"), &key, &[]);
        keys.push(IdempotencyKey { fingerprint, ..key });
    }
    let from = (&headers, peer);
    let outcome = carry_out(&app, &asked, from, telling.command, StatusCode::OK, keys).await?;
    records::answer(&outcome)
}
