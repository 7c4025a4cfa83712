//! JSON of strangers, read so that there is one way to read it.
//!
//! A member that stands twice in an object, at whatever depth, is refused (RFC 8725 section 2.4): the first of two
//! parsers would take the one, the second the other. Numbers are whole or of no use here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// A number from 0 on, written without fraction and exponent.
    Whole(u64),
    /// Any other number.
    OtherNumber,
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// An object's members, by name.
pub(super) type Members = BTreeMap<String, Json>;

/// Reads an object; `None` where the text is anything else, or has anything twice.
pub(super) fn object(text: &[u8]) -> Option<Members> {
    match serde_json::from_slice(text) {
        Ok(Json::Object(members)) => Some(members),
        _ => None,
    }
}

impl Json {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list of texts, if it is one.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(u64::try_from(value).map_or(Json::OtherNumber, Json::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Members::new();
        while let Some(name) = map.next_key::<String>()? {
            match members.entry(name) {
                Entry::Occupied(_) => return Err(A::Error::custom("a member stands twice")),
                Entry::Vacant(place) => drop(place.insert(map.next_value()?)),
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_once_however_they_are_written() {
        for good in [r#"{"a":1,"A":1}"#, r#" {"a":{"a":1}} "#, "{}", r#"{"":null,"x":[{"a":1},{"a":2}]}"#] {
            assert!(object(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            "[]",
            "null",
            "",
            "{}{}",
            "{\"a\":1,}",
            "\u{feff}{}",
            r#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(object(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
    }

    #[test]
    fn numbers_are_whole_or_of_no_use() {
        let read = |text: &str| object(format!("{{\"n\":{text}}}").as_bytes()).unwrap().remove("n").unwrap();
        assert_eq!(read("0"), Json::Whole(0));
        assert_eq!(read("9223372036854775808"), Json::Whole(1 << 63));
        for other in ["-1", "-0", "1.0", "1e3", "18446744073709551616", "1E-1"] {
            assert_eq!(read(other), Json::OtherNumber, "{other}");
        }
    }
}
