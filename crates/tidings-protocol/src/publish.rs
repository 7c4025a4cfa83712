//! The publish body: parsed once, checked whole, refused with the place of the first fault.
//!
//! Shape: one event, or `{"events":[…]}` with 1 to 100 of them, all or none. Members that are not known are ignored.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::channel::ChannelName;
use crate::code::ErrorCode;
use crate::event_type::{Category, EventType, InvalidType};
use crate::json::{InvalidData, compact, from_object};
use crate::limits::{
    ALSO_CHANNELS, BATCH_BYTES, BATCH_EVENTS, DATA_BYTES, DATA_DEPTH, IDEMPOTENCY_KEY_BYTES, WORD_BYTES,
};
use crate::problem::Problem;

/// The largest version a JSON client can hold exactly (2^53 - 1).
const VERSION_MAX: u64 = (1 << 53) - 1;

/// An event that is not in the log yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The channel it is published to.
    pub channel: ChannelName,
    /// Further channels, without repeats and without `channel` itself.
    pub also: Box<[ChannelName]>,
    /// What kind of fact it is.
    pub kind: EventType,
    /// A coarser grouping.
    pub category: Option<Category>,
    /// The conflation key.
    pub key: Option<Arc<str>>,
    /// Who did it.
    pub actor: Option<Box<str>>,
    /// The version of the record it tells of.
    pub version: Option<u64>,
    /// The publisher's own name for the change.
    pub mutation_id: Option<Box<str>>,
    /// Whether nothing follows on the channel.
    pub terminal: bool,
    /// The payload, without insignificant white space.
    pub data: Box<RawValue>,
    /// Makes retries one event.
    pub idempotency_key: Option<Box<str>>,
}

/// What tells one body from another under the same idempotency key: 128 bits of SHA-256 over every member but the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDraft<'a> {
    channel: Option<String>,
    also: Option<Vec<String>>,
    r#type: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    key: Option<String>,
    category: Option<String>,
    version: Option<u64>,
    mutation_id: Option<String>,
    terminal: Option<bool>,
    actor: Option<String>,
    idempotency_key: Option<String>,
}

/// Keeps `null` as a value: an event may have it as its data.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a publish body.
///
/// # Errors
/// A [`Problem`] naming the first fault and its place: the JSON, a member's shape, a limit, or a repeated
/// idempotency key.
pub fn parse_publish(body: &[u8]) -> Result<Vec<Draft>, Problem> {
    if body.len() > BATCH_BYTES {
        return Err(Problem::new(ErrorCode::BodyTooLarge, "a publish has at most 1 MiB"));
    }
    let batch: Batch<'_> = from_object(body)?;
    let Some(events) = batch.events else {
        return Ok(vec![parse_draft(body, "")?]);
    };
    parse_drafts(&events)
}

/// Reads the members of an `events` array.
///
/// # Errors
/// As [`parse_publish`].
pub fn parse_drafts(events: &[&RawValue]) -> Result<Vec<Draft>, Problem> {
    if events.is_empty() || events.len() > BATCH_EVENTS {
        return Err(Problem::of(ErrorCode::TooManyEvents).at("/events"));
    }
    let mut drafts = Vec::with_capacity(events.len());
    for (index, raw) in events.iter().enumerate() {
        drafts.push(parse_draft(raw.get().as_bytes(), &format!("/events/{index}"))?);
    }
    let mut seen = HashSet::new();
    for (index, draft) in drafts.iter().enumerate() {
        if let Some(key) = &draft.idempotency_key
            && !seen.insert((&draft.channel, key))
        {
            let at = format!("/events/{index}/idempotencyKey");
            return Err(Problem::of(ErrorCode::IdempotencyKeyRepeated).at(at));
        }
    }
    Ok(drafts)
}

