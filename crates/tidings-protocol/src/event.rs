//! The event: one fact in a tenant's log, and its native JSON.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::channel::{ChannelName, Pattern};
use crate::cursor::Cursor;
use crate::event_type::{Category, EventType};
use crate::json::push_string;
use crate::time::Timestamp;

/// One fact, as it stands in the log. Immutable from the moment it is committed.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its position, with the lineage under which it was committed: the same text for ever.
    pub id: Cursor,
    /// When it was committed, by the server's clock.
    pub time: Timestamp,
    /// The channel it was published to.
    pub channel: ChannelName,
    /// Up to eight further channels whose subscribers receive it too.
    pub also: Box<[ChannelName]>,
    /// What kind of fact it is (`type` on the wire).
    pub kind: EventType,
    /// A coarser grouping.
    pub category: Option<Category>,
    /// The conflation key: a waiting event is superseded by a later one with the same key. Not sent to subscribers.
    pub key: Option<Arc<str>>,
    /// Who did it, as a publisher with a service key says, or as the credential says.
    pub actor: Option<Box<str>>,
    /// The version of the record that the event tells of.
    pub version: Option<u64>,
    /// The publisher's own name for the change, so that a client knows its own.
    pub mutation_id: Option<Box<str>>,
    /// Whether nothing follows on [`Event::channel`].
    pub terminal: bool,
    /// The payload: JSON without insignificant white space.
    pub data: Box<RawValue>,
}

impl Event {
    /// Its channel and further channels.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        std::iter::once(&self.channel).chain(self.also.iter())
    }

    /// Whether the pattern takes in one of its channels.
    #[must_use]
    pub fn is_on(&self, pattern: &Pattern) -> bool {
        self.channels().any(|channel| pattern.matches(channel))
    }

    /// Whether `later` may stand for this event where both wait for one connection: same channel, same further
    /// channels, same key. A terminal event and one without a key are never superseded.
    #[must_use]
    pub fn is_superseded_by(&self, later: &Self) -> bool {
        !self.terminal
            && self.key.is_some()
            && self.key == later.key
            && self.channel == later.channel
            && self.also == later.also
            && self.id.seq < later.id.seq
    }

    /// The native view: `{"id","channel","type","time","data","also"?,"category"?,"actor"?,"version"?,"mutationId"?,
    /// "terminal"?}`, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Everything put together here is text: no byte is lost in the conversion.
        String::from_utf8(self.to_json_bytes()).unwrap_or_default()
    }

    fn to_json_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.channel.as_str().len() + self.data.get().len());
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(&self.id.to_bytes());
        out.extend_from_slice(b"\",\"channel\":");
        push_string(&mut out, self.channel.as_str());
        out.extend_from_slice(b",\"type\":");
        push_string(&mut out, self.kind.as_str());
        out.extend_from_slice(b",\"time\":\"");
        out.extend_from_slice(self.time.to_string().as_bytes());
        out.extend_from_slice(b"\",\"data\":");
        out.extend_from_slice(self.data.get().as_bytes());
        self.push_optional_members(&mut out);
        out.push(b'}');
        out
    }

    fn push_optional_members(&self, out: &mut Vec<u8>) {
        if !self.also.is_empty() {
            out.extend_from_slice(b",\"also\":[");
            for (index, channel) in self.also.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_string(out, channel.as_str());
            }
            out.push(b']');
        }
        let words = [
            ("category", self.category.as_ref().map(Category::as_str)),
            ("actor", self.actor.as_deref()),
            ("mutationId", self.mutation_id.as_deref()),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":");
                push_string(out, word);
            }
        }
        if let Some(version) = self.version {
            out.extend_from_slice(b",\"version\":");
            out.extend_from_slice(version.to_string().as_bytes());
        }
        if self.terminal {
            out.extend_from_slice(b",\"terminal\":true");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::{Lineage, Seq};

    fn event() -> Event {
        Event {
            id: Cursor::new(Seq(1), Lineage::from_bits(1)),
            time: Timestamp(0),
            channel: "cast:7".parse().unwrap(),
            also: Box::new([]),
            kind: "status".parse().unwrap(),
            category: None,
            key: None,
            actor: None,
            version: None,
            mutation_id: None,
            terminal: false,
            data: RawValue::from_string("{\"a\":1}".into()).unwrap(),
        }
    }

    #[test]
    fn native_json_has_optional_members_only_when_set() {
        assert_eq!(
            event().to_json(),
            r#"{"id":"0000000000001.0000001","channel":"cast:7","type":"status","time":"1970-01-01T00:00:00.000Z","data":{"a":1}}"#
        );
        let full = Event {
            also: Box::new(["u:1".parse().unwrap(), "u:2".parse().unwrap()]),
            category: Some("X".parse().unwrap()),
            key: Some("k".into()),
            actor: Some("u\"1".into()),
            version: Some(3),
            mutation_id: Some("m".into()),
            terminal: true,
            ..event()
        };
        assert_eq!(
            full.to_json(),
            r#"{"id":"0000000000001.0000001","channel":"cast:7","type":"status","time":"1970-01-01T00:00:00.000Z","data":{"a":1},"also":["u:1","u:2"],"category":"X","actor":"u\"1","mutationId":"m","version":3,"terminal":true}"#
        );
    }

    #[test]
    fn superseding_needs_the_same_channels_and_key_and_no_end() {
        let keyed = Event { key: Some("k".into()), ..event() };
        let later = Event { id: Cursor::new(Seq(2), Lineage::from_bits(1)), ..keyed.clone() };
        assert!(keyed.is_superseded_by(&later));
        assert!(!later.is_superseded_by(&keyed));
        assert!(!event().is_superseded_by(&later));
        let ends = Event { terminal: true, ..keyed.clone() };
        assert!(!ends.is_superseded_by(&later));
        let wider = Event { also: Box::new(["u:1".parse().unwrap()]), ..later.clone() };
        assert!(!keyed.is_superseded_by(&wider));
        let elsewhere = Event { channel: "cast:8".parse().unwrap(), ..later };
        assert!(!keyed.is_superseded_by(&elsewhere));
    }
}
