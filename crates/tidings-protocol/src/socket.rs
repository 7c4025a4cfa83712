//! The JSON frames of the native WebSocket (`/v1/ws`).
//!
//! Client: `{"op":"subscribe","ref","add":[{"channel","since"?}],"remove":[…]}` · `{"op":"publish","ref","events":[…]}` ·
//! `{"op":"auth","ref","token"}` · `{"op":"ping","ref"}`. Server: `{"id"?,"event","data"}` · `{"id"}` ·
//! `{"ref","ok"}` · `{"ref","error"}`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::channel::{InvalidChannel, Pattern};
use crate::code::ErrorCode;
use crate::cursor::{Cursor, Since};
use crate::json::from_object;
use crate::problem::Problem;
use crate::publish::{Draft, parse_drafts};

/// Most entries in `add` and in `remove` of one request.
pub const CHANGE_ENTRIES: usize = 1_000;
/// Longest `ref`, in bytes of its JSON text.
pub const REF_BYTES: usize = 100;

/// What a client wants changed about its subscriptions.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Channels to add, each with where it begins. Entries that could not be read are in `refused`.
    pub add: Vec<Addition>,
    /// Channels to remove, as they were subscribed.
    pub remove: Vec<Pattern>,
    /// Entries of `add` that cannot be: the text and why.
    pub refused: Vec<(String, ErrorCode)>,
}

/// One channel to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// What to subscribe to.
    pub pattern: Pattern,
    /// After which position; `None` joins where the stream is.
    pub since: Option<Since>,
}

/// One request of a client on its WebSocket.
#[derive(Debug)]
pub enum ClientOp {
    /// Change the subscriptions.
    Subscribe(Change),
    /// Publish events, all or none.
    Publish(Vec<Draft>),
    /// Present a fresh credential of the same principal.
    Auth(String),
    /// Ask for a sign of life.
    Ping,
}

#[derive(Deserialize)]
struct RawAddition {
    channel: String,
    since: Option<String>,
}

#[derive(Deserialize)]
struct RawChange<'a> {
    #[serde(borrow, default)]
    add: Vec<&'a RawValue>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
struct RawOp<'a> {
    op: String,
    #[serde(borrow, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<Vec<&'a RawValue>>,
    token: Option<String>,
}

/// Reads the body of a change of subscriptions: `{"add":[{"channel","since"?}],"remove":[…]}`.
///
/// A malformed entry of `add` is no fault of the request: it is among the refused.
///
/// # Errors
/// [`ErrorCode::InvalidBody`] where the shape is wrong, [`ErrorCode::TooManyChannels`] past 1,000 entries,
/// [`ErrorCode::InvalidChannel`] for a malformed entry of `remove`.
pub fn parse_change(body: &[u8]) -> Result<Change, Problem> {
    let raw: RawChange<'_> = from_object(body)?;
    if raw.add.len() > CHANGE_ENTRIES || raw.remove.len() > CHANGE_ENTRIES {
        return Err(Problem::new(
            ErrorCode::TooManyChannels,
            "one change adds and removes at most 1,000 channels each",
        ));
    }
    let mut change = Change::default();
    for (index, entry) in raw.add.iter().enumerate() {
        let entry: RawAddition =
            from_object(entry.get().as_bytes()).map_err(|problem| problem.at(format!("/add/{index}")))?;
        match parse_addition(&entry) {
            Ok(addition) => change.add.push(addition),
            Err(code) => change.refused.push((entry.channel, code)),
        }
    }
    for (index, text) in raw.remove.iter().enumerate() {
        let pattern = text.parse().map_err(|why: InvalidChannel| {
            Problem::new(ErrorCode::InvalidChannel, why.to_string()).at(format!("/remove/{index}"))
        })?;
        change.remove.push(pattern);
    }
    Ok(change)
}

fn parse_addition(entry: &RawAddition) -> Result<Addition, ErrorCode> {
    let pattern = entry.channel.parse().map_err(|_| ErrorCode::InvalidChannel)?;
    let since = entry.since.as_deref().map(str::parse).transpose().map_err(|_| ErrorCode::InvalidCursor)?;
    Ok(Addition { pattern, since })
}

