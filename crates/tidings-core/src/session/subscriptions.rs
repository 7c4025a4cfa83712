//! What a session subscribes to, from which number on, and which gaps it was told of.

use tidings_protocol::{ChannelName, Event, Pattern, Seq};

/// Gaps: events of the pattern with numbers up to `through` are not given.
#[derive(Debug, Default)]
pub(super) struct Resets(Vec<(Pattern, Seq)>);

impl Resets {
    /// Notes a gap; whether it is news.
    pub(super) fn note(&mut self, pattern: &Pattern, through: Seq) -> bool {
        if self.know(pattern, through) {
            return false;
        }
        match self.0.iter_mut().find(|(known, _)| known == pattern) {
            Some((_, known)) => *known = through,
            None => self.0.push((pattern.clone(), through)),
        }
        true
    }

    fn know(&self, pattern: &Pattern, through: Seq) -> bool {
        self.0.iter().any(|(known, upto)| *upto >= through && known.covers(pattern))
    }

    /// How far the gap of just this pattern goes.
    pub(super) fn of(&self, pattern: &Pattern) -> Seq {
        self.0.iter().find(|(known, _)| known == pattern).map_or(Seq::ZERO, |(_, through)| *through)
    }

    pub(super) fn cover(&self, channel: &ChannelName, seq: Seq) -> bool {
        self.0.iter().any(|(pattern, through)| seq <= *through && pattern.matches(channel))
    }

    /// Takes out the gaps that end at or before `seq`.
    fn take_until(&mut self, seq: Seq) -> Self {
        if self.0.is_empty() {
            return Self::default();
        }
        let (past, ahead) = std::mem::take(&mut self.0).into_iter().partition(|(_, through)| *through <= seq);
        self.0 = ahead;
        Self(past)
    }

    /// Past so many, one gap stands for all.
    fn bound(&mut self, most: usize) {
        if self.0.len() > most {
            let through = self.0.iter().map(|(_, through)| *through).max().unwrap_or_default();
            self.0 = vec![(Pattern::All, through)];
        }
    }

    pub(super) fn take_over(&mut self, other: Self) {
        for (pattern, through) in other.0 {
            self.note(&pattern, through);
        }
    }
}

/// The subscriptions of a session. Each has its own beginning.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Sorted by name.
    exact: Vec<(ChannelName, Seq)>,
    wide: Vec<(Pattern, Seq)>,
    resets: Resets,
    /// Gaps of channels before which a wide subscription begins.
    forgiven: Resets,
    /// Gaps that lie behind: the subscriptions have not covered what is in them.
    past: Resets,
}

/// Most gaps that are remembered once they lie behind. Past that, an event may be given again to a channel that is
/// added; it is never left out for having been given when it was not.
const PAST_GAPS: usize = 64;

impl Subscriptions {
    pub(super) fn new(patterns: &[Pattern], from: Seq) -> Self {
        let mut subscriptions = Self::default();
        for pattern in patterns {
            subscriptions.add(pattern, from);
        }
        subscriptions
    }

    pub(super) fn len(&self) -> usize {
        self.exact.len() + self.wide.len()
    }

    pub(super) fn contains(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::Exact(name) => self.find(name).is_ok(),
            wide => self.wide.iter().any(|(known, _)| known == wide),
        }
    }

    pub(super) fn patterns(&self) -> Vec<Pattern> {
        let exact = self.exact.iter().map(|(name, _)| Pattern::Exact(name.clone()));
        exact.chain(self.wide.iter().map(|(pattern, _)| pattern.clone())).collect()
    }

    /// Adds a pattern; one that is there keeps the earlier beginning.
    pub(super) fn add(&mut self, pattern: &Pattern, from: Seq) {
        match pattern {
            Pattern::Exact(name) => match self.find(name) {
                Ok(at) => self.exact[at].1 = self.exact[at].1.min(from),
                Err(at) => self.exact.insert(at, (name.clone(), from)),
            },
            wide => match self.wide.iter_mut().find(|(known, _)| known == wide) {
                Some((_, known)) => *known = from.min(*known),
                None => self.wide.push((wide.clone(), from)),
            },
        }
    }

    /// Removes those of the patterns that are there, and answers them.
    pub(super) fn remove(&mut self, patterns: &[Pattern]) -> Vec<Pattern> {
        let mut removed = Vec::new();
        for pattern in patterns {
            let before = self.len();
            match pattern {
                Pattern::Exact(name) => {
                    if let Ok(at) = self.find(name) {
                        self.exact.remove(at);
                    }
                }
                wide => self.wide.retain(|(known, _)| known != wide),
            }
            if self.len() < before {
                removed.push(pattern.clone());
            }
        }
        removed
    }

    /// Whether the event is to be given: one of its channels is subscribed from before it, and no gap covers it there.
    pub(super) fn want(&self, event: &Event) -> bool {
        let seq = event.id.seq;
        event.channels().any(|channel| self.takes(channel, seq) && !self.resets.cover(channel, seq))
    }

    /// Whether the event, at or before the position, was given by one of the subscriptions.
    pub(super) fn has_covered(&self, event: &Event) -> bool {
        let seq = event.id.seq;
        let lost = |channel| self.resets.cover(channel, seq) || self.past.cover(channel, seq);
        event.channels().any(|channel| self.takes(channel, seq) && !lost(channel))
    }

    fn takes(&self, channel: &ChannelName, seq: Seq) -> bool {
        let exact = match &*self.exact {
            [(only, from)] => only == channel && *from < seq,
            _ => self.find(channel).is_ok_and(|at| self.exact[at].1 < seq),
        };
        exact || self.wide.iter().any(|(pattern, from)| *from < seq && pattern.matches(channel))
    }

    /// Notes that events of the pattern up to `through` cannot be given; whether that is news to a subscription.
    pub(super) fn note_reset(&mut self, pattern: &Pattern, through: Seq) -> bool {
        let exact = self.exact.iter().any(|(name, from)| *from < through && pattern.matches(name));
        let wide = self
            .wide
            .iter()
            .any(|(known, from)| *from < through && (known.covers(pattern) || pattern.covers(known)));
        (exact || wide && !self.forgiven.know(pattern, through)) && self.resets.note(pattern, through)
    }

    /// Takes the gap for what "from the oldest retained event" means: the channel begins after it. Where the gap is no
    /// single channel's, others of the pattern may begin earlier, so that it is news when it is seen again.
    pub(super) fn forgive(&mut self, pattern: &Pattern, through: Seq) {
        if !self.wide.is_empty() {
            self.past.note(pattern, through);
        }
        let Some(name) = pattern.as_exact() else { return };
        if let Ok(at) = self.find(name) {
            self.exact[at].1 = self.exact[at].1.max(through);
        }
        if !self.wide.is_empty() {
            self.forgiven.note(pattern, through);
        }
    }

    /// Wide subscriptions are told of every gap from now on.
    pub(super) fn forgive_nothing(&mut self) {
        self.forgiven = Resets::default();
    }

    /// The position has moved to `seq`.
    pub(super) fn pass_resets(&mut self, seq: Seq) {
        let past = self.resets.take_until(seq);
        self.past.take_over(past);
        self.past.bound(PAST_GAPS);
        self.forgiven.take_until(seq);
    }

    /// Takes over what was told to, and what was forgiven of, channels that are added.
    pub(super) fn take_over_resets(&mut self, resets: Resets, forgiven: Resets) {
        self.resets.take_over(resets);
        self.past.take_over(forgiven);
    }

    fn find(&self, name: &ChannelName) -> Result<usize, usize> {
        self.exact.binary_search_by(|(known, _)| known.cmp(name))
    }
}
