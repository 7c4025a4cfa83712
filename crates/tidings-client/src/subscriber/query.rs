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

/// Channels and filter, checked.
#[derive(Debug, Clone)]
pub(super) struct Query {
    channels: Vec<String>,
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
        let query = Self { channels: options.channels.clone(), filter };
        if query.path(Since::Now).len() > URL_BYTES - RESERVED_BYTES {
            let message = "the channels do not fit in one request: use a pattern, or several subscribers";
            return Err(InvalidOptions::Subscription(message.to_owned()));
        }
        Ok(query)
    }

    /// Path and query of a stream that begins here.
    pub(super) fn path(&self, since: Since) -> String {
        let since = match since {
            Since::Start => "start".to_owned(),
            Since::Now => "now".to_owned(),
            Since::Cursor(cursor) => cursor.to_string(),
        };
        format!("/v1/events?since={since}{}{}", pairs("channel", &self.channels), self.filter)
    }

    /// Channels that may no longer be followed are not asked for again, since one that is refused would refuse the
    /// others; where nothing is left, all of them are, so that the refusal says why.
    pub(super) fn lose(&mut self, lost: &[String]) {
        if !self.channels.iter().all(|channel| lost.contains(channel)) {
            self.channels.retain(|channel| !lost.contains(channel));
        }
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
        let mut query = Query::of(&options).unwrap();
        let path = query.path(Since::Start);
        assert_eq!(path, "/v1/events?since=start&channel=doc:7&channel=cast:*&type=saved&category=DOCS");
        query.lose(&["cast:*".to_owned(), "other".to_owned()]);
        query.lose(&["doc:7".to_owned()]);
        let cursor = "000000000000A.0000002";
        let path = query.path(Since::Cursor(cursor.parse().unwrap()));
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
