//! Refusals become responses here, and nowhere else.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use tidings_core::port::StorageError;
use tidings_core::port::store;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

/// A [`Problem`] as the answer to a request.
#[derive(Debug, Clone)]
pub struct Refusal(pub Problem);

/// Stands among the extensions of a response that refuses, also where its status is 200: it is counted by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) ErrorCode);

/// What handlers answer.
pub type Answer<T = Response> = Result<T, Refusal>;

impl Refusal {
    /// A refusal in the table's own words.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self(Problem::of(code))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        // What storage says may name files and statements; it goes to the log, not to the client.
        match error {
            StorageError::UnknownTenant => Self::of(ErrorCode::Unauthenticated),
            StorageError::Unavailable(why) => {
                tracing::warn!(%why, "storage cannot answer");
                Self(Problem::of(ErrorCode::Capacity).retry_after(1))
            }
            StorageError::Failed(why) => {
                tracing::error!(%why, "storage has failed");
                Self::of(ErrorCode::StorageFailed)
            }
        }
    }
}

impl From<store::Refused> for Refusal {
    fn from(refused: store::Refused) -> Self {
        match refused {
            store::Refused::Problem(problem) => Self(problem),
            store::Refused::Storage(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, problem.to_json()).into_response();
        response.extensions_mut().insert(Refused(problem.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) =
            problem.retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(1))
        {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
