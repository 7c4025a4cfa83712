//! Lists of casts: by whose, what state and what repository they are, or by their ids.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use tidings_core::Principal;
use tidings_core::port::store::RecordQuery;
use tidings_core::port::users::UserId;
use tidings_protocol::problem::Problem;
use tidings_protocol::{Cursor, ErrorCode};
use tidings_server::App;
use tidings_server::peer::Peer;
use tidings_server::problem::{Answer, Refusal};
use tidings_server::records;
use tidings_server::routes::{Caller, Purpose, principal};

use super::access::{check_read, forbidden};
use crate::casts::cast::{Cast, owner_and_status_tag, owner_tag, repository_tag, status_tag};
use crate::casts::fields::Repository;
use crate::casts::id::{CastId, KIND};
use crate::casts::status::Status;

/// Casts in one list, unless asked for another number, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 200;

/// Most records looked at for one list: what a filter leaves out counts.
const EXAMINED: usize = 2_000;

/// Which casts are listed.
#[derive(Default)]
struct Listing {
    owner: Option<UserId>,
    status: Option<Status>,
    repository: Option<Repository>,
    /// These alone, in this order; every cast where there are none.
    ids: Vec<CastId>,
    before: Option<u64>,
    limit: usize,
}

fn bad(name: &str, why: &str) -> Refusal {
    Refusal(Problem::new(ErrorCode::InvalidParameter, why.to_owned()).at(name.to_owned()))
}

impl Listing {
    fn parse(query: &str) -> Answer<Self> {
        let mut listing = Self { limit: PAGE, ..Self::default() };
        let mut pages = None;
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
                "id" => listing.name(&value)?,
                "cursor" => {
                    pages = Some("cursor");
                    let why = "`cursor` is a `nextCursor` as it was given";
                    listing.before = Some(value.parse().map_err(|_| bad("cursor", why))?);
                }
                "limit" => {
                    pages = Some("limit");
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
        match pages {
            Some(name) if !listing.ids.is_empty() => {
                Err(bad(name, "casts named by `id` are one page: leave `cursor` and `limit` out"))
            }
            _ => Ok(listing),
        }
    }

    /// Takes in one more cast. What can be no id names no cast, and a cast is listed once.
    fn name(&mut self, text: &str) -> Answer<()> {
        let Some(id) = CastId::new(text) else {
            return Err(bad("id", "this is no cast's id"));
        };
        if self.ids.contains(&id) {
            return Ok(());
        }
        if self.ids.len() >= LARGEST_PAGE {
            return Err(bad("id", "a request names 200 casts at most"));
        }
        self.ids.push(id);
        Ok(())
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
    let page = match listing.ids.is_empty() {
        true => listed(&app, &principal, &listing).await?,
        false => named(&app, &principal, &listing).await?,
    };
    let items: Vec<&str> = page.items.iter().map(|item| item.get()).collect();
    let next = page.next.map_or_else(|| "null".to_owned(), |place| format!("\"{place}\""));
    let refused = match listing.ids.is_empty() {
        true => String::new(),
        false => format!(",\"refused\":[{}]", page.refused.join(",")),
    };
    let body = format!("{{\"items\":[{}],\"nextCursor\":{next}{refused}}}", items.join(","));
    Ok(records::respond(StatusCode::OK, body.into(), None, page.head))
}

/// One page of an answer.
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<u64>,
    /// Casts that were named and cannot be given, and why.
    refused: Vec<String>,
    /// The head of the log at the first read: what changes while the others are read comes again on a stream after it.
    head: Cursor,
}

/// The casts that are named and wanted, and why the others cannot be given.
async fn named(app: &App, principal: &Principal, listing: &Listing) -> Answer<Page> {
    let (mut items, mut refused, mut head) = (Vec::new(), Vec::new(), None);
    let mut refuse = |id: &CastId, code: ErrorCode| {
        refused.push(serde_json::json!({"id": id.as_str(), "code": code.name()}).to_string());
    };
    for id in &listing.ids {
        let read = app.store.record(&principal.tenant, &id.key()).await?;
        head.get_or_insert(read.head);
        let Some(record) = read.record else {
            refuse(id, ErrorCode::NotFound);
            continue;
        };
        let cast = Cast::from_record(&record)?;
        if check_read(principal, &cast).is_err() {
            refuse(id, ErrorCode::Forbidden);
        } else if listing.wants(&cast) {
            items.push(cast.to_raw());
        }
    }
    let head = head.ok_or_else(|| Refusal::of(ErrorCode::Internal))?;
    Ok(Page { items, next: None, refused, head })
}

/// The newest casts before a place that are wanted and may be read.
async fn listed(app: &App, principal: &Principal, listing: &Listing) -> Answer<Page> {
    let (mut items, mut examined, mut head) = (Vec::<Box<RawValue>>::new(), 0, None);
    let mut before = listing.before;
    let next = loop {
        let query =
            RecordQuery { kind: KIND.to_owned(), tag: listing.tag(), before, limit: listing.limit + 1 };
        let page = app.store.records(&principal.tenant, &query).await?;
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
            if listing.wants(&cast) && check_read(principal, &cast).is_ok() {
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
    let head = head.ok_or_else(|| Refusal::of(ErrorCode::Internal))?;
    Ok(Page { items, next, refused: Vec::new(), head })
}
