//! Channel names and the patterns that subscribe to them.
//!
//! A name is segments of `[A-Za-z0-9._~@/-]+` joined by `:`, at most 200 bytes. A pattern is a name (that channel),
//! `*` (every channel of the tenant) or a name followed by `:*` (every channel that begins with the name and a colon,
//! not the name itself). Names are compared byte by byte; nothing is decoded or folded.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::limits::CHANNEL_BYTES;

/// A named stream within a tenant, e.g. `cast:cast_123`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a text is not a channel or pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannel {
    /// Nothing at all.
    #[error("a channel must not be empty")]
    Empty,
    /// More than 200 bytes.
    #[error("a channel has at most 200 bytes")]
    TooLong,
    /// A byte outside the alphabet.
    #[error("a channel is segments of A-Z a-z 0-9 . _ ~ @ / - joined by ':'")]
    Character,
    /// Two colons in a row, or one at either end.
    #[error("a channel's segments must not be empty")]
    EmptySegment,
    /// A pattern where a channel is asked for.
    #[error("'*' names no single channel; patterns are for subscriptions and grants")]
    Wildcard,
}

fn check(text: &str) -> Result<(), InvalidChannel> {
    if text.is_empty() {
        return Err(InvalidChannel::Empty);
    }
    if text.len() > CHANNEL_BYTES {
        return Err(InvalidChannel::TooLong);
    }
    if text == "*" || text.ends_with(":*") {
        return Err(InvalidChannel::Wildcard);
    }
    for segment in text.split(':') {
        if segment.is_empty() {
            return Err(InvalidChannel::EmptySegment);
        }
        let allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'@' | b'/' | b'-')
        };
        if !segment.bytes().all(allowed) {
            return Err(InvalidChannel::Character);
        }
    }
    Ok(())
}

impl ChannelName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefixes under which a prefix pattern can match this channel: for `a:b:c` these are `a:` and `a:b:`.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices(':').map(|(at, _)| &self.0[..=at])
    }
}

impl FromStr for ChannelName {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        check(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelName({})", self.0)
    }
}

impl Serialize for ChannelName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What a subscription or a grant names: one channel, all below a prefix, or all.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Pattern {
    /// That channel alone.
    Exact(ChannelName),
    /// Every channel that begins with the name and a colon. The text kept is the prefix with its colon: `cast:`.
    Prefix(Arc<str>),
    /// Every channel of the tenant.
    All,
}

impl Pattern {
    /// Whether the pattern takes in the channel.
    #[must_use]
    pub fn matches(&self, channel: &ChannelName) -> bool {
        match self {
            Self::Exact(name) => name == channel,
            Self::Prefix(prefix) => channel.as_str().starts_with(&**prefix),
            Self::All => true,
        }
    }

    /// Whether every channel that `other` takes in is taken in by this pattern too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::All) => false,
            (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Prefix(outer), Self::Prefix(inner)) => inner.starts_with(&**outer),
            (Self::Exact(_), Self::Prefix(_)) => false,
        }
    }

    /// Whether it names exactly one channel.
    #[must_use]
    pub fn as_exact(&self) -> Option<&ChannelName> {
        match self {
            Self::Exact(name) => Some(name),
            Self::Prefix(_) | Self::All => None,
        }
    }
}

impl From<ChannelName> for Pattern {
    fn from(name: ChannelName) -> Self {
        Self::Exact(name)
    }
}

impl FromStr for Pattern {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(name) = text.strip_suffix(":*") {
            if text.len() > CHANNEL_BYTES {
                return Err(InvalidChannel::TooLong);
            }
            check(name)?;
            return Ok(Self::Prefix(text[..text.len() - 1].into()));
        }
        text.parse().map(Self::Exact)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name.as_str()),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::All => f.write_str("*"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn channels_are_segments_joined_by_colons() {
        for good in ["a", "cast:cast_123", "user:a@b.c:casts", "a/b-c~d.e_f", &"x".repeat(200)] {
            assert_eq!(good.parse::<ChannelName>().unwrap().as_str(), good);
        }
        let bad = [
            ("", InvalidChannel::Empty),
            (":a", InvalidChannel::EmptySegment),
            ("a:", InvalidChannel::EmptySegment),
            ("a::b", InvalidChannel::EmptySegment),
            ("a b", InvalidChannel::Character),
            ("a\n", InvalidChannel::Character),
            ("a%2eb", InvalidChannel::Character),
            ("$x", InvalidChannel::Character),
            ("ü", InvalidChannel::Character),
            ("a*", InvalidChannel::Character),
            ("*:a", InvalidChannel::Character),
            ("a:*", InvalidChannel::Wildcard),
            ("*", InvalidChannel::Wildcard),
        ];
        for (text, why) in bad {
            assert_eq!(text.parse::<ChannelName>(), Err(why), "{text:?}");
        }
        assert_eq!("x".repeat(201).parse::<ChannelName>(), Err(InvalidChannel::TooLong));
    }

    #[test]
    fn patterns_match_below_a_prefix_but_not_the_prefix_itself() {
        let channel: ChannelName = "cast:7".parse().unwrap();
        for (text, expected) in [
            ("cast:7", true),
            ("cast:*", true),
            ("*", true),
            ("cast", false),
            ("cas:*", false),
            ("cast:7:*", false),
        ] {
            assert_eq!(pattern(text).matches(&channel), expected, "{text}");
            assert_eq!(pattern(text).to_string(), text);
        }
        assert!(!pattern("cast:*").matches(&"cast".parse().unwrap()));
        assert!(pattern("a:*").matches(&"a:b:c".parse().unwrap()));
    }

    #[test]
    fn a_pattern_covers_what_it_contains() {
        for (outer, inner, expected) in [
            ("*", "*", true),
            ("*", "a:*", true),
            ("a:*", "*", false),
            ("a:*", "a:b:*", true),
            ("a:b:*", "a:*", false),
            ("a:*", "a:b", true),
            ("a:*", "a", false),
            ("a", "a", true),
            ("a", "a:*", false),
        ] {
            assert_eq!(pattern(outer).covers(&pattern(inner)), expected, "{outer} covers {inner}");
        }
    }

    #[test]
    fn prefixes_are_those_a_pattern_could_name() {
        let channel: ChannelName = "a:b:c".parse().unwrap();
        assert_eq!(channel.prefixes().collect::<Vec<_>>(), ["a:", "a:b:"]);
    }
}