/// Reads one client frame: the `ref` as the client wrote it, and what it asks.
///
/// # Errors
/// The `ref` where it could be read, and a [`Problem`].
pub fn parse_client(text: &[u8]) -> Result<(Option<String>, ClientOp), (Option<String>, Problem)> {
    let raw: RawOp<'_> = from_object(text).map_err(|problem| (None, problem))?;
    let reference = raw.reference.map(|value| value.get().to_owned());
    if reference.as_ref().is_some_and(|text| text.len() > REF_BYTES || text.starts_with(['{', '['])) {
        let problem =
            Problem::new(ErrorCode::InvalidBody, "`ref` is a string or number of at most 100 bytes");
        return Err((None, problem.at("/ref")));
    }
    match parse_op(&raw, text) {
        Ok(op) => Ok((reference, op)),
        Err(problem) => Err((reference, problem)),
    }
}

fn parse_op(raw: &RawOp<'_>, text: &[u8]) -> Result<ClientOp, Problem> {
    let missing = |member: &str| {
        Problem::new(ErrorCode::InvalidBody, format!("this op needs `{member}`")).at(format!("/{member}"))
    };
    match raw.op.as_str() {
        "subscribe" => parse_change(text).map(ClientOp::Subscribe),
        "publish" => {
            parse_drafts(raw.events.as_deref().ok_or_else(|| missing("events"))?).map(ClientOp::Publish)
        }
        "auth" => raw.token.clone().map(ClientOp::Auth).ok_or_else(|| missing("token")),
        "ping" => Ok(ClientOp::Ping),
        _ => Err(Problem::new(ErrorCode::InvalidBody, "`op` is subscribe, publish, auth or ping").at("/op")),
    }
}

/// `{"id"?,"event","data"}`: an event or control. `data` is JSON already.
#[must_use]
pub fn event_frame(id: Option<Cursor>, event: &str, data: &str) -> String {
    // Types and control names need no escaping: their alphabets hold neither quotes nor backslashes.
    match id {
        Some(id) => format!("{{\"id\":\"{id}\",\"event\":\"{event}\",\"data\":{data}}}"),
        None => format!("{{\"event\":\"{event}\",\"data\":{data}}}"),
    }
}

/// `{"id"}`: the position has moved.
#[must_use]
pub fn position_frame(id: Cursor) -> String {
    format!("{{\"id\":\"{id}\"}}")
}

/// `{"ref","ok"}`: the answer to a request. `ok` is JSON already.
#[must_use]
pub fn ok_frame(reference: Option<&str>, ok: &str) -> String {
    format!("{{\"ref\":{},\"ok\":{ok}}}", reference.unwrap_or("null"))
}

/// `{"ref","error"}`: the refusal of a request; `error` is the problem's JSON.
#[must_use]
pub fn error_frame(reference: Option<&str>, problem: &Problem) -> String {
    format!("{{\"ref\":{},\"error\":{}}}", reference.unwrap_or("null"), problem.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_their_ref() {
        let (reference, op) = parse_client(br#"{"op":"subscribe","ref":7,"add":[{"channel":"a"},{"channel":"b:*","since":"start"},{"channel":"?"},{"channel":"c","since":"x"}],"remove":["d"]}"#).unwrap();
        assert_eq!(reference.as_deref(), Some("7"));
        let ClientOp::Subscribe(change) = op else { panic!("not a subscribe") };
        assert_eq!(change.add.len(), 2);
        assert_eq!(change.add[1].since, Some(Since::Start));
        assert_eq!(
            change.refused,
            [("?".to_owned(), ErrorCode::InvalidChannel), ("c".to_owned(), ErrorCode::InvalidCursor)]
        );
        assert_eq!(change.remove.len(), 1);
        assert!(matches!(parse_client(br#"{"op":"ping","ref":"p"}"#), Ok((Some(_), ClientOp::Ping))));
        assert!(
            matches!(parse_client(br#"{"op":"publish","events":[{"channel":"a","type":"t","data":1}]}"#), Ok((None, ClientOp::Publish(drafts))) if drafts.len() == 1)
        );
    }

    #[test]
    fn faults_keep_the_ref_where_it_could_be_read() {
        for (text, reference) in [
            (r#"{"op":"dance","ref":"r"}"#, Some("\"r\"")),
            (r#"{"op":"publish","ref":"r"}"#, Some("\"r\"")),
            (r#"{"op":"auth","ref":1}"#, Some("1")),
            (r#"{"ref":"r"}"#, None),
            (r#"{"op":"ping","ref":{"a":1}}"#, None),
            ("[]", None),
        ] {
            let (found, _) = parse_client(text.as_bytes()).unwrap_err();
            assert_eq!(found.as_deref(), reference, "{text}");
        }
    }
}
