//! Targets for what clients write in words: names, cursors, publishes, requests.

use crate::channel::{ChannelName, Pattern};
use crate::cursor::Cursor;
use crate::event_type::{Category, EventType};
use crate::limits::{ALSO_CHANNELS, BATCH_EVENTS, CHANNEL_BYTES, DATA_BYTES};
use crate::publish::parse_publish;
use crate::socket::{CHANGE_ENTRIES, ClientOp, parse_change, parse_client};
use crate::tenant::TenantId;

/// A cursor reads back as the text it was read from, and nothing else is one.
pub fn cursor(data: &[u8]) {
    if let Ok(cursor) = Cursor::from_bytes(data) {
        assert_eq!(cursor.to_bytes().as_slice(), data);
    }
}

/// Names read back as their text; what they may hold cannot break a line, a field or a JSON string.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let harmless = |text: &str| {
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'))
    };
    if let Ok(channel) = text.parse::<ChannelName>() {
        assert_eq!(channel.as_str(), text);
        assert!(text.len() <= CHANNEL_BYTES);
        harmless(text);
        let exact = Pattern::Exact(channel.clone());
        assert!(exact.matches(&channel) && Pattern::All.covers(&exact));
        for prefix in channel.prefixes() {
            assert!(format!("{prefix}*").parse::<Pattern>().is_ok_and(|pattern| pattern.matches(&channel)));
        }
    }
    if let Ok(pattern) = text.parse::<Pattern>() {
        assert_eq!(pattern.to_string(), text);
        assert!(pattern.covers(&pattern));
    }
    if let Ok(kind) = text.parse::<EventType>() {
        assert!(!matches!(kind.as_str(), "error" | "open") && !text.starts_with('$'));
        harmless(text);
    }
    if text.parse::<Category>().is_ok() {
        harmless(text);
    }
    if text.parse::<TenantId>().is_ok() {
        harmless(text);
    }
}

/// A publish that is taken is within the limits, and its data is the same JSON on one line.
pub fn publish(data: &[u8]) {
    let Ok(drafts) = parse_publish(data) else { return };
    assert!((1..=BATCH_EVENTS).contains(&drafts.len()));
    for draft in &drafts {
        let text = draft.data.get();
        assert!(text.len() <= DATA_BYTES && !text.contains(['\n', '\r']));
        assert!(draft.also.len() <= ALSO_CHANNELS && !draft.also.contains(&draft.channel));
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        assert_eq!(draft.fingerprint(), draft.clone().fingerprint());
    }
}

/// Requests are within the limits; a `ref` comes back as valid JSON.
pub fn requests(data: &[u8]) {
    if let Ok(change) = parse_change(data) {
        assert!(change.add.len() + change.refused.len() <= CHANGE_ENTRIES);
    }
    let (reference, op) = match parse_client(data) {
        Ok((reference, op)) => (reference, Some(op)),
        Err((reference, _)) => (reference, None),
    };
    if let Some(reference) = reference {
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(&reference).is_ok());
    }
    if let Some(ClientOp::Publish(drafts)) = op {
        assert!((1..=BATCH_EVENTS).contains(&drafts.len()));
    }
}
