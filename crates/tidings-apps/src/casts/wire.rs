//! How it is asked: the bodies of `POST /api/casts`, `PATCH /api/casts/{id}` and `POST /api/casts/{id}/events`.
//!
//! `POST /api/casts/{id}/events` takes `{"type","data"?,"userId"?,"idempotencyKey"?,"mutationId"?}`. Of the six kinds,
//! `data` may have any of a cast's fields; `PROGRESS_UPDATE` needs `progress`, `ARTIFACT_READY` needs `artifactUrl`.
//! `STATUS_CHANGED` takes a `status` too, an end as well as a beginning. Without `data`, or with nothing in it that is
//! known, it publishes what is stored once more: this is what `publishCastUpdate(castId)` sends. Any other type is
//! relayed with its data as it is.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tidings_core::port::users::UserId;
use tidings_protocol::event_type::InvalidType;
use tidings_protocol::json::{InvalidData, compact, from_object};
use tidings_protocol::limits::{DATA_BYTES, DATA_DEPTH, IDEMPOTENCY_KEY_BYTES, WORD_BYTES};
use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::{ErrorCode, EventType};

use super::command::{Act, Change, Command, Told};
use super::fields::Fields;
use super::id::CastId;
use super::kind::Kind;
use super::status::Status;
use super::view::FrameName;
use crate::author::Author;
use crate::if_match::{Expected, IfMatch};
use crate::members::Members;

/// Largest body of these requests, in bytes.
pub const BODY_BYTES: usize = 128 * 1024;

/// Reads `POST /api/casts`: `{id?, userId?, message?, repository?, workflowRunId?, mutationId?}`, all of it optional for a
/// user. Without an `id` the cast is called `cast_` and `random`. A service key has to name the owner; an admin may.
///
/// # Errors
/// `invalid_body` naming the first fault.
pub fn parse_create(body: &[u8], author: &Author, random: &str) -> Result<Command, Problem> {
    let members = if body.trim_ascii().is_empty() { Members::none("") } else { Members::parse(body, "")? };
    let id = match members.get("id") {
        None => CastId::made_of(random)?,
        Some(value) => value.as_str().and_then(CastId::new).ok_or_else(|| members.refuse("id", BAD_ID))?,
    };
    let owner = members.user("userId")?.or_else(|| author.standing.user().cloned());
    let owner = members.need("userId", owner)?;
    let Fields { message, repository, workflow_run_id, .. } = Fields::parse(&members)?;
    let fields = Fields { message, repository, workflow_run_id, ..Fields::default() };
    let mutation_id = members.word("mutationId", WORD_BYTES)?;
    Ok(Command { id, act: Act::Create { owner, fields }, expected: Expected::default(), mutation_id })
}

const BAD_ID: &str = "a cast's id is 1 to 120 of A-Z a-z 0-9 . _ ~ @ -, and not `events`";

/// Reads `PATCH /api/casts/{id}`: any of a cast's fields, `status`, `version` and `mutationId`; with the value of the
/// header `If-Match`.
///
/// # Errors
/// `invalid_body` naming the first fault; `invalid_parameter` for the header.
pub fn parse_patch(id: CastId, if_match: Option<&str>, body: &[u8]) -> Result<Command, Problem> {
    let members = Members::parse(body, "")?;
    let change =
        Change { status: parse_status(&members)?, is_start: false, fields: Fields::parse(&members)? };
    let expected =
        Expected { if_match: if_match.map(IfMatch::parse).transpose()?, version: members.whole("version")? };
    let mutation_id = members.word("mutationId", WORD_BYTES)?;
    Ok(Command { id, act: Act::Change(change), expected, mutation_id })
}

