//! `GET /openapi.json`.

use axum::response::Response;

use super::json;

/// The description of this API.
pub async fn document() -> Response {
    json(include_str!("openapi.json"))
}
