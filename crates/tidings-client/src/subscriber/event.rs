//! What a subscriber is given.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tidings_protocol::Cursor;

/// Something that a subscriber is told.
#[derive(Debug, Clone)]
pub enum Update {
    /// An event.
    Event(Event),
    /// Events that cannot be given any more: what is held of these channels is to be read anew.
    Gap(Gap),
    /// Events that were left out in favour of the next one with this key.
    Lagged {
        /// The conflation key.
        key: String,
        /// How many.
        skipped: u64,
    },
    /// Channels that were added while the stream was open are part of it: what they missed was given, and from here on
    /// the position stands for them too.
    Joined {
        /// The channels and patterns.
        channels: Vec<String>,
    },
    /// A channel may not be followed, and is not: one that was to be added, or one of several of a stream that was to be
    /// opened. Where it is the only one, the subscriber stops.
    Refused {
        /// The channel or pattern.
        channel: String,
        /// The problem's stable code, e.g. `forbidden_channel`; `too_many_channels` also where the channels together do
        /// not fit in one request.
        code: String,
    },
}

/// An event of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its position, for good: events are told apart and ordered by it.
    #[serde(deserialize_with = "cursor")]
    pub id: Cursor,
    /// The channel that it was published to.
    pub channel: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was committed by the server's clock, RFC 3339; says nothing about order.
    pub time: String,
    /// Its data, as JSON. [`Event::read`] reads it.
    pub data: Box<RawValue>,
    /// Further channels that it is on.
    #[serde(default)]
    pub also: Vec<String>,
    /// A coarser grouping.
    pub category: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// The version of the record that it tells of.
    pub version: Option<u64>,
    /// The publisher's own name for the change.
    pub mutation_id: Option<String>,
    /// Nothing follows on its channel.
    #[serde(default)]
    pub terminal: bool,
}

impl Event {
    /// Its data as a type of the caller's.
    ///
    /// # Errors
    /// The data is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }
}

/// Events of these channels after the position of the subscriber up to `through` that cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// `expired`: retention has removed them. `unknown`: the position is of another history; every cursor that was kept
    /// is void. `unauthorized`: the right to the channels has ended; they are no longer followed.
    pub reason: String,
    /// Channels and patterns.
    pub channels: Vec<String>,
    /// The last position of the gap; none where it has no end (`unauthorized`).
    #[serde(default, deserialize_with = "optional_cursor")]
    pub through: Option<Cursor>,
}

pub(super) fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional_cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cursor>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_with_and_without_its_further_members() {
        let event: Event = serde_json::from_str(
            r#"{"id":"0000000000001.0000002","channel":"a","type":"t","time":"1970-01-01T00:00:00.000Z","data":{"n":1},"also":["b"],"version":3,"mutationId":"m","terminal":true,"new":1}"#,
        )
        .unwrap();
        assert_eq!(
            (event.kind.as_str(), event.version, event.mutation_id.as_deref()),
            ("t", Some(3), Some("m"))
        );
        assert_eq!((event.also.as_slice(), event.terminal), (&["b".to_owned()][..], true));
        assert_eq!(event.read::<serde_json::Value>().unwrap()["n"], 1);
        let event = r#"{"id":"0000000000001.0000002","channel":"a","type":"t","time":"t","data":null}"#;
        assert!(!serde_json::from_str::<Event>(event).unwrap().terminal);
        assert!(serde_json::from_str::<Event>(&event.replace('2', "x")).is_err());
    }

    #[test]
    fn a_gap_may_have_no_end() {
        let gap: Gap =
            serde_json::from_str(r#"{"channels":["a"],"reason":"unauthorized","through":null}"#).unwrap();
        assert_eq!(gap.through, None);
        let gap = r#"{"channels":["a"],"reason":"expired","through":"0000000000001.0000002"}"#;
        assert!(serde_json::from_str::<Gap>(gap).unwrap().through.is_some());
    }
}
