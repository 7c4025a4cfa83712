//! `POST /api/webhooks/github`: what GitHub tells of workflows' runs.
//!
//! The signature is verified on the bytes as they came, and the secret that verifies names the tenant; nothing else of
//! the request is believed. The delivery's id is not signed, so that a delivery is known again by its body too. Repeats,
//! and what is late, out of order or about nothing here, are answered 202 and change nothing; every delivery is audited.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tidings_core::port::store::{IdempotencyKey, Record, RecordQuery};
use tidings_protocol::problem::Problem;
use tidings_protocol::{ErrorCode, TenantId};
use tidings_server::App;
use tidings_server::audit::About;
use tidings_server::clock::wall_time;
use tidings_server::peer::Peer;
use tidings_server::problem::{Answer, Refusal};
use tidings_server::records::{self, fingerprint};
use tidings_server::routes::{json as respond, read_body};

use super::Shared;
use crate::author::{Author, Standing};
use crate::casts::cast::run_tag;
use crate::casts::github::RunUpdate;
use crate::casts::id::{CastId, KIND};
use crate::casts::run::decide_run;

/// Largest delivery. GitHub's own limit is 25 MB; those of a workflow's run have some 30 KB.
const DELIVERY_BYTES: usize = 2 * 1024 * 1024;
/// Deliveries read at once: until it is verified, anybody may have sent it.
pub(super) const AT_ONCE: usize = 32;
/// Longest delivery id.
const ID_BYTES: usize = 100;
/// Casts of a run that are decided on at once, and most of them in all.
const CASTS: usize = 20;
const ALL_CASTS: usize = 1_000;
/// The tenant of the secret in the configuration.
const DEFAULT_TENANT: &str = "default";

/// A delivery whose signature was verified.
struct Delivery {
    tenant: TenantId,
    id: String,
    event: String,
    body: Bytes,
}

/// Takes a delivery.
pub(super) async fn deliver(
    State(app): State<Arc<App>>,
    Extension(shared): Extension<Shared>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let id = single(&headers, "x-github-delivery").unwrap_or_default();
    let about = About::new("webhook", Some(id.to_owned()).filter(|id| !id.is_empty()), &headers, peer);
    let delivery = match receive(&app, &shared, &headers, body).await {
        Ok(delivery) => delivery,
        Err(refusal) => {
            let action = "webhook.github_refused".to_owned();
            app.audit.refused(&about, action, refusal.0.code, &Map::new());
            return Err(refusal);
        }
    };
    let told = take_in(&app, &delivery, &about).await?;
    let mut row = about.row("webhook.github_delivered".to_owned(), &told, wall_time());
    row.tenant_id = Some(delivery.tenant);
    app.audit.note(row).await?;
    let mut response = respond(told.to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Reads and verifies.
async fn receive(app: &App, shared: &Shared, headers: &HeaderMap, body: Body) -> Answer<Delivery> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Refusal::of(ErrorCode::UnsupportedEncoding));
    }
    let missing = |name: &str| {
        let why = format!("{name} must stand once; is this a delivery of GitHub's?");
        Refusal(Problem::new(ErrorCode::InvalidParameter, why).at(name.to_owned()))
    };
    let signature = single(headers, "x-hub-signature-256").ok_or_else(|| {
        let why = "the delivery has no X-Hub-Signature-256: set the webhook's secret";
        Refusal(Problem::new(ErrorCode::Unauthenticated, why))
    })?;
    let id = single(headers, "x-github-delivery").filter(|id| !id.is_empty() && id.len() <= ID_BYTES);
    let id = id.ok_or_else(|| missing("X-GitHub-Delivery"))?.to_owned();
    let event = single(headers, "x-github-event").ok_or_else(|| missing("X-GitHub-Event"))?.to_owned();
    let _place = shared.deliveries.try_acquire().map_err(|_| {
        let why = "too many deliveries are being read; deliver it again";
        Refusal(Problem::new(ErrorCode::Capacity, why).retry_after(1))
    })?;
    let body = read_body(app, body, DELIVERY_BYTES).await?;
    let tenant = verify(app, shared, signature, &body).await?;
    Ok(Delivery { tenant, id, event, body })
}

/// The value of a header that stands once, as visible text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

/// The tenant whose secret made the signature.
async fn verify(app: &App, shared: &Shared, signature: &str, body: &[u8]) -> Answer<TenantId> {
    let refused = || Refusal(Problem::new(ErrorCode::Unauthenticated, "the signature is not valid"));
    let tag = signature.strip_prefix("sha256=").ok_or_else(refused)?;
    let tag = HEXLOWER.decode(tag.as_bytes()).map_err(|_| refused())?;
    let stored = app.auth.directory().webhooks("github").await.map_err(|error| {
        tracing::warn!(%error, "webhooks' secrets cannot be looked up");
        Refusal(Problem::of(ErrorCode::Capacity).retry_after(1))
    })?;
    let is_by = |secret: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, body, &tag).is_ok()
    };
    if let Some(webhook) = stored.into_iter().find(|webhook| is_by(&webhook.secret)) {
        return Ok(webhook.tenant);
    }
    match &shared.github_secret {
        Some(secret) if is_by(secret) => DEFAULT_TENANT.parse().map_err(|_| refused()),
        _ => Err(refused()),
    }
}

