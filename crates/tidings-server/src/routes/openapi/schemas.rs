//! The shapes that requests and answers have.

use serde_json::{Value, json};
use tidings_protocol::ErrorCode;
use tidings_protocol::limits::{
    ALSO_CHANNELS, BATCH_EVENTS, CATEGORY_BYTES, CHANNEL_BYTES, IDEMPOTENCY_KEY_BYTES, TYPE_BYTES, WORD_BYTES,
};

const CURSOR: &str = "^[0-7][0-9A-V]{12}\\.[0-9A-V]{7}$";
const CHANNEL: &str = "^[A-Za-z0-9._~@/-]+(:[A-Za-z0-9._~@/-]+)*$";
const PATTERN: &str = "^(\\*|[A-Za-z0-9._~@/-]+(:[A-Za-z0-9._~@/-]+)*(:\\*)?)$";

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn list(name: &str) -> Value {
    json!({"type": "array", "items": refer(name)})
}

fn query(name: &str, schema: &Value, repeats: bool, description: &str) -> Value {
    let schema = if repeats { json!({"type": "array", "items": schema}) } else { schema.clone() };
    json!({"name": name, "in": "query", "schema": schema, "explode": true, "description": description})
}

/// What may stand in a query, a path or a header.
pub(super) fn parameters() -> Value {
    let since = json!({"anyOf": [{"enum": ["now", "start"]}, refer("Cursor")]});
    let number = |most: Value| json!({"type": "integer", "minimum": 0, "maximum": most});
    json!({
        "channel": query("channel", &refer("Pattern"), true, "Channel or pattern; repeat for more."),
        "type": query("type", &refer("Type"), true, "Only these types."),
        "category": query("category", &refer("Category"), true, "Only these categories."),
        "since": query("since", &since, false, "Where to begin; `now` if not said."),
        "after": query("after", &since, false, "After which cursor."),
        "wait": query("wait", &number(60.into()), false, "Seconds to wait at most; 25 if not said."),
        "limit": query("limit", &number(json!(1_000_000)), false, "Events in the answer at most."),
        "ticket": query("ticket", &json!({"type": "string"}), false, "A ticket in place of a credential."),
        "heartbeat": query("heartbeat", &json!({"enum": ["comment", "event"]}), false, "How heartbeats come."),
        "batch": query("batch", &number(60_000.into()), false, "Milliseconds for which events are gathered into one."),
        "Last-Event-ID": {
            "name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
            "description": "The last id received; wins over `since`.",
        },
        "id": {
            "name": "id", "in": "path", "required": true, "schema": {"type": "string"},
            "description": "The id of what is asked for.",
        },
        "session": {
            "name": "session", "in": "path", "required": true, "schema": {"type": "string"},
            "description": "The session's id, from `$ready`.",
        },
    })
}

/// Everything else.
pub(super) fn schemas() -> Value {
    let mut schemas = names();
    for group in [publishing(), reading(), administration(), accounts()] {
        if let (Value::Object(all), Value::Object(more)) = (&mut schemas, group) {
            all.extend(more);
        }
    }
    schemas
}

fn names() -> Value {
    json!({
        "Cursor": {"type": "string", "pattern": CURSOR},
        "Channel": {"type": "string", "pattern": CHANNEL, "maxLength": CHANNEL_BYTES},
        "Pattern": {"type": "string", "pattern": PATTERN, "maxLength": CHANNEL_BYTES},
        "Type": {
            "type": "string", "pattern": "^[A-Za-z0-9_.:-]+$", "maxLength": TYPE_BYTES, "not": {"enum": ["error", "open"]},
        },
        "Category": {"type": "string", "pattern": "^[A-Z_]+$", "maxLength": CATEGORY_BYTES},
        "Word": {"type": "string", "minLength": 1, "maxLength": WORD_BYTES},
    })
}