/// A backend's event.
#[derive(Debug, Clone)]
pub struct Telling {
    /// What is asked.
    pub command: Command,
    /// The body's `idempotencyKey`, 1 to 255 bytes, with what tells this body from another under the same key: the cast,
    /// type, data and `userId`. It belongs in the command's own keys, not in an event's.
    pub idempotency: Option<(Box<str>, Fingerprint)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTelling<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Reads `POST /api/casts/{id}/events`.
///
/// # Errors
/// `invalid_body` naming the first fault; `invalid_type` and `reserved_type` for a type that cannot be relayed;
/// `body_too_large` and `invalid_data` for its data.
pub fn parse_telling(id: CastId, body: &[u8]) -> Result<Telling, Problem> {
    let raw: RawTelling<'_> = from_object(body)?;
    let members = Members::parse(body, "")?;
    let name = members.need("type", raw.r#type)?;
    let told = match Kind::parse(&name) {
        Some(kind) => Told::Change(parse_kind(kind, raw.data)?),
        None => parse_relay(&name, raw.data)?,
    };
    let owner = members.user("userId")?;
    let key = members.word("idempotencyKey", IDEMPOTENCY_KEY_BYTES)?;
    let mutation_id = members.word("mutationId", WORD_BYTES)?;
    let data = raw.data.map_or("null", RawValue::get);
    let idempotency = key.map(|key| (key, fingerprint(&id, &name, data, owner.as_ref())));
    let command = Command { id, act: Act::Tell { owner, told }, expected: Expected::default(), mutation_id };
    Ok(Telling { command, idempotency })
}

fn parse_kind(kind: Kind, data: Option<&RawValue>) -> Result<Change, Problem> {
    let members = match data {
        Some(data) => Members::parse(data.get().as_bytes(), "/data")?,
        None => Members::none("/data"),
    };
    let fields = Fields::parse(&members)?;
    let status = match kind {
        Kind::StatusChanged => parse_status(&members)?,
        Kind::Started => Some(Status::Running),
        Kind::Completed => Some(Status::Succeeded),
        Kind::Failed => Some(Status::Failed),
        Kind::ProgressUpdate => members.need("progress", fields.progress).map(|_| None)?,
        Kind::ArtifactReady => members.need("artifactUrl", fields.artifact_url.as_ref()).map(|_| None)?,
    };
    Ok(Change { status, is_start: kind == Kind::Started, fields })
}

fn parse_status(members: &Members) -> Result<Option<Status>, Problem> {
    let Some(value) = members.get("status") else { return Ok(None) };
    value.as_str().and_then(Status::parse).map(Some).ok_or_else(|| {
        members.refuse("status", "`status` is one of queued, running, succeeded, failed, cancelled")
    })
}

fn parse_relay(name: &str, data: Option<&RawValue>) -> Result<Told, Problem> {
    let kind: EventType = name.parse().map_err(|why: InvalidType| {
        let code = match why {
            InvalidType::Malformed => ErrorCode::InvalidType,
            InvalidType::Reserved => ErrorCode::ReservedType,
        };
        Problem::new(code, why.to_string()).at("/type")
    })?;
    if FrameName::parse(name).is_some() || name == "batch" {
        let detail = format!(
            "`{name}` is the name of a frame that is made of a cast's events; send one of the six types, e.g. STATUS_CHANGED, or a type of your own"
        );
        return Err(Problem::new(ErrorCode::InvalidType, detail).at("/type"));
    }
    let data = match data {
        Some(data) => compact(data, DATA_BYTES, DATA_DEPTH).map_err(|why| {
            let code = match why {
                InvalidData::TooLarge => ErrorCode::BodyTooLarge,
                InvalidData::TooDeep => ErrorCode::InvalidData,
            };
            Problem::new(code, why.to_string()).at("/data")
        })?,
        None => Box::default(),
    };
    Ok(Told::Relay { kind, data })
}

fn fingerprint(id: &CastId, name: &str, data: &str, owner: Option<&UserId>) -> Fingerprint {
    let canonical = serde_json::json!([id.as_str(), name, data, owner.map(UserId::as_str)]);
    let digest = Sha256::digest(canonical.to_string().as_bytes());
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    Fingerprint(out)
}
