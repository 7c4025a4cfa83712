//! A held value as JSON text in `held`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::port::store::{RecordKey, RecordWrite};
use tidings_protocol::{ChannelName, Draft};

/// An event that waits, and the records that change with it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) event: Draft,
    pub(crate) records: Vec<RecordWrite>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    channel: String,
    also: Vec<String>,
    r#type: String,
    category: Option<String>,
    key: Option<String>,
    actor: Option<String>,
    version: Option<u64>,
    mutation_id: Option<String>,
    terminal: bool,
    data: Box<RawValue>,
    records: Vec<RecordText>,
}

#[derive(Serialize, Deserialize)]
struct RecordText {
    kind: String,
    id: String,
    /// None deletes.
    body: Option<String>,
    /// None in what version 1 of the file has written.
    #[serde(default)]
    tags: Vec<String>,
}

impl Held {
    /// The text. An idempotency key has no part in a held value.
    pub(crate) fn encode(&self) -> Result<String, serde_json::Error> {
        let event = &self.event;
        serde_json::to_string(&Text {
            channel: event.channel.to_string(),
            also: event.also.iter().map(ChannelName::to_string).collect(),
            r#type: event.kind.to_string(),
            category: event.category.as_ref().map(ToString::to_string),
            key: event.key.as_deref().map(str::to_owned),
            actor: event.actor.as_deref().map(str::to_owned),
            version: event.version,
            mutation_id: event.mutation_id.as_deref().map(str::to_owned),
            terminal: event.terminal,
            data: event.data.clone(),
            records: self.records.iter().map(RecordText::of).collect(),
        })
    }

    /// The value; the reason where the text is none.
    pub(crate) fn decode(text: &str) -> Result<Self, String> {
        let text: Text = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let also: Result<Vec<ChannelName>, _> = text.also.iter().map(|name| name.parse()).collect();
        let event = Draft {
            channel: read(&text.channel)?,
            also: also.map_err(|error: tidings_protocol::channel::InvalidChannel| error.to_string())?.into(),
            kind: read(&text.r#type)?,
            category: text.category.as_deref().map(read).transpose()?,
            key: text.key.map(Into::into),
            actor: text.actor.map(Into::into),
            version: text.version,
            mutation_id: text.mutation_id.map(Into::into),
            terminal: text.terminal,
            data: text.data,
            idempotency_key: None,
        };
        Ok(Self { event, records: text.records.into_iter().map(RecordText::into_write).collect() })
    }
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl RecordText {
    fn of(write: &RecordWrite) -> Self {
        let (key, body, tags) = match write {
            RecordWrite::Put { key, body, tags } => (key, Some(body.clone()), tags.clone()),
            RecordWrite::Delete(key) => (key, None, Vec::new()),
        };
        Self { kind: key.kind.clone(), id: key.id.clone(), body, tags }
    }

    fn into_write(self) -> RecordWrite {
        let key = RecordKey { kind: self.kind, id: self.id };
        match self.body {
            Some(body) => RecordWrite::Put { key, body, tags: self.tags },
            None => RecordWrite::Delete(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_value_reads_back() {
        let body = br#"{"channel":"a:1","also":["b","c"],"type":"t","category":"C","key":"k","actor":"u","version":3,
            "mutationId":"m","terminal":true,"data":{"x":[1,2.50]}}"#;
        let event = tidings_protocol::publish::parse_publish(body).unwrap().remove(0);
        let key = RecordKey { kind: "run".into(), id: "7".into() };
        let records = vec![
            RecordWrite::Put { key: key.clone(), body: "{\"a\": 1}".into(), tags: vec!["t:1".into()] },
            RecordWrite::Delete(key),
        ];
        let held = Held { event, records };
        let back = Held::decode(&held.encode().unwrap()).unwrap();
        assert_eq!(back.event.fingerprint(), held.event.fingerprint());
        assert_eq!(back.records, held.records);
    }
}