fn publishing() -> Value {
    json!({
        "Draft": {
            "type": "object",
            "required": ["channel", "type", "data"],
            "properties": {
                "channel": refer("Channel"),
                "also": {"type": "array", "items": refer("Channel"), "maxItems": ALSO_CHANNELS},
                "type": refer("Type"),
                "data": {"description": "Any JSON, at most 64 KiB."},
                "key": refer("Word"),
                "category": refer("Category"),
                "version": {"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64},
                "mutationId": refer("Word"),
                "terminal": {"type": "boolean"},
                "actor": refer("Word"),
                "idempotencyKey": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES},
            },
        },
        "Publish": {"anyOf": [
            refer("Draft"),
            {"type": "object", "required": ["events"], "properties": {
                "events": {"type": "array", "items": refer("Draft"), "minItems": 1, "maxItems": BATCH_EVENTS},
            }},
        ]},
        "Receipt": {
            "type": "object",
            "required": ["id", "duplicate"],
            "properties": {"id": refer("Cursor"), "duplicate": {"type": "boolean"}},
        },
        "Receipts": {"type": "object", "required": ["events"], "properties": {"events": list("Receipt")}},
    })
}

fn reading() -> Value {
    json!({
        "Event": {
            "type": "object",
            "required": ["id", "channel", "type", "time", "data"],
            "properties": {
                "id": refer("Cursor"), "channel": refer("Channel"), "type": refer("Type"),
                "time": {"type": "string", "format": "date-time"}, "data": {},
                "also": list("Channel"), "category": refer("Category"), "actor": refer("Word"),
                "version": {"type": "integer"}, "mutationId": refer("Word"), "terminal": {"const": true},
            },
        },
        "Reset": {
            "type": "object",
            "required": ["reason", "channels", "through"],
            "properties": {
                "reason": {"enum": ["expired", "unknown", "unauthorized"]},
                "channels": list("Pattern"),
                "through": {"anyOf": [refer("Cursor"), {"type": "null"}]},
            },
        },
        "Page": {
            "type": "object",
            "required": ["events", "cursor", "more", "resets"],
            "properties": {
                "events": list("Event"), "cursor": refer("Cursor"), "more": {"type": "boolean"}, "resets": list("Reset"),
            },
        },
        "Poll": {
            "type": "object",
            "required": ["channel"],
            "properties": {
                "channel": list("Pattern"), "type": list("Type"), "category": list("Category"),
                "after": refer("Cursor"), "wait": {"type": "integer", "maximum": 60}, "limit": {"type": "integer"},
            },
        },
        "Change": {
            "type": "object",
            "properties": {
                "add": {"type": "array", "maxItems": 1_000, "items": {
                    "type": "object", "required": ["channel"],
                    "properties": {"channel": refer("Pattern"), "since": {"type": "string"}},
                }},
                "remove": {"type": "array", "maxItems": 1_000, "items": refer("Pattern")},
            },
        },
        "Changed": {
            "type": "object",
            "required": ["added", "refused"],
            "properties": {
                "added": list("Pattern"),
                "refused": {"type": "array", "items": {"type": "object", "required": ["channel", "code"], "properties": {
                    "channel": {"type": "string"}, "code": refer("Code"),
                }}},
            },
        },
    })
}

fn administration() -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    json!({
        "TicketRequest": {
            "type": "object",
            "required": ["channels"],
            "properties": {"channels": list("Pattern"), "origin": {"type": "string"}},
        },
        "Ticket": {
            "type": "object",
            "required": ["ticket", "expiresAt"],
            "properties": {"ticket": {"type": "string"}, "expiresAt": {"type": "string", "format": "date-time"}},
        },
        "Status": {"type": "object"},
        "Code": {"type": "string", "enum": codes},
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "code": refer("Code"), "detail": {"type": "string"}, "at": {"type": "string"},
                "current": {"description": "The record as it is, where the request was made from an earlier state of it."},
            },
        },
    })
}

/// Users and their sessions.
fn accounts() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let optional = json!({"type": ["string", "null"]});
    json!({
        "Login": {
            "type": "object",
            "required": ["email", "password"],
            "properties": {"email": text, "password": {"type": "string", "format": "password"}},
        },
        "Me": {
            "type": "object",
            "required": ["user"],
            "properties": {"user": {
                "type": "object",
                "required": ["id", "email", "role", "tenant"],
                "properties": {
                    "id": text, "email": optional, "role": {"enum": ["member", "admin"]}, "tenant": text,
                },
            }},
        },
        "CookieSessions": {
            "type": "object",
            "required": ["items", "nextCursor"],
            "properties": {
                "items": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "id": text, "createdAt": time, "expiresAt": time, "ipAddress": optional,
                        "userAgent": optional, "current": {"type": "boolean"},
                    },
                }},
                "nextCursor": {"type": "null"},
            },
        },
    })
}
