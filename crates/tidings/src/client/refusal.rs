//! What a server's refusal says.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::failure::Failure;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What `Retry-After` names.
    pub(crate) after: Option<Duration>,
    message: String,
}

/// `application/problem+json` (RFC 9457), as far as people need it.
#[derive(Debug, Deserialize)]
struct Body {
    code: String,
    detail: String,
    at: Option<String>,
}

impl Refusal {
    /// Reads status, headers and body.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let message = match serde_json::from_slice::<Body>(body) {
            Ok(Body { code, detail, at: Some(at) }) => format!("{detail} ({code}, at {at})"),
            Ok(Body { code, detail, at: None }) => format!("{detail} ({code})"),
            Err(_) => format!("the server answered {status}: is it a Tidings server?"),
        };
        Self { status, after: seconds.map(Duration::from_secs), message }
    }

    /// Whether the same may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            || self.status == StatusCode::REQUEST_TIMEOUT
            || self.status.is_server_error()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::refused(refusal.message),
            _ => Self::new(refusal.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_become_sentences() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        let body =
            br#"{"type":"about:blank","title":"t","status":429,"code":"rate_limited","detail":"Too many."}"#;
        let refusal = Refusal::read(StatusCode::TOO_MANY_REQUESTS, &headers, body);
        assert_eq!((refusal.after, refusal.is_temporary()), (Some(Duration::from_secs(7)), true));
        assert_eq!(Failure::from(refusal), Failure::new("Too many. (rate_limited)"));
        let body = br#"{"code":"forbidden_channel","detail":"No.","at":"/channel"}"#;
        let refusal = Refusal::read(StatusCode::FORBIDDEN, &HeaderMap::new(), body);
        assert_eq!(Failure::from(refusal), Failure::refused("No. (forbidden_channel, at /channel)"));
        let refusal = Refusal::read(StatusCode::NOT_FOUND, &HeaderMap::new(), b"<html>");
        assert!(!refusal.is_temporary());
        assert!(Failure::from(refusal).to_string().contains("404"));
    }
}