fn parse_draft(text: &[u8], place: &str) -> Result<Draft, Problem> {
    let raw: RawDraft<'_> = from_object(text).map_err(|problem| match place {
        "" => problem,
        place => problem.at(place),
    })?;
    let at = |member: &str| format!("{place}/{member}");
    let missing = |member: &str| {
        Problem::new(ErrorCode::InvalidBody, format!("an event needs `{member}`"))
            .at(format!("{place}/{member}"))
    };
    let channel = parse_channel(&raw.channel.ok_or_else(|| missing("channel"))?, &at("channel"))?;
    let also = parse_also(&raw.also.unwrap_or_default(), &channel, &at("also"))?;
    let kind = parse_kind(&raw.r#type.ok_or_else(|| missing("type"))?, &at("type"))?;
    let data = parse_data(raw.data.ok_or_else(|| missing("data"))?, &at("data"))?;
    let category = raw.category.map(|text| parse_category(&text, &at("category"))).transpose()?;
    if raw.version.is_some_and(|version| version > VERSION_MAX) {
        let detail = "`version` is at most 9007199254740991, which is what a JSON client can hold exactly";
        return Err(Problem::new(ErrorCode::InvalidBody, detail).at(at("version")));
    }
    Ok(Draft {
        channel,
        also,
        kind,
        category,
        key: word(raw.key, WORD_BYTES, &at("key"))?.map(Into::into),
        actor: word(raw.actor, WORD_BYTES, &at("actor"))?,
        version: raw.version,
        mutation_id: word(raw.mutation_id, WORD_BYTES, &at("mutationId"))?,
        terminal: raw.terminal.unwrap_or(false),
        data,
        idempotency_key: word(raw.idempotency_key, IDEMPOTENCY_KEY_BYTES, &at("idempotencyKey"))?,
    })
}

fn parse_channel(text: &str, at: &str) -> Result<ChannelName, Problem> {
    text.parse().map_err(|why: crate::channel::InvalidChannel| {
        Problem::new(ErrorCode::InvalidChannel, why.to_string()).at(at)
    })
}

fn parse_also(texts: &[String], channel: &ChannelName, at: &str) -> Result<Box<[ChannelName]>, Problem> {
    if texts.len() > ALSO_CHANNELS {
        return Err(Problem::new(ErrorCode::InvalidChannel, "an event has at most 8 further channels").at(at));
    }
    let mut also: Vec<ChannelName> = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let name = parse_channel(text, &format!("{at}/{index}"))?;
        if name != *channel && !also.contains(&name) {
            also.push(name);
        }
    }
    Ok(also.into())
}

fn parse_kind(text: &str, at: &str) -> Result<EventType, Problem> {
    text.parse().map_err(|why: InvalidType| {
        let code = match why {
            InvalidType::Malformed => ErrorCode::InvalidType,
            InvalidType::Reserved => ErrorCode::ReservedType,
        };
        Problem::new(code, why.to_string()).at(at)
    })
}

fn parse_category(text: &str, at: &str) -> Result<Category, Problem> {
    text.parse().map_err(|why: crate::event_type::InvalidCategory| {
        Problem::new(ErrorCode::InvalidType, why.to_string()).at(at)
    })
}

fn parse_data(raw: &RawValue, at: &str) -> Result<Box<RawValue>, Problem> {
    compact(raw, DATA_BYTES, DATA_DEPTH).map_err(|why| {
        let code = match why {
            InvalidData::TooLarge => ErrorCode::BodyTooLarge,
            InvalidData::TooDeep => ErrorCode::InvalidData,
        };
        Problem::new(code, why.to_string()).at(at)
    })
}

fn word(text: Option<String>, max: usize, at: &str) -> Result<Option<Box<str>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
        let detail = format!("a text of 1 to {max} bytes without control characters is needed here");
        return Err(Problem::new(ErrorCode::InvalidBody, detail).at(at));
    }
    Ok(Some(text.into()))
}

