//! What a session subscribes to, from which number on, and which gaps it was told of.

use tidings_protocol::{ChannelName, Event, Pattern, Seq};

use super::gaps::Gaps;

/// The subscriptions of a session. Each has its own beginning.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Sorted by name.
    exact: Vec<(ChannelName, Seq)>,
    wide: Vec<(Pattern, Seq)>,
    /// Gaps that were told of and end ahead of the position.
    resets: Gaps,
    /// Gaps of channels before which a wide subscription begins.
    forgiven: Gaps,
    /// Gaps that lie behind: the subscriptions have not covered what is in them.
    past: Gaps,
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
        event.channels().any(|channel| self.takes(channel, seq) && !self.resets.end_after(channel, seq))
    }

    /// Whether the event, at or before the position, was given by one of the subscriptions.
    pub(super) fn has_covered(&self, event: &Event) -> bool {
        let seq = event.id.seq;
        let lost = |channel| self.resets.hold(channel, seq) || self.past.hold(channel, seq);
        event.channels().any(|channel| self.takes(channel, seq) && !lost(channel))
    }

    fn takes(&self, channel: &ChannelName, seq: Seq) -> bool {
        let exact = match &*self.exact {
            [(only, from)] => only == channel && *from < seq,
            _ => self.find(channel).is_ok_and(|at| self.exact[at].1 < seq),
        };
        exact || self.wide.iter().any(|(pattern, from)| *from < seq && pattern.matches(channel))
    }

    /// Notes that of the pattern's events after `after` those up to `through` cannot be given; whether that is news to a
    /// subscription.
    pub(super) fn note_reset(&mut self, pattern: &Pattern, after: Seq, through: Seq) -> bool {
        let exact = self.exact.iter().any(|(name, from)| *from < through && pattern.matches(name));
        let wide = self
            .wide
            .iter()
            .any(|(known, from)| *from < through && (known.covers(pattern) || pattern.covers(known)));
        let news = exact || wide && !self.forgiven.know(pattern, through);
        news && self.resets.note(pattern, after, through)
    }

    /// Takes the gap for what "from the oldest retained event" means: the channel begins after it. Where the gap is no
    /// single channel's, others of the pattern may begin earlier, so that it is news when it is seen again.
    pub(super) fn forgive(&mut self, pattern: &Pattern, after: Seq, through: Seq) {
        if !self.wide.is_empty() {
            self.past.note(pattern, after, through);
            self.past.bound(PAST_GAPS);
        }
        let Some(name) = pattern.as_exact() else { return };
        if let Ok(at) = self.find(name) {
            self.exact[at].1 = self.exact[at].1.max(through);
        }
        if !self.wide.is_empty() {
            self.forgiven.note(pattern, after, through);
        }
    }

    /// Wide subscriptions are told of every gap from now on.
    pub(super) fn forgive_nothing(&mut self) {
        self.forgiven = Gaps::default();
    }

    /// The position has moved to `seq`.
    pub(super) fn pass_resets(&mut self, seq: Seq) {
        self.past.keep(self.resets.pass(seq));
        self.past.bound(PAST_GAPS);
        self.forgiven.pass(seq);
    }

    /// Events after `position` are decided on again.
    pub(super) fn rewind(&mut self, position: Seq) {
        self.resets.rewind(position);
    }

    /// Takes over what was told to, and what was forgiven of, channels that are about to be added at `position`.
    pub(super) fn take_over_gaps(&mut self, position: Seq, resets: Gaps, forgiven: Gaps) {
        let given = |pattern: &Pattern| self.begin_of(pattern);
        let (behind, ahead) = resets.divide(position, given);
        let (begun, _) = forgiven.divide(position, given);
        self.past.keep(behind);
        self.past.keep(begun);
        self.past.bound(PAST_GAPS);
        self.resets.keep(ahead);
    }

    /// Where the earliest subscription begins that takes in the whole pattern.
    fn begin_of(&self, pattern: &Pattern) -> Option<Seq> {
        let exact = pattern.as_exact().and_then(|name| self.find(name).ok()).map(|at| self.exact[at].1);
        let wide = self.wide.iter().filter(|(known, _)| known.covers(pattern)).map(|(_, from)| *from);
        wide.chain(exact).min()
    }

    fn find(&self, name: &ChannelName) -> Result<usize, usize> {
        self.exact.binary_search_by(|(known, _)| known.cmp(name))
    }
}
