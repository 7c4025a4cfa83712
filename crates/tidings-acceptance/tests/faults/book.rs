//! What was sent, what is followed and what came: the judgement over one run.

use std::collections::{BTreeMap, BTreeSet};

use tidings_client::subscriber::Since;
use tidings_client::{Event, Gap};
use tidings_protocol::{ChannelName, Cursor, Pattern, Seq};

/// An event that was published.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) kind: &'static str,
}

/// A channel or pattern that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pattern: Pattern,
    /// Events after this may come.
    may: Seq,
    /// Events after this must come; unknown before a channel has joined that begins with what comes next.
    must: Option<Seq>,
    pub(crate) is_joined: bool,
}

/// The books of one run.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) sent: BTreeMap<Seq, Sent>,
    pub(crate) followed: BTreeMap<String, Followed>,
    got: BTreeSet<Seq>,
    /// What came to the subscribers before this one, and where it took over.
    earlier: BTreeSet<Seq>,
    taken_over: Seq,
    /// The one type that is asked for.
    pub(crate) only: Option<&'static str>,
    /// Channels that were removed: what was on its way may still come.
    removed: Vec<Pattern>,
    /// The one channel that may lose events, and up to where it has.
    pub(crate) trimmed: Option<(String, Seq)>,
    last: Seq,
}

impl Followed {
    fn takes(&self, sent: &Sent) -> bool {
        sent.channels.iter().any(|channel| self.pattern.matches(channel))
    }
}

impl Book {
    pub(crate) fn new(only: Option<&'static str>) -> Self {
        Self { only, ..Self::default() }
    }

    /// Follows from there on; `position` is the subscriber's.
    pub(crate) fn follow(&mut self, channel: &str, since: Since, position: Seq, is_joined: bool) {
        let (may, must) = match since {
            Since::Start => (Seq::ZERO, Some(Seq::ZERO)),
            Since::Cursor(cursor) => (cursor.seq, Some(cursor.seq)),
            Since::Now => (position, is_joined.then_some(position)),
        };
        let pattern = channel.parse().unwrap();
        self.followed.insert(channel.to_owned(), Followed { pattern, may, must, is_joined });
    }

    pub(crate) fn unfollow(&mut self, channel: &str) {
        self.removed.extend(self.followed.remove(channel).map(|followed| followed.pattern));
    }

    /// `Joined`, at this position.
    pub(crate) fn join(&mut self, channel: &str, position: Seq) -> Result<(), String> {
        let followed = self.followed.get_mut(channel).ok_or(format!("{channel} joined unasked"))?;
        if std::mem::replace(&mut followed.is_joined, true) {
            return Err(format!("{channel} joined twice"));
        }
        // What begins with what comes next begins where the server had read to, which may be ahead of the position.
        let latest = self.sent.last_key_value().map_or(Seq::ZERO, |(seq, _)| *seq);
        followed.must.get_or_insert(position.max(latest));
        Ok(())
    }

    pub(crate) fn joined(&self) -> Vec<String> {
        let joined = self.followed.iter().filter(|(_, followed)| followed.is_joined);
        joined.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn is_joining(&self) -> bool {
        self.followed.values().any(|followed| !followed.is_joined)
    }

    /// Whether the subscriber's filter lets this pass.
    pub(crate) fn passes(&self, kind: &str) -> bool {
        self.only.is_none_or(|only| only == kind)
    }

    /// Notes an event that came.
    pub(crate) fn take(&mut self, event: &Event) -> Result<(), String> {
        let seq = event.id.seq;
        let sent = self.sent.get(&seq).ok_or(format!("{seq} was never sent"))?;
        if !self.passes(sent.kind) {
            return Err(format!("{seq} is of the type {}", sent.kind));
        }
        let is_followed = self.followed.values().any(|followed| seq > followed.may && followed.takes(sent));
        let of_removed =
            self.removed.iter().any(|pattern| sent.channels.iter().any(|name| pattern.matches(name)));
        if !is_followed && !of_removed {
            return Err(format!("{seq} on {:?} is not followed", sent.channels));
        }
        let is_backfill = self.followed.values().any(|followed| !followed.is_joined && followed.takes(sent));
        if seq <= self.last && !is_backfill {
            return Err(format!("{seq} came after {}", self.last));
        }
        // What was given for a channel that is followed no more, or to a subscriber before this one, does not count where
        // a channel is added.
        let is_known = self.earlier.contains(&seq) && !(is_backfill && seq <= self.taken_over);
        let is_again = !(self.got.insert(seq) || is_backfill && of_removed);
        if is_known || is_again {
            return Err(format!("{seq} came twice"));
        }
        self.last = self.last.max(seq);
        Ok(())
    }

    /// Notes a gap.
    pub(crate) fn gap(&mut self, gap: &Gap) -> Result<(), String> {
        match (&mut self.trimmed, gap.through) {
            (Some((channel, end)), Some(through))
                if gap.reason == "expired" && gap.channels == [&**channel] =>
            {
                *end = through.seq.max(*end);
                Ok(())
            }
            _ => Err(format!("a gap: {gap:?}")),
        }
    }

    /// Events that must come and have not.
    pub(crate) fn missing(&self) -> Vec<Seq> {
        let is_trimmed = |channel: &ChannelName, seq: Seq| {
            self.trimmed.as_ref().is_some_and(|(name, end)| channel.as_str() == name && seq <= *end)
        };
        let must = |seq: Seq, sent: &Sent| {
            self.followed.values().any(|followed| {
                followed.must.is_some_and(|must| seq > must)
                    && sent
                        .channels
                        .iter()
                        .any(|name| followed.pattern.matches(name) && !is_trimmed(name, seq))
            })
        };
        let missing = self
            .sent
            .iter()
            .filter(|(seq, _)| !self.got.contains(seq) && !self.earlier.contains(seq))
            .filter(|(seq, sent)| self.passes(sent.kind) && must(**seq, sent));
        missing.map(|(seq, _)| *seq).collect()
    }

    /// Another subscriber takes over at this position.
    pub(crate) fn take_over(&mut self, position: Seq) {
        self.earlier.append(&mut self.got);
        self.taken_over = position;
        // A channel that was added from further on begins with the others now.
        for followed in self.followed.values_mut() {
            followed.may = followed.may.min(position);
        }
    }

    /// Events that came.
    pub(crate) fn came(&self) -> usize {
        self.earlier.union(&self.got).count()
    }

    /// Notes an event that was published.
    pub(crate) fn send(&mut self, id: Cursor, channels: &[String], kind: &'static str) {
        let channels = channels.iter().map(|channel| channel.parse().unwrap()).collect();
        self.sent.insert(id.seq, Sent { channels, kind });
    }
}
