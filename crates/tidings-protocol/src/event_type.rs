//! Event types and categories: the words by which subscribers choose among a channel's events.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::limits::{CATEGORY_BYTES, TYPE_BYTES};

/// What kind of fact an event is: `[A-Za-z0-9_.:-]{1,100}`, e.g. `gig:created`.
///
/// `error` and `open` are reserved: a browser's `EventSource` fires events of those names itself. Names that begin
/// with `$` are controls and outside the alphabet.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Arc<str>);

/// Why a text is not an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidType {
    /// Outside the alphabet or length.
    #[error("a type is 1 to 100 of A-Z a-z 0-9 _ . : -")]
    Malformed,
    /// One of `EventSource`'s own names.
    #[error("'error' and 'open' are EventSource's own event names; choose another type")]
    Reserved,
}

impl EventType {
    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventType {
    type Err = InvalidType;

    fn from_str(text: &str) -> Result<Self, InvalidType> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        if text.is_empty() || text.len() > TYPE_BYTES || !text.bytes().all(allowed) {
            return Err(InvalidType::Malformed);
        }
        if matches!(text, "error" | "open") {
            return Err(InvalidType::Reserved);
        }
        Ok(Self(text.into()))
    }
}

/// A coarser grouping of types: `[A-Z_]{1,40}`, e.g. `STAGE_EVENTS`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Category(Arc<str>);

/// Why a text is not a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a category is 1 to 40 of A-Z and _")]
pub struct InvalidCategory;

impl Category {
    /// The category as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Category {
    type Err = InvalidCategory;

    fn from_str(text: &str) -> Result<Self, InvalidCategory> {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        if text.is_empty() || text.len() > CATEGORY_BYTES || !text.bytes().all(allowed) {
            return Err(InvalidCategory);
        }
        Ok(Self(text.into()))
    }
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text_newtype!(EventType);
text_newtype!(Category);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_an_alphabet_and_two_reserved_words() {
        for good in ["status", "gig:created", "run.started", "A-b_1", &"t".repeat(100), "errors"] {
            assert_eq!(good.parse::<EventType>().unwrap().as_str(), good);
        }
        for bad in ["", "$ready", "a b", "a\r", "a\n", "é", &"t".repeat(101)] {
            assert_eq!(bad.parse::<EventType>(), Err(InvalidType::Malformed), "{bad:?}");
        }
        for reserved in ["error", "open"] {
            assert_eq!(reserved.parse::<EventType>(), Err(InvalidType::Reserved));
        }
    }

    #[test]
    fn categories_are_upper_case() {
        assert!("STAGE_EVENTS".parse::<Category>().is_ok());
        for bad in ["", "stage", "A1", "A-B", &"A".repeat(41)] {
            assert!(bad.parse::<Category>().is_err(), "{bad:?}");
        }
    }
}
