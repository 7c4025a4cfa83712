//! Names of casts, and the channels that are the casts' own.

use std::fmt;

use tidings_core::port::store::RecordKey;
use tidings_core::port::users::UserId;
use tidings_protocol::problem::Problem;
use tidings_protocol::{ChannelName, ErrorCode, Pattern};

use crate::user_channel::user_channel;

/// The kind of the casts' records.
pub const KIND: &str = "cast";
/// The last segment of the channel with all of a user's casts.
pub const APP: &str = "casts";
const PREFIX: &str = "cast:";
const ID_BYTES: usize = 120;

/// Names a cast within its tenant: `[A-Za-z0-9._~@-]{1,120}`, and not the word `events`, which is a route's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CastId {
    /// `cast:{id}`: kept, since every event needs it.
    channel: ChannelName,
}

/// Whether an id may have this character.
pub(super) const fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '@' | '-')
}

impl CastId {
    /// The id of that text; `None` for what is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= ID_BYTES
            && text.chars().all(is_id_char)
            && !matches!(text, "events" | "." | "..");
        let channel = fits.then(|| format!("{PREFIX}{text}").parse().ok())??;
        Some(Self { channel })
    }

    /// An id that the server makes: `cast_` and text that is random and belongs to the alphabet.
    ///
    /// # Errors
    /// `internal` where it does not.
    pub fn made_of(random: &str) -> Result<Self, Problem> {
        Self::new(&format!("cast_{random}")).ok_or_else(|| Problem::of(ErrorCode::Internal))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.channel.as_str()[PREFIX.len()..]
    }

    /// The cast's own channel, `cast:{id}`.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The name of its record.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey { kind: KIND.to_owned(), id: self.as_str().to_owned() }
    }
}

impl fmt::Display for CastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The channel with all of a user's casts, `user:{segment}:casts`.
///
/// # Errors
/// `internal`; no id leads to it.
pub fn casts_of(user: &UserId) -> Result<ChannelName, Problem> {
    user_channel(user, APP)
}

/// What of the casts' own channels a channel or pattern takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Territory {
    /// The channel of one cast.
    Cast(CastId),
    /// The channel of all of one user's casts, by its segment ([`crate::user_channel::user_segment`]).
    OfUser(String),
    /// More than one, or a name in the casts' namespace that no record can have.
    Wide,
}

impl Territory {
    /// What of `cast:…` and `user:*:casts` the pattern takes in; `None` for nothing.
    #[must_use]
    pub fn of(pattern: &Pattern) -> Option<Self> {
        match pattern {
            Pattern::All => Some(Self::Wide),
            Pattern::Exact(name) => Self::of_name(name.as_str()),
            Pattern::Prefix(prefix) => {
                let is_casts = prefix.starts_with(PREFIX);
                // `user:` and `user:{segment}:` may have a channel `…:casts` under them, what is longer has not.
                let is_users = prefix.starts_with("user:") && prefix.matches(':').count() <= 2;
                (is_casts || is_users).then_some(Self::Wide)
            }
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        if let Some(id) = name.strip_prefix(PREFIX) {
            return Some(CastId::new(id).map_or(Self::Wide, Self::Cast));
        }
        let (segment, app) = name.strip_prefix("user:")?.split_once(':')?;
        (app == APP).then(|| Self::OfUser(segment.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_an_alphabet_and_one_reserved_word() {
        for good in ["cast_123", "a.b~c@d-e_F", "event", &"x".repeat(120)] {
            let id = CastId::new(good).unwrap();
            assert_eq!((id.as_str(), id.channel().as_str()), (good, format!("cast:{good}").as_str()));
            assert_eq!(id.key(), RecordKey { kind: "cast".into(), id: good.into() });
        }
        for bad in ["", "events", ".", "..", "a/b", "a:b", "a b", "é", "*", &"x".repeat(121)] {
            assert_eq!(CastId::new(bad), None, "{bad:?}");
        }
        assert_eq!(CastId::made_of("abc").unwrap().as_str(), "cast_abc");
        assert_eq!(CastId::made_of("a/b").unwrap_err().code, ErrorCode::Internal);
    }

    #[test]
    fn the_casts_territory_is_known_from_names_prefixes_and_the_wildcard() {
        let of = |text: &str| Territory::of(&text.parse().unwrap());
        assert_eq!(of("cast:7"), Some(Territory::Cast(CastId::new("7").unwrap())));
        assert_eq!(of("user:usr_1:casts"), Some(Territory::OfUser("usr_1".into())));
        for wide in
            ["*", "cast:*", "cast:a:*", "cast:a:b", "cast:events", "cast:a/b", "user:*", "user:usr_1:*"]
        {
            assert_eq!(of(wide), Some(Territory::Wide), "{wide}");
        }
        for other in [
            "cast",
            "casts:*",
            "cas:*",
            "casting:7",
            "user",
            "user:usr_1",
            "user:usr_1:bands",
            "user:usr_1:casts:x",
            "user:usr_1:casts:*",
            "users:*",
            "band:7",
            "band:*",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_users_channel_lies_in_the_territory() {
        let user = UserId::new("acme|42").unwrap();
        let channel = casts_of(&user).unwrap();
        assert_eq!(channel.as_str(), "user:acme~7C42:casts");
        assert_eq!(Territory::of(&channel.into()), Some(Territory::OfUser("acme~7C42".into())));
    }
}
