//! The members of a JSON object, read one by one: each refusal names its place.
//!
//! A member that is `null` is as if it were not there; members that nobody asks for are ignored. One that stands twice is
//! refused.

use jiff::Timestamp as Instant;
use serde_json::{Map, Value};
use tidings_core::port::users::UserId;
use tidings_protocol::ErrorCode;
use tidings_protocol::json::from_object;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

/// The largest whole number a JSON client can hold exactly (2^53 - 1).
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// An object's members, and where in the body the object stands.
#[derive(Debug)]
pub struct Members {
    members: Map<String, Value>,
    place: String,
}

impl Members {
    /// Reads a JSON object that stands at `place` of the body, a JSON pointer; empty for the body itself.
    ///
    /// # Errors
    /// `invalid_body` for what is no JSON object, or has a member twice.
    pub fn parse(text: &[u8], place: &str) -> Result<Self, Problem> {
        let members = from_object(text).map_err(|problem| match place {
            "" => problem,
            place => problem.at(place),
        })?;
        Ok(Self { members, place: place.to_owned() })
    }

    /// No members.
    #[must_use]
    pub fn none(place: &str) -> Self {
        Self { members: Map::new(), place: place.to_owned() }
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A refusal of a member.
    pub fn refuse(&self, name: &str, detail: impl Into<String>) -> Problem {
        Problem::new(ErrorCode::InvalidBody, detail).at(format!("{}/{name}", self.place))
    }

    /// The same object's member, which has to be there.
    ///
    /// # Errors
    /// `invalid_body` where it is not.
    pub fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, Problem> {
        value.ok_or_else(|| self.refuse(name, format!("`{name}` is needed here")))
    }

    /// A member's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text of at most `max` characters.
    ///
    /// # Errors
    /// `invalid_body` for what is no text or too long.
    pub fn text(&self, name: &str, max: usize) -> Result<Option<String>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_str() {
            Some(text) if text.chars().count() <= max => Ok(Some(text.to_owned())),
            _ => Err(self.refuse(name, format!("`{name}` is a text of at most {max} characters"))),
        }
    }

    /// A word of 1 to `max` bytes without control characters: a name or a key.
    ///
    /// # Errors
    /// `invalid_body` for anything else.
    pub fn word(&self, name: &str, max: usize) -> Result<Option<Box<str>>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let is_word =
            |text: &&str| !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
        let word = value.as_str().filter(is_word);
        word.map(|text| Some(text.into())).ok_or_else(|| {
            self.refuse(name, format!("`{name}` is a text of 1 to {max} bytes without control characters"))
        })
    }

    /// A whole number from 0 to 2^53 - 1; `250.0` is one too.
    ///
    /// # Errors
    /// `invalid_body` for anything else.
    pub fn whole(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let whole = value.as_u64().or_else(|| value.as_f64().and_then(whole_of)).filter(|n| *n <= WHOLE_MAX);
        whole
            .map(Some)
            .ok_or_else(|| self.refuse(name, format!("`{name}` is a whole number from 0 to {WHOLE_MAX}")))
    }

    /// An instant: RFC 3339 with its offset from UTC, from 1970 on; milliseconds are kept.
    ///
    /// # Errors
    /// `invalid_body` for anything else.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().and_then(parse_instant).map(Some).ok_or_else(|| {
            self.refuse(name, format!("`{name}` is an instant, e.g. \"2026-11-06T10:00:00.000Z\""))
        })
    }

    /// A user's id.
    ///
    /// # Errors
    /// `invalid_body` for anything else.
    pub fn user(&self, name: &str) -> Result<Option<UserId>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().and_then(UserId::new).map(Some).ok_or_else(|| {
            self.refuse(name, format!("`{name}` is a user's id: 1 to 300 bytes without control characters"))
        })
    }
}

/// A number without a fraction as a whole one.
fn whole_of(number: f64) -> Option<u64> {
    // Up to 2^53 every whole f64 is a u64 exactly.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (number.fract() == 0.0 && (0.0..=WHOLE_MAX as f64).contains(&number)).then_some(number as u64)
}

/// Reads an instant as it is written on the wire (RFC 3339), from 1970 on.
#[must_use]
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let instant: Instant = text.parse().ok()?;
    (text.len() <= 64 && instant.as_millisecond() >= 0).then(|| Timestamp(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Members {
        Members::parse(text.as_bytes(), "/data").unwrap()
    }

    #[test]
    fn values_are_read_and_null_is_as_if_absent() {
        let body = members(r#"{"a":"x","n":7,"f":250.0,"t":"2026-11-06T12:00:00.1239+02:00","z":null}"#);
        assert_eq!(body.text("a", 1), Ok(Some("x".into())));
        assert_eq!((body.whole("n"), body.whole("f")), (Ok(Some(7)), Ok(Some(250))));
        assert_eq!(body.instant("t").unwrap().unwrap().to_string(), "2026-11-06T10:00:00.123Z");
        assert_eq!(body.text("z", 1), Ok(None));
        assert!(!body.has("z") && !body.has("other"));
    }

    #[test]
    fn faults_name_their_place() {
        let body = members(
            r#"{"a":"xy","n":-1,"f":0.5,"b":9007199254740992,"t":"yesterday","o":"1969-12-31T23:59:59Z","w":"a\nb","u":""}"#,
        );
        let place = |problem: Problem| problem.at.unwrap();
        assert_eq!(place(body.text("a", 1).unwrap_err()), "/data/a");
        assert_eq!(place(body.text("n", 9).unwrap_err()), "/data/n");
        for name in ["n", "f", "b", "a"] {
            assert_eq!(place(body.whole(name).unwrap_err()), format!("/data/{name}"));
        }
        for name in ["t", "o", "n"] {
            assert_eq!(place(body.instant(name).unwrap_err()), format!("/data/{name}"));
        }
        assert_eq!(place(body.word("w", 9).unwrap_err()), "/data/w");
        assert_eq!(place(body.user("u").unwrap_err()), "/data/u");
        assert_eq!(place(body.need::<()>("q", None).unwrap_err()), "/data/q");
        for text in ["[]", r#"{"a":1,"a":2}"#, r#"{"other":1,"other":1}"#] {
            assert_eq!(place(Members::parse(text.as_bytes(), "/data").unwrap_err()), "/data", "{text}");
        }
    }
}
