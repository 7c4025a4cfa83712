//! Refusals: a stable code, a sentence that says what to do, and where in the request the fault lies.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::code::ErrorCode;

/// Why a request is refused. On HTTP it becomes `application/problem+json` (RFC 9457), on a WebSocket the `error` of
/// the answer with the request's `ref`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The stable code; it determines the HTTP status.
    pub code: ErrorCode,
    /// One sentence for the person who sent the request: what is wrong and what to do.
    pub detail: String,
    /// Where the fault lies: a JSON pointer into the body (RFC 6901) or the name of a parameter.
    pub at: Option<String>,
    /// Seconds after which trying again makes sense (`Retry-After`).
    pub retry_after: Option<u32>,
    /// The record as it is, where the request was made from an earlier state of it (`current`).
    pub current: Option<Box<RawValue>>,
}

impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        let text = |current: &Option<Box<RawValue>>| current.as_ref().map(|raw| raw.get().to_owned());
        (self.code, &self.detail, &self.at, self.retry_after)
            == (other.code, &other.detail, &other.at, other.retry_after)
            && text(&self.current) == text(&other.current)
    }
}

impl Eq for Problem {}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a RawValue>,
}

impl Problem {
    /// A refusal with the table's meaning of the code as its detail.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self::new(code, code.meaning())
    }

    /// A refusal with a sentence of its own.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), at: None, retry_after: None, current: None }
    }

    /// The same, naming the member or parameter at fault.
    #[must_use]
    pub fn at(self, at: impl Into<String>) -> Self {
        Self { at: Some(at.into()), ..self }
    }

    /// The same, with a time after which to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, with the record as it is: JSON.
    #[must_use]
    pub fn current(self, record: Box<RawValue>) -> Self {
        Self { current: Some(record), ..self }
    }

    /// The JSON body: `{"type","title","status","code","detail","at"?,"current"?}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let shown = Shown {
            kind: "about:blank",
            title: self.code.meaning(),
            status: self.code.status(),
            code: self.code.name(),
            detail: &self.detail,
            at: self.at.as_deref(),
            current: self.current.as_deref(),
        };
        // Texts and a number: nothing that cannot be written.
        serde_json::to_string(&shown).unwrap_or_default()
    }
}
