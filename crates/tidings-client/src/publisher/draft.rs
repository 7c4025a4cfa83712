//! An event that is to be published, and the form in which it is sent, again and again if need be.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_protocol::publish::parse_publish;

use super::error::PublishError;

/// An event that is to be published. What its members mean stands in PROTOCOL.md ("Publishing").
///
/// Limits: a channel of 200 bytes, a type of 100, a category of 40, key, mutation id and actor of 200 each, an idempotency key
/// of 255; data of 64 KiB as JSON, nested 64 deep. They are checked when it is published, before it is sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    channel: String,
    #[serde(rename = "type")]
    kind: String,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    terminal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

impl Draft {
    /// An event of this type on this channel: not a pattern, and not one that an app keeps for itself (`cast:…`).
    ///
    /// # Errors
    /// `data` cannot be written as JSON.
    pub fn new(
        channel: impl Into<String>,
        kind: impl Into<String>,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            channel: channel.into(),
            kind: kind.into(),
            data: serde_json::value::to_raw_value(data)?,
            also: Vec::new(),
            key: None,
            category: None,
            version: None,
            mutation_id: None,
            actor: None,
            terminal: false,
            idempotency_key: None,
        })
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its data, as JSON.
    #[must_use]
    pub fn data(&self) -> &str {
        self.data.get()
    }

    /// A further channel whose subscribers receive it too; eight at most.
    #[must_use]
    pub fn also(mut self, channel: impl Into<String>) -> Self {
        self.also.push(channel.into());
        self
    }

    /// The conflation key: of events that wait for one connection a later one with the same key stands for this one.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// A coarser grouping than the type.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// The version of the record that it tells of.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// The publisher's own name for the change.
    #[must_use]
    pub fn mutation_id(mut self, id: impl Into<String>) -> Self {
        self.mutation_id = Some(id.into());
        self
    }

    /// Who did it; for service keys only.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Nothing follows on its channel.
    #[must_use]
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// The publisher's own idempotency key, where one is at hand that outlives this process. Without one, each call
    /// draws its own, and keeps it over its attempts. The server knows it for 24 hours at least; the same key with another
    /// event is refused (`idempotency_conflict`).
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The form in which it is sent.
    ///
    /// # Errors
    /// [`PublishError::Refused`], as the server would.
    pub(super) fn seal(mut self) -> Result<Sealed, PublishError> {
        self.idempotency_key.get_or_insert_with(draw_key);
        let text =
            serde_json::to_string(&self).map_err(|error| PublishError::Misunderstood(error.to_string()))?;
        parse_publish(text.as_bytes()).map_err(|problem| PublishError::Refused(problem.into()))?;
        Ok(Sealed { text, draft: self })
    }
}

/// A text that nobody else draws: 128 random bits.
pub(crate) fn draw_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A draft with its idempotency key and its JSON: the same bytes for each attempt.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) text: String,
    pub(super) draft: Draft,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_sent() {
        let draft = Draft::new("a", "t", &[1, 2]).unwrap();
        assert_eq!(serde_json::to_string(&draft).unwrap(), r#"{"channel":"a","type":"t","data":[1,2]}"#);
        let draft = draft.also("b").key("k").category("C").version(3).mutation_id("m").actor("u").terminal();
        assert_eq!(
            draft.idempotency_key("i").seal().unwrap().text,
            r#"{"channel":"a","type":"t","data":[1,2],"also":["b"],"key":"k","category":"C","version":3,"mutationId":"m","actor":"u","terminal":true,"idempotencyKey":"i"}"#
        );
    }

    #[test]
    fn each_call_has_a_key_of_its_own() {
        let draft = Draft::new("a", "t", &()).unwrap();
        let (one, other) = (draft.clone().seal().unwrap(), draft.seal().unwrap());
        assert_ne!(one.text, other.text);
        assert_eq!(one.draft.idempotency_key.unwrap().len(), 32);
    }

    #[test]
    fn faults_are_found_before_anything_is_sent() {
        for (channel, kind, code) in [("a:*", "t", "invalid_channel"), ("a", "$end", "invalid_type")] {
            let error = Draft::new(channel, kind, &1).unwrap().seal().unwrap_err();
            assert_eq!(error.code(), Some(code));
        }
        assert!(Draft::new("a", "t", &1).unwrap().seal().is_ok());
        let large = "x".repeat(70_000);
        assert_eq!(Draft::new("a", "t", &large).unwrap().seal().unwrap_err().code(), Some("body_too_large"));
    }
}
