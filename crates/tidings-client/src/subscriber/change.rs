//! Changes of the channels of a subscriber at work: how they are asked for, and how they stand on the wire.

use std::fmt::Display;

use serde::Deserialize;
use serde_json::json;
use tidings_protocol::Pattern;
use tidings_protocol::cursor::Since;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Changes that wait, at most.
pub(super) const WAITING: usize = 1_000;
/// Entries of one request, at most: the protocol takes twice as many.
pub(super) const ENTRIES: usize = 500;

/// Something to change about what is followed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Add(String, Since),
    Remove(String),
}

/// What is asked of an open stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) add: Vec<(String, Since)>,
    pub(crate) remove: Vec<String>,
}

/// What the server says to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Answer {
    pub(crate) refused: Vec<RefusedChannel>,
}

/// A channel that was not added.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RefusedChannel {
    pub(crate) channel: String,
    pub(crate) code: String,
}

impl Wanted {
    /// The body of the request.
    pub(super) fn body(&self) -> String {
        let entry = |(channel, since): &(String, Since)| match since {
            Since::Now => json!({"channel": channel}),
            Since::Start => json!({"channel": channel, "since": "start"}),
            Since::Cursor(cursor) => json!({"channel": channel, "since": cursor.to_string()}),
        };
        let add: Vec<_> = self.add.iter().map(entry).collect();
        json!({"add": add, "remove": self.remove}).to_string()
    }
}

/// Why a change cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// It is no channel and no pattern.
    #[error("the channel `{channel}` cannot be: {why}")]
    Invalid {
        /// As it was given.
        channel: String,
        /// What is wrong with it.
        why: String,
    },
    /// A thousand changes wait already.
    #[error("too many changes wait: take updates from the subscriber, and try again")]
    Full,
    /// The subscriber has stopped.
    #[error("the subscriber has stopped: open another")]
    Stopped,
}

/// Changes what a subscriber follows, while it does, from wherever it is held.
///
/// ```no_run
/// # async fn example(subscriber: tidings_client::Subscriber) -> Result<(), tidings_client::subscriber::NotChanged> {
/// use tidings_client::subscriber::Since;
///
/// let channels = subscriber.channels();
/// tokio::spawn(async move {
///     channels.add("doc:8", Since::Start)?;
///     channels.remove("doc:7")
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Channels(mpsc::Sender<Change>);

impl Channels {
    pub(super) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (sender, changes) = mpsc::channel(WAITING);
        (Self(sender), changes)
    }

    /// Follows a further channel or pattern: from what comes next, from the oldest retained event, or after a cursor. A
    /// channel that is followed already can be asked for from earlier on; what was given of it is not given again.
    ///
    /// The open stream takes it in, without a break for the others; where none is open, the next one does. What the channel
    /// missed comes among the updates, then [`Update::Joined`](super::Update::Joined), or
    /// [`Update::Refused`](super::Update::Refused). Until then [`Subscriber::cursor`](super::Subscriber::cursor) does not
    /// count for it: whoever keeps cursors keeps this `since` beside it.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn add(&self, channel: impl Into<String>, since: Since) -> Result<(), NotChanged> {
        let channel = channel.into();
        check(&channel)?;
        self.send(Change::Add(channel, since))
    }

    /// Follows a channel or pattern no more, as it was asked for. Updates that wait already still come.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn remove(&self, channel: impl Into<String>) -> Result<(), NotChanged> {
        let channel = channel.into();
        check(&channel)?;
        self.send(Change::Remove(channel))
    }

    fn send(&self, change: Change) -> Result<(), NotChanged> {
        self.0.try_send(change).map_err(|error| match error {
            TrySendError::Full(_) => NotChanged::Full,
            TrySendError::Closed(_) => NotChanged::Stopped,
        })
    }
}

fn check(channel: &str) -> Result<(), NotChanged> {
    let wrong = |why: &dyn Display| NotChanged::Invalid { channel: channel.to_owned(), why: why.to_string() };
    channel.parse::<Pattern>().map(|_| ()).map_err(|why| wrong(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_written_as_the_protocol_says() {
        let cursor = "000000000000A.0000002";
        let wanted = Wanted {
            add: vec![
                ("a".to_owned(), Since::Now),
                ("b:*".to_owned(), Since::Start),
                ("c".to_owned(), Since::Cursor(cursor.parse().unwrap())),
            ],
            remove: vec!["d".to_owned()],
        };
        let expected = json!({
            "add": [{"channel": "a"}, {"channel": "b:*", "since": "start"}, {"channel": "c", "since": cursor}],
            "remove": ["d"],
        });
        assert_eq!(wanted.body(), expected.to_string());
        let answer = r#"{"added":["a"],"refused":[{"channel":"c","code":"forbidden_channel"}]}"#;
        assert_eq!(serde_json::from_str::<Answer>(answer).unwrap().refused[0].code, "forbidden_channel");
    }

    #[test]
    fn what_cannot_be_asked_for_is_said_and_its_twin_is_taken() {
        let (channels, changes) = Channels::new();
        assert!(matches!(channels.add("a b", Since::Now), Err(NotChanged::Invalid { .. })));
        for _ in 0..WAITING {
            assert_eq!(channels.add("a:*", Since::Now), Ok(()));
        }
        assert_eq!(channels.remove("a:*"), Err(NotChanged::Full));
        drop(changes);
        assert_eq!(channels.remove("a:*"), Err(NotChanged::Stopped));
    }
}
