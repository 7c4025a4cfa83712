//! Casts as records: create, read, list, change, cancel, and what other backends tell.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::value::RawValue;
use tidings_core::Principal;
use tidings_core::port::directory::Right;
use tidings_core::port::store::{IdempotencyKey, Outcome, RecordQuery};
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
use crate::casts::cast::{Cast, owner_and_status_tag, owner_tag, repository_tag, status_tag};
use crate::casts::command::Command;
use crate::casts::decide::decide_record;
use crate::casts::fields::Repository;
use crate::casts::id::{CastId, KIND};
use crate::casts::status::Status;
use crate::casts::wire::{BODY_BYTES, parse_create, parse_patch, parse_telling};
use tidings_core::port::users::UserId;

/// Casts in one list, unless asked for another number, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 200;

/// Most records looked at for one list: what a filter leaves out counts.
const EXAMINED: usize = 2_000;

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

/// Which casts are listed.
#[derive(Default)]
struct Listing {
    owner: Option<UserId>,
    status: Option<Status>,
    repository: Option<Repository>,
    before: Option<u64>,
    limit: usize,
}

impl Listing {
    fn parse(query: &str) -> Answer<Self> {
        let bad = |name: &str, why: &str| {
            Refusal(Problem::new(ErrorCode::InvalidParameter, why.to_owned()).at(name.to_owned()))
        };
        let mut listing = Self { limit: PAGE, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "userId" => {
                    listing.owner =
                        Some(UserId::new(&value).ok_or_else(|| bad("userId", "this is no user's id"))?);
                }
                "status" => {
                    let why = "`status` is one of queued, running, succeeded, failed, cancelled";
                    listing.status = Some(Status::parse(&value).ok_or_else(|| bad("status", why))?);
                }
                "repository" => {
                    let why = "`repository` is owner/name";
                    listing.repository = Some(Repository::new(&value).ok_or_else(|| bad("repository", why))?);
                }
                "cursor" => {
                    let why = "`cursor` is a `nextCursor` as it was given";
                    listing.before = Some(value.parse().map_err(|_| bad("cursor", why))?);
                }
                "limit" => {
                    let limit: usize =
                        value.parse().map_err(|_| bad("limit", "`limit` is a whole number"))?;
                    if !(1..=LARGEST_PAGE).contains(&limit) {
                        return Err(bad("limit", "`limit` is 1 to 200"));
                    }
                    listing.limit = limit;
                }
                _ => {}
            }
        }
        Ok(listing)
    }

    /// The tag that leaves the least to look at.
    fn tag(&self) -> Option<String> {
        match (&self.owner, self.status, &self.repository) {
            (Some(owner), Some(status), _) => Some(owner_and_status_tag(owner, status)),
            (Some(owner), None, _) => Some(owner_tag(owner)),
            (None, _, Some(repository)) => Some(repository_tag(repository)),
            (None, Some(status), None) => Some(status_tag(status)),
            (None, None, None) => None,
        }
    }

    fn wants(&self, cast: &Cast) -> bool {
        self.owner.as_ref().is_none_or(|owner| *owner == cast.user)
            && self.status.is_none_or(|status| status == cast.status)
            && self
                .repository
                .as_ref()
                .is_none_or(|wanted| cast.repository.as_ref().is_some_and(|named| named.is(wanted)))
    }
}

/// Lists casts, newest first: a member's own, an admin's tenant's, a service key's that its grant takes in.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer<Response> {
    let caller = Caller { headers: &headers, peer, purpose: Purpose::Read };
    let principal = principal(&app, caller, None).await?;
    let mut listing = Listing::parse(&query.unwrap_or_default())?;
    if !principal.is_service() && !principal.is_admin() {
        let own = principal.user().cloned();
        if listing.owner.is_some() && listing.owner != own {
            return Err(forbidden("the casts belong to another user; leave `userId` out"));
        }
        listing.owner = own;
    }
    let (mut items, mut examined, mut head) = (Vec::<Box<RawValue>>::new(), 0, None);
    let mut before = listing.before;
    let next = loop {
        let query =
            RecordQuery { kind: KIND.to_owned(), tag: listing.tag(), before, limit: listing.limit + 1 };
        let page = app.store.records(&principal.tenant, &query).await?;
        // The first page's: what changes while the others are read comes again on a stream after it.
        head.get_or_insert(page.head);
        let is_last = page.records.len() <= listing.limit;
        examined += page.records.len();
        let mut full = None;
        for record in &page.records {
            if items.len() >= listing.limit {
                full = Some(before);
                break;
            }
            before = Some(record.place);
            let cast = Cast::from_record(record)?;
            if listing.wants(&cast) && check_read(&principal, &cast).is_ok() {
                items.push(cast.to_raw());
            }
        }
        match full {
            Some(next) => break next,
            None if is_last => break None,
            None if examined >= EXAMINED => break before,
            None => {}
        }
    };
    let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
    let next = next.map_or_else(|| "null".to_owned(), |place| format!("\"{place}\""));
    let body = format!("{{\"items\":[{}],\"nextCursor\":{next}}}", items.join(","));
    let head = head.ok_or_else(|| Refusal::of(ErrorCode::Internal))?;
    Ok(records::respond(StatusCode::OK, body.into(), None, head))
}
