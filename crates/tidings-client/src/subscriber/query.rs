//! What is followed, as it stands in the request.

use std::fmt::Display;
use std::str::FromStr;

use tidings_protocol::cursor::Since;
use tidings_protocol::limits::URL_BYTES;
use tidings_protocol::{Category, EventType, Pattern};

use super::Options;
use crate::server::InvalidOptions;

/// What is left of a request target for a proxy's path and for `since`, in bytes.
const RESERVED_BYTES: usize = 1_024;

/// What stands before each channel in a query.
const CHANNEL: &str = "&channel=";

/// The filter, checked; and how channels stand beside it.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// Types and categories, each with an `&` before it.
    filter: String,
}

impl Query {
    /// What the options ask for.
    ///
    /// # Errors
    /// [`InvalidOptions::Subscription`].
    pub(super) fn of(options: &Options) -> Result<Self, InvalidOptions> {
        check::<Pattern>("channel", &options.channels)?;
        check::<EventType>("type", &options.types)?;
        check::<Category>("category", &options.categories)?;
        if options.channels.is_empty() {
            let message = "name a channel or a pattern at least, e.g. `doc:7`, `doc:*`, `*`";
            return Err(InvalidOptions::Subscription(message.to_owned()));
        }
        let filter = pairs("type", &options.types) + &pairs("category", &options.categories);
        let query = Self { filter };
        let taken: usize = options.channels.iter().map(|channel| Self::cost(channel)).sum();
        if taken > query.room() {
            let message = "the channels do not fit in one request: use a pattern, or several subscribers";
            return Err(InvalidOptions::Subscription(message.to_owned()));
        }
        Ok(query)
    }

    /// Bytes that channels may have together, [`Query::cost`] each.
    pub(super) fn room(&self) -> usize {
        (URL_BYTES - RESERVED_BYTES).saturating_sub(self.filter.len())
    }

    /// Bytes that a channel takes.
    pub(super) fn cost(channel: &str) -> usize {
        CHANNEL.len() + channel.len()
    }

    /// Path and query of a stream of these channels that begins here.
    pub(super) fn path<'a>(&self, channels: impl Iterator<Item = &'a str>, since: Since) -> String {
        let since = match since {
            Since::Start => "start".to_owned(),
            Since::Now => "now".to_owned(),
            Since::Cursor(cursor) => cursor.to_string(),
        };
        let channels: String = channels.map(|channel| format!("{CHANNEL}{channel}")).collect();
        format!("/v1/events?since={since}{channels}{}", self.filter)
    }
}

fn check<T: FromStr<Err: Display>>(name: &str, texts: &[String]) -> Result<(), InvalidOptions> {
    for text in texts {
        let wrong = |why| InvalidOptions::Subscription(format!("the {name} `{text}` cannot be: {why}"));
        text.parse::<T>().map_err(wrong)?;
    }
    Ok(())
}

/// Nothing in the alphabets of channels, types and categories must be escaped in a query (RFC 3986, 3.4).
fn pairs(name: &str, texts: &[String]) -> String {
    texts.iter().map(|text| format!("&{name}={text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_query() {
        let mut options = Options::of(["doc:7", "cast:*"]);
        options.types = vec!["saved".to_owned()];
        options.categories = vec!["DOCS".to_owned()];
        let query = Query::of(&options).unwrap();
        let path = query.path(["doc:7", "cast:*"].into_iter(), Since::Start);
        assert_eq!(path, "/v1/events?since=start&channel=doc:7&channel=cast:*&type=saved&category=DOCS");
        let cursor = "000000000000A.0000002";
        let path = query.path(["doc:7"].into_iter(), Since::Cursor(cursor.parse().unwrap()));
        assert_eq!(path, format!("/v1/events?since={cursor}&channel=doc:7&type=saved&category=DOCS"));
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for channels in [vec![], vec!["a b".to_owned()], vec!["x".repeat(190); 60]] {
            assert!(Query::of(&Options { channels, ..Options::default() }).is_err());
        }
        assert!(Query::of(&Options { types: vec!["$end".to_owned()], ..Options::of(["a"]) }).is_err());
        assert!(Query::of(&Options::of(vec!["x".repeat(190); 30])).is_ok());
    }
}
