//! Refusals: a stable code, a sentence that says what to do, and where in the request the fault lies.

use crate::code::ErrorCode;

/// Why a request is refused. On HTTP it becomes `application/problem+json` (RFC 9457), on a WebSocket the `error` of
/// the answer with the request's `ref`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
}

impl Problem {
    /// A refusal with the table's meaning of the code as its detail.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self::new(code, code.meaning())
    }

    /// A refusal with a sentence of its own.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), at: None, retry_after: None }
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

    /// The JSON body: `{"type","title","status","code","detail","at"?}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": self.code.meaning(),
            "status": self.code.status(),
            "code": self.code.name(),
            "detail": self.detail,
        });
        if let Some(at) = &self.at {
            body["at"] = at.as_str().into();
        }
        body.to_string()
    }
}
