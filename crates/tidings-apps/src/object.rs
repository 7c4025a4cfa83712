//! A JSON object, written member by member in the order in which readers expect them.

use serde::Serialize;
use serde_json::value::RawValue;

/// An object under way.
#[derive(Debug, Default)]
pub struct Object(String);

impl Object {
    /// The object with a further member; the name needs no escape.
    #[must_use]
    pub fn put(mut self, name: &str, value: &impl Serialize) -> Self {
        // Texts, numbers and JSON that was checked: writing them cannot fail.
        let Ok(value) = serde_json::to_string(value) else { return self };
        let comma = if self.0.is_empty() { "" } else { "," };
        self.0.push_str(&format!("{comma}\"{name}\":{value}"));
        self
    }

    /// The same, where there is a value.
    #[must_use]
    pub fn put_some(self, name: &str, value: Option<&impl Serialize>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    /// The text, on one line.
    #[must_use]
    pub fn into_text(self) -> String {
        format!("{{{}}}", self.0)
    }

    /// The text as JSON.
    #[must_use]
    pub fn into_raw(self) -> Box<RawValue> {
        RawValue::from_string(self.into_text()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_their_order() {
        let object = Object::default().put("b", &"x\n\"y\"").put("a", &None::<u8>).put_some("c", None::<&u8>);
        assert_eq!(object.put_some("d", Some(&7)).into_raw().get(), r#"{"b":"x\n\"y\"","a":null,"d":7}"#);
        assert_eq!(Object::default().into_text(), "{}");
    }
}
