//! The limits that are part of the protocol.

use tidings_protocol::limits as l;

/// A limit by its name in Rust, which is its name in TypeScript too, with what it limits.
type Limit = (&'static str, usize, &'static str);

const ALL: &[Limit] = &[
    ("CHANNEL_BYTES", l::CHANNEL_BYTES, "Longest channel name, in bytes."),
    ("TYPE_BYTES", l::TYPE_BYTES, "Longest event type, in bytes."),
    ("CATEGORY_BYTES", l::CATEGORY_BYTES, "Longest category, in bytes."),
    ("DATA_BYTES", l::DATA_BYTES, "Largest `data` of one event, in bytes of JSON."),
    ("DATA_DEPTH", l::DATA_DEPTH, "Deepest nesting of arrays and objects in `data`."),
    ("BATCH_EVENTS", l::BATCH_EVENTS, "Most events in one publish."),
    ("BATCH_BYTES", l::BATCH_BYTES, "Largest body of one publish, in bytes."),
    ("ALSO_CHANNELS", l::ALSO_CHANNELS, "Most further channels (`also`) of one event."),
    ("WORD_BYTES", l::WORD_BYTES, "Longest conflation key, mutation id and actor, in bytes."),
    ("IDEMPOTENCY_KEY_BYTES", l::IDEMPOTENCY_KEY_BYTES, "Longest idempotency key, in bytes."),
    (
        "URL_BYTES",
        l::URL_BYTES,
        "Longest request target, in bytes; more channels than fit go by `POST` or are added live.",
    ),
    (
        "STREAM_TRAILING_BYTES",
        l::STREAM_TRAILING_BYTES,
        "Most bytes after the head of a stream's request before it is closed.",
    ),
    ("TENANT_BYTES", l::TENANT_BYTES, "Longest tenant name, in bytes."),
    ("FILTER_WORDS", l::FILTER_WORDS, "Most types and most categories in one filter."),
];

/// What a publisher needs to know.
pub(super) const PUBLISH: &[&str] = &["BATCH_EVENTS", "BATCH_BYTES", "DATA_BYTES"];

/// Every limit.
pub(super) fn render() -> String {
    ALL.iter().map(declaration).collect()
}

/// The limits of these names.
pub(super) fn render_some(names: &[&str]) -> String {
    ALL.iter().filter(|(name, ..)| names.contains(name)).map(declaration).collect()
}

fn declaration((name, value, about): &Limit) -> String {
    format!("\n{}export const {name} = {};\n", super::shape::comment("", about), grouped(*value))
}

/// The number with its digits in threes: `65_536`.
fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_there() {
        let source = include_str!("../../../crates/tidings-protocol/src/limits.rs");
        let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
        assert_eq!(names.collect::<Vec<_>>(), ALL.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
        assert!(PUBLISH.iter().all(|name| ALL.iter().any(|(other, ..)| other == name)));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!((grouped(8), grouped(100), grouped(65_536)), ("8".into(), "100".into(), "65_536".into()));
        assert_eq!(grouped(1_048_576), "1_048_576");
    }
}
