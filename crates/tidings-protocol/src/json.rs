//! JSON text that passes through: checked once, stripped of insignificant white space, never rebuilt.
//!
//! Numbers, escapes and the order of members stay as the publisher wrote them (RFC 8259), so that what a subscriber
//! parses is what the publisher wrote.

mod once;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::ErrorCode;
use crate::problem::Problem;

/// Why a JSON text is not accepted as an event's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidData {
    /// More than the allowed bytes after stripping.
    #[error("data has more than 64 KiB")]
    TooLarge,
    /// Nested deeper than allowed.
    #[error("data is nested deeper than 64 levels")]
    TooDeep,
}

/// Strips white space outside of strings from a valid JSON text and checks size and depth of what remains.
///
/// # Errors
/// [`InvalidData`] when a limit is passed.
pub fn compact(raw: &RawValue, max_bytes: usize, max_depth: usize) -> Result<Box<RawValue>, InvalidData> {
    let text = raw.get();
    let mut out = String::with_capacity(text.len().min(max_bytes));
    let mut copied = 0;
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return Err(InvalidData::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\r' | b'\n' => {
                out.push_str(&text[copied..at]);
                copied = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&text[copied..]);
    if out.len() > max_bytes {
        return Err(InvalidData::TooLarge);
    }
    // Stripping white space between tokens of a valid text leaves a valid text.
    RawValue::from_string(out).map_err(|_| InvalidData::TooDeep)
}

/// Reads a JSON object. An array is none: members are named here, not counted. Each member stands once, also one that
/// nobody asks for; what is inside a member is looked at by whoever reads it.
///
/// # Errors
/// `invalid_body`, saying where the text cannot be read.
pub fn from_object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Problem> {
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::new(ErrorCode::InvalidBody, "a JSON object is needed here"));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = T::deserialize(once::Once(&mut reader)).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| Problem::new(ErrorCode::InvalidBody, format!("this cannot be read: {error}")))
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    // Writing a str into a Vec cannot fail: serde_json reports only I/O and non-string keys.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(text: &str) -> Result<String, InvalidData> {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        compact(&raw, 40, 3).map(|value| value.get().to_owned())
    }

    #[test]
    fn only_insignificant_white_space_goes() {
        assert_eq!(
            compacted(" { \"a b\" : [ 1 ,\r\n2 ] , \"c\\\" d\":\t1.0 } ").unwrap(),
            "{\"a b\":[1,2],\"c\\\" d\":1.0}"
        );
        assert_eq!(compacted("12345678901234567890.10e+3").unwrap(), "12345678901234567890.10e+3");
        assert_eq!(compacted("\"\u{2028} \u{feff}\"").unwrap(), "\"\u{2028} \u{feff}\"");
    }

    #[derive(Debug, Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        a: Option<&'a RawValue>,
        b: Option<String>,
    }

    #[test]
    fn members_stand_once_whoever_reads_them() {
        let twice = [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"b":"x","a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\u0061":1,"a":2}"#,
            r#"{"other":1,"a":1,"other":null}"#,
            r#"{"":1,"":1}"#,
        ];
        for text in twice {
            let typed = from_object::<Known<'_>>(text.as_bytes()).unwrap_err();
            let free =
                from_object::<serde_json::Map<String, serde_json::Value>>(text.as_bytes()).unwrap_err();
            assert_eq!((typed.code, free.code), (ErrorCode::InvalidBody, ErrorCode::InvalidBody), "{text}");
            assert!(typed.detail.contains("stands twice") && typed == free, "{typed} {free}");
        }
        for text in
            [r#"{"a":{"x":1,"x":2},"b":"\n","A":1}"#, r#" {"other":[{"a":1},{"a":1}],"\u0061":7} "#, "{}"]
        {
            from_object::<Known<'_>>(text.as_bytes()).unwrap();
            from_object::<serde_json::Map<String, serde_json::Value>>(text.as_bytes()).unwrap();
        }
        let known: Known<'_> = from_object(br#"{"a":{"x":1, "x":2},"b":"\u00e9"}"#).unwrap();
        assert_eq!((known.a.unwrap().get(), known.b.as_deref()), (r#"{"x":1, "x":2}"#, Some("é")));
    }

    #[test]
    fn nothing_follows_an_object() {
        for text in ["{}x", "{}{}", "{", "", "[]", "null", "\u{feff}{}"] {
            assert!(from_object::<Known<'_>>(text.as_bytes()).is_err(), "{text}");
        }
        assert!(from_object::<Known<'_>>(b" {} \n").is_ok());
    }

    #[test]
    fn limits_hold_after_stripping() {
        assert_eq!(compacted("[[[[1]]]]"), Err(InvalidData::TooDeep));
        assert_eq!(compacted(&format!("\"{}\"", "x".repeat(39))), Err(InvalidData::TooLarge));
        assert!(compacted(&format!("{}\"{}\"", " ".repeat(100), "x".repeat(38))).is_ok());
    }
}
