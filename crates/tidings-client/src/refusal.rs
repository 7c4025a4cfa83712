//! What a server's refusal says: `application/problem+json` (RFC 9457).

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_protocol::problem::Problem;

use crate::retry_after::pause;

/// An answer that is not a success. What the codes mean stands in PROTOCOL.md ("Errors").
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The status, e.g. 409.
    pub status: u16,
    /// The problem's stable code, e.g. `channel_ended`; empty where something other than Tidings answered.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// What is at fault: a JSON pointer into the body, a parameter, a header or a channel.
    pub at: Option<String>,
    /// The record as it is, where the request was made from an earlier state of it.
    pub current: Option<Box<RawValue>>,
    /// After how long it makes sense to try again, as `Retry-After` says in seconds or by a date; none where it does not,
    /// or where the date has passed. A year at most.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    detail: String,
    at: Option<String>,
    current: Option<Box<RawValue>>,
}

impl Refusal {
    /// Reads status, headers and body.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let retry_after = pause(headers);
        let status = status.as_u16();
        match serde_json::from_slice::<Body>(body) {
            Ok(Body { code, detail, at, current }) => Self { status, code, detail, at, current, retry_after },
            Err(_) => {
                let detail =
                    format!("the server answered {status} without saying why: is it a Tidings server?");
                Self { status, code: String::new(), detail, at: None, current: None, retry_after }
            }
        }
    }

    /// Whether the same may work later: 408, 429 and 5xx.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..)
    }
}

impl From<Problem> for Refusal {
    /// What the server would say, found before it was asked.
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.code.status(),
            code: problem.code.name().to_owned(),
            detail: problem.detail.to_string(),
            at: problem.at.map(|at| at.to_string()),
            current: None,
            retry_after: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, detail, .. } = self;
        match &self.at {
            Some(at) => write!(f, "{detail} ({code}, at {at})"),
            None if code.is_empty() => f.write_str(detail),
            None => write!(f, "{detail} ({code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    #[test]
    fn problems_are_read_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        let body =
            br#"{"code":"illegal_transition","detail":"It has ended.","at":"/status","current":{"id":"c"}}"#;
        let refusal = Refusal::read(StatusCode::CONFLICT, &headers, body);
        assert_eq!(refusal.to_string(), "It has ended. (illegal_transition, at /status)");
        assert_eq!((refusal.status, refusal.retry_after), (409, Some(Duration::from_secs(7))));
        assert_eq!(refusal.current.as_ref().unwrap().get(), r#"{"id":"c"}"#);
        assert!(!refusal.is_temporary());
    }

    #[test]
    fn what_is_no_problem_is_said_to_be_none() {
        let refusal = Refusal::read(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>");
        assert!(refusal.is_temporary() && refusal.code.is_empty());
        assert!(refusal.to_string().contains("502"));
    }
}