impl Draft {
    /// The channel and further channels.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        std::iter::once(&self.channel).chain(self.also.iter())
    }

    /// What tells this body from another under the same idempotency key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let also: Vec<&str> = self.also.iter().map(ChannelName::as_str).collect();
        let canonical = serde_json::json!([
            self.channel.as_str(),
            also,
            self.kind.as_str(),
            self.category.as_ref().map(Category::as_str),
            self.key.as_deref(),
            self.actor.as_deref(),
            self.version,
            self.mutation_id.as_deref(),
            self.terminal,
            self.data.get(),
        ]);
        let digest = Sha256::digest(canonical.to_string().as_bytes());
        let mut out = [0; 16];
        out.copy_from_slice(&digest[..16]);
        Fingerprint(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (ErrorCode, Option<String>) {
        let problem = parse_publish(body.as_bytes()).unwrap_err();
        (problem.code, problem.at)
    }

    #[test]
    fn one_event_or_a_batch() {
        let one = parse_publish(br#"{"channel":"a","type":"t","data":{ "x" : 1 },"unknown":true}"#).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].data.get(), r#"{"x":1}"#);
        let batch = br#"{"events":[{"channel":"a","type":"t","data":null},{"channel":"b","type":"t","data":"","also":["a","b","a"]}]}"#;
        let drafts = parse_publish(batch).unwrap();
        assert_eq!(drafts[1].also.len(), 1, "repeats and the channel itself are left out");
    }

    #[test]
    fn faults_carry_a_code_and_a_place() {
        let cases = [
            ("{", ErrorCode::InvalidBody, None),
            ("[]", ErrorCode::InvalidBody, None),
            (r#"{"events":[]}"#, ErrorCode::TooManyEvents, Some("/events")),
            (r#"{"type":"t","data":1}"#, ErrorCode::InvalidBody, Some("/channel")),
            (r#"{"channel":"a","data":1}"#, ErrorCode::InvalidBody, Some("/type")),
            (r#"{"channel":"a","type":"t"}"#, ErrorCode::InvalidBody, Some("/data")),
            (r#"{"channel":"a:*","type":"t","data":1}"#, ErrorCode::InvalidChannel, Some("/channel")),
            (r#"{"channel":"a","type":"error","data":1}"#, ErrorCode::ReservedType, Some("/type")),
            (r#"{"channel":"a","type":"$end","data":1}"#, ErrorCode::InvalidType, Some("/type")),
            (r#"{"channel":"a","type":"t","data":1,"key":"a\nb"}"#, ErrorCode::InvalidBody, Some("/key")),
            (
                r#"{"channel":"a","type":"t","data":1,"version":9007199254740992}"#,
                ErrorCode::InvalidBody,
                Some("/version"),
            ),
            (
                r#"{"channel":"a","type":"t","data":1,"also":["b","c:"]}"#,
                ErrorCode::InvalidChannel,
                Some("/also/1"),
            ),
            (r#"{"channel":"a","channel":"b","type":"t","data":1}"#, ErrorCode::InvalidBody, None),
            (
                r#"{"events":[{"channel":"a","type":"t","data":1,"idempotencyKey":"k"},{"channel":"a","type":"t","data":1,"idempotencyKey":"k"}]}"#,
                ErrorCode::IdempotencyKeyRepeated,
                Some("/events/1/idempotencyKey"),
            ),
        ];
        for (body, code, at) in cases {
            assert_eq!(refusal(body), (code, at.map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn a_null_payload_is_a_payload() {
        assert_eq!(
            parse_publish(br#"{"channel":"a","type":"t","data":null}"#).unwrap()[0].data.get(),
            "null"
        );
    }

    #[test]
    fn fingerprints_tell_bodies_apart_but_not_white_space() {
        let print = |body: &str| parse_publish(body.as_bytes()).unwrap()[0].fingerprint();
        let base = print(r#"{"channel":"a","type":"t","data":{"x":1},"idempotencyKey":"k"}"#);
        assert_eq!(base, print(r#"{"type":"t", "channel":"a", "data": {"x": 1},"idempotencyKey":"other"}"#));
        for other in [
            r#"{"channel":"b","type":"t","data":{"x":1}}"#,
            r#"{"channel":"a","type":"u","data":{"x":1}}"#,
            r#"{"channel":"a","type":"t","data":{"x":2}}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"key":"k"}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"terminal":true}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"also":["b"]}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"version":1}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"actor":"k"}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"mutationId":"k"}"#,
            r#"{"channel":"a","type":"t","data":{"x":1},"category":"K"}"#,
        ] {
            assert_ne!(base, print(other), "{other}");
        }
    }
}
