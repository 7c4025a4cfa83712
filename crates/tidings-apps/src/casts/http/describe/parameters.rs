//! What may stand in the queries, paths and headers of casts' routes, besides what the core describes.

use serde_json::{Map, Value, json};

use super::schemas::{self, refer};
use crate::casts::view::FrameName;

fn parameter(place: &str, name: &str, schema: &Value, description: &str) -> Value {
    json!({"name": name, "in": place, "schema": schema, "description": description})
}

fn query(name: &str, schema: &Value, description: &str) -> Value {
    parameter("query", name, schema, description)
}

fn header(name: &str, is_needed: bool, description: &str) -> Value {
    let mut header = parameter("header", name, &json!({"type": "string"}), description);
    header["required"] = is_needed.into();
    header
}

/// By the names that the table of routes uses.
pub(super) fn parameters() -> Map<String, Value> {
    let names = FrameName::ALL.map(FrameName::name).join(", ");
    let frames = format!("Only these frames: {names}, or types that a backend relays; repeat for more.");
    let many = |schema: &Value| json!({"type": "array", "items": schema});
    let word = json!({"type": "string", "minLength": 1, "maxLength": 255});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50});
    let delivery = "Names the delivery; one that comes again changes nothing.";
    let signature =
        "`sha256=` and the HMAC-SHA-256 of the body under the webhook's secret, in lower-case hexadecimal.";
    let all = [
        ("castId", query("castId", &many(&refer("CastId")), "These casts; repeat for more.")),
        (
            "scope",
            query(
                "scope",
                &json!({"enum": ["mine", "all"]}),
                "Whose, where no cast is named; `mine` if not said.",
            ),
        ),
        ("frame", query("type", &many(&refer("Type")), &frames)),
        ("castIds", query("id", &many(&refer("CastId")), "These casts alone; repeat for more, 200 at most.")),
        ("userId", query("userId", &schemas::user_id(), "Of this user.")),
        ("status", query("status", &refer("CastStatus"), "With this status.")),
        (
            "repository",
            query("repository", &schemas::repository(), "Of this repository, in any case of letters."),
        ),
        (
            "cursor",
            query("cursor", &json!({"type": "string"}), "The next page: a `nextCursor` as it was given."),
        ),
        ("castsLimit", query("limit", &limit, "Casts in the answer at most.")),
        (
            "If-Match",
            header(
                "If-Match",
                false,
                "Entity tags as `ETag` gave them: the change is for one of these versions.",
            ),
        ),
        (
            "Idempotency-Key",
            parameter("header", "Idempotency-Key", &word, "Makes repeats one change; 24 hours at least."),
        ),
        ("X-GitHub-Event", header("X-GitHub-Event", true, "What the delivery tells: `workflow_run`.")),
        ("X-GitHub-Delivery", header("X-GitHub-Delivery", true, delivery)),
        ("X-Hub-Signature-256", header("X-Hub-Signature-256", true, signature)),
    ];
    all.into_iter().map(|(name, parameter)| (name.to_owned(), parameter)).collect()
}
