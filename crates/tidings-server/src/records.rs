//! What the routes of records have in common: idempotency, and answers that are kept and carry version and cursor.
//!
//! Apps decide; this is how a decision is asked for and told. An answer is stored in the commit that it tells of, so
//! that whoever repeats the request with its `Idempotency-Key` gets the same bytes.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tidings_core::Principal;
use tidings_core::port::store::{Action, Command, Decide, IdempotencyKey, Outcome, RecordKey};
use tidings_protocol::limits::IDEMPOTENCY_KEY_BYTES;
use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::{Cursor, ErrorCode, TenantId};

use crate::app::App;
use crate::problem::{Answer, Refusal};

/// Where the answer carries the cursor up to which events are contained in it.
pub const TIDINGS_CURSOR: HeaderName = HeaderName::from_static("tidings-cursor");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of the request's `Idempotency-Key`, scoped to principal and route.
///
/// # Errors
/// `invalid_parameter`.
pub fn idempotency(
    headers: &HeaderMap,
    principal: &Principal,
    route: &str,
    body: &[u8],
) -> Answer<Vec<IdempotencyKey>> {
    let bad = |why: &str| Refusal(Problem::new(ErrorCode::InvalidParameter, why).at("Idempotency-Key"));
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = lines.next() else { return Ok(Vec::new()) };
    if lines.next().is_some() {
        return Err(bad("Idempotency-Key stands more than once"));
    }
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES {
        return Err(bad("Idempotency-Key is 1 to 255 visible ASCII characters"));
    }
    Ok(vec![idempotency_key(principal, route, key, body)])
}

/// A key within principal and route.
#[must_use]
pub fn idempotency_key(principal: &Principal, route: &str, key: &str, body: &[u8]) -> IdempotencyKey {
    IdempotencyKey {
        scope: format!("{} {route}", principal.id),
        key: key.to_owned(),
        fingerprint: fingerprint(&[route.as_bytes(), body]),
    }
}

/// 128 bits that tell one request from another.
#[must_use]
pub fn fingerprint(parts: &[&[u8]]) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hash.finalize()[..16]);
    Fingerprint(out)
}

/// An answer as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The status.
    pub status: u16,
    /// The record's version, for the `ETag`.
    pub version: Option<u64>,
    /// The body: JSON.
    pub body: Box<RawValue>,
}

impl Kept {
    /// As text, for [`tidings_core::port::store::Changes::answer`].
    #[must_use]
    pub fn to_text(&self) -> String {
        // Numbers and JSON: nothing that cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Asks for a decision and has it carried out.
///
/// # Errors
/// The decision's, the store's.
pub async fn decide(
    app: &App,
    tenant: &TenantId,
    reads: Vec<RecordKey>,
    decide: Decide,
    idempotency: Vec<IdempotencyKey>,
) -> Answer<Outcome> {
    let action = Action::Decide { reads, decide, idempotency };
    let began = app.clocks.now();
    let outcome = app.store.submit(Command { tenant: tenant.clone(), action }).await?;
    let duplicates = outcome.receipts.iter().filter(|receipt| receipt.duplicate).count() as u64;
    let events = outcome.receipts.len() as u64 - duplicates;
    app.metrics.published(events, duplicates, app.clocks.now().saturating_sub(began));
    Ok(outcome)
}

/// Tells the outcome of a decision that kept an answer.
///
/// # Errors
/// `internal` where there is none.
pub fn answer(outcome: &Outcome) -> Answer {
    let kept = outcome.answer.as_deref().and_then(|text| serde_json::from_str::<Kept>(text).ok());
    let kept = kept.ok_or_else(|| {
        tracing::error!("a decision has no answer that can be read");
        Refusal::of(ErrorCode::Internal)
    })?;
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let body = Bytes::from(kept.body.get().to_owned());
    Ok(respond(status, body, kept.version, outcome.head))
}

/// A record, or a list of them, with the headers of its state.
#[must_use]
pub fn respond(status: StatusCode, body: Bytes, version: Option<u64>, cursor: Cursor) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(cursor) = HeaderValue::from_str(&cursor.to_string()) {
        headers.insert(TIDINGS_CURSOR, cursor);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_keep_parts_apart() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_eq!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"ab", b"c"]));
    }
}