/// Has the delivery decided on; answers what is told of it: `{"delivery","event","matched","changed","repeated"}`.
async fn take_in(app: &App, delivery: &Delivery, about: &About) -> Answer<Value> {
    let mut told = json!({
        "delivery": delivery.id, "event": delivery.event, "matched": [], "changed": [], "repeated": false,
    });
    // A body that cannot be read is signed all the same: it is GitHub's to mend, and nothing is lost by leaving it.
    let update = match RunUpdate::parse(&delivery.event, &delivery.body) {
        Ok(Some(update)) => update,
        Ok(None) => return Ok(told),
        Err(problem) => {
            told["unread"] = problem.detail.into();
            return Ok(told);
        }
    };
    let row = about.row(String::new(), &json!({}), wall_time());
    let author = Author {
        tenant: delivery.tenant.clone(),
        standing: Standing::Webhook,
        audit_name: None,
        actor: None,
        ip_address: row.ip_address,
        user_agent: row.user_agent,
    };
    let (mut matched, mut changed, mut repeated) = (Vec::new(), Vec::new(), false);
    let mut before = None;
    for round in 0..ALL_CASTS / CASTS {
        let (records, next) = candidates(app, delivery, &update, before).await?;
        let step = decide_round(app, delivery, (&update, &author), records, round).await?;
        repeated |= step.repeated;
        matched.extend(step.matched);
        changed.extend(step.changed);
        before = next;
        if before.is_none() {
            break;
        }
    }
    told["matched"] = matched.into();
    told["changed"] = changed.into();
    told["repeated"] = repeated.into();
    Ok(told)
}

/// What came of some of the casts.
#[derive(Default, serde::Deserialize)]
struct Step {
    matched: Vec<String>,
    changed: Vec<String>,
    #[serde(skip)]
    repeated: bool,
}

/// Has some of the casts decided on. What changes nothing is not remembered: delivered again when there is such a cast,
/// it counts.
async fn decide_round(
    app: &App,
    delivery: &Delivery,
    (update, author): (&RunUpdate, &Author),
    records: Vec<Option<Record>>,
    round: usize,
) -> Answer<Step> {
    let now = wall_time();
    let names = |ids: &[CastId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let matched = names(&decide_run(&records, update, author, now)?.matched);
    if matched.is_empty() {
        return Ok(Step::default());
    }
    let reads = records.iter().flatten().map(|record| record.key.clone()).collect();
    let (update, author) = (update.clone(), author.clone());
    let decide = move |records: &[Option<Record>]| {
        let decided = decide_run(records, &update, &author, now)?;
        if decided.changed.is_empty() { Err(unchanged()) } else { Ok(decided.changes) }
    };
    let keys = known_by(delivery, round);
    match records::decide(app, &delivery.tenant, reads, Box::new(decide), keys).await {
        Ok(outcome) if outcome.replayed => Ok(Step { matched, repeated: true, ..Step::default() }),
        Ok(outcome) => {
            Ok(outcome.answer.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
        }
        Err(refusal) if refusal.0 == unchanged() => Ok(Step { matched, ..Step::default() }),
        Err(refusal) => Err(refusal),
    }
}

/// What a decision is refused with that would change nothing.
fn unchanged() -> Problem {
    Problem::new(ErrorCode::IllegalTransition, "the delivery changes nothing")
}

/// A delivery is known by its id and by its body; either may come again without the other.
fn known_by(delivery: &Delivery, round: usize) -> Vec<IdempotencyKey> {
    let same = fingerprint(&[]);
    let key = |scope: &str, key: String| IdempotencyKey {
        scope: format!("{scope} {round}"),
        key,
        fingerprint: same,
    };
    vec![
        key("github delivery", delivery.id.clone()),
        key("github body", HEXLOWER.encode(&Sha256::digest(&delivery.body))),
    ]
}

/// The casts that the run may be of: those with its id, newest first, some at a time; and with the first of them those
/// that its title names. Answers where the next ones begin.
async fn candidates(
    app: &App,
    delivery: &Delivery,
    update: &RunUpdate,
    before: Option<u64>,
) -> Answer<(Vec<Option<Record>>, Option<u64>)> {
    let tag = Some(run_tag(&update.run));
    let query = RecordQuery { kind: KIND.to_owned(), tag, before, limit: CASTS };
    let page = app.store.records(&delivery.tenant, &query).await?;
    let next = page.records.last().filter(|_| page.records.len() == CASTS).map(|record| record.place);
    let mut records: Vec<Option<Record>> = page.records.into_iter().map(Some).collect();
    if before.is_none() && update.may_match_by_title() {
        for id in &update.candidates {
            records.push(app.store.record(&delivery.tenant, &id.key()).await?.record);
        }
    }
    Ok((records, next))
}
