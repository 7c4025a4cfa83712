//! Queries of requests.

use std::fmt::Write;

/// A path and its query, built piece by piece.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    text: String,
    separator: char,
}

impl Query {
    /// The path alone.
    pub(crate) fn of(path: &str) -> Self {
        Self { text: path.to_owned(), separator: '?' }
    }

    /// With a parameter more.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(name);
        self.text.push('=');
        for byte in value.bytes() {
            // What RFC 3986 section 3.4 lets stand in a query, without what separates parameters or stands for a space.
            if byte.is_ascii_alphanumeric() || b"-._~@/:*".contains(&byte) {
                self.text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "%{byte:02X}");
            }
        }
        self
    }

    /// With a parameter for each value.
    #[must_use]
    pub(crate) fn with_each(self, name: &str, values: &[String]) -> Self {
        values.iter().fold(self, |query, value| query.with(name, value))
    }

    /// With the parameter, if there is a value.
    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let query = Query::of("/v1/poll").with_each("channel", &["cast:*".into(), "a b&c=d+é%".into()]);
        let query = query.with_some("after", None).with_some("wait", Some("0"));
        assert_eq!(query.as_str(), "/v1/poll?channel=cast:*&channel=a%20b%26c%3Dd%2B%C3%A9%25&wait=0");
    }
}
