//! What may stand on a line of its own: the value of `id:`, of `event:`, and the text of a comment.

use std::fmt;

/// Text without CR, LF and NUL, so that it stays on its line and an `id` is not ignored.
///
/// CR and LF would end the line and let the rest pass for fields of its own; an `id` with U+0000 is ignored by parsers
/// (WHATWG HTML 9.2.6). There is no other way to give [`Block`](super::Block) an id or a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FieldValue<'a>(&'a str);

/// A CR, LF or NUL in what should be a [`FieldValue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event stream field must not contain U+{:04X} (byte {at})", .byte)]
pub struct InvalidField {
    /// The offending byte: 0x0D, 0x0A or 0x00.
    pub byte: u8,
    /// Its offset in the text, in bytes.
    pub at: usize,
}

impl<'a> FieldValue<'a> {
    /// The text as a field value.
    ///
    /// # Errors
    /// [`InvalidField`] names the first CR, LF or NUL.
    pub const fn new(text: &'a str) -> Result<Self, InvalidField> {
        match first_forbidden(text) {
            Some(at) => Err(InvalidField { byte: text.as_bytes()[at], at }),
            None => Ok(Self(text)),
        }
    }

    /// The text up to its first CR, LF or NUL: the whole of it where the caller's type already excludes these.
    ///
    /// For validated names (event types, cursors), so that encoding them cannot fail and a mistake in that validation
    /// still cannot forge a field.
    #[must_use]
    pub fn valid_prefix(text: &'a str) -> Self {
        match first_forbidden(text) {
            // The forbidden ones are ASCII, so this is always a character boundary.
            Some(at) => Self(text.get(..at).unwrap_or_default()),
            None => Self(text),
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

const fn first_forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], b'\r' | b'\n' | 0) {
            return Some(at);
        }
        at += 1;
    }
    None
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'a> TryFrom<&'a str> for FieldValue<'a> {
    type Error = InvalidField;

    fn try_from(text: &'a str) -> Result<Self, InvalidField> {
        Self::new(text)
    }
}
