//! Gaps: events that retention has removed before a session could be given them.

use tidings_protocol::{ChannelName, Pattern, Seq};

#[derive(Debug)]
struct Gap {
    pattern: Pattern,
    after: Seq,
    through: Seq,
}

/// Gaps, at most one of each pattern that is [noted](Gaps::note). The events of a gap have numbers in
/// `(after, through]`; up to `after` the session was given them.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    /// Notes a gap; whether it is news.
    pub(super) fn note(&mut self, pattern: &Pattern, after: Seq, through: Seq) -> bool {
        if self.know(pattern, through) {
            return false;
        }
        match self.0.iter_mut().find(|gap| gap.pattern == *pattern) {
            Some(gap) => (gap.after, gap.through) = (gap.after.min(after), through),
            None => self.push(pattern, after, through),
        }
        true
    }

    fn push(&mut self, pattern: &Pattern, after: Seq, through: Seq) {
        self.0.push(Gap { pattern: pattern.clone(), after, through });
    }

    pub(super) fn know(&self, pattern: &Pattern, through: Seq) -> bool {
        self.0.iter().any(|gap| gap.through >= through && gap.pattern.covers(pattern))
    }

    /// How far the gap of just this pattern goes.
    pub(super) fn end_of(&self, pattern: &Pattern) -> Seq {
        self.0.iter().find(|gap| gap.pattern == *pattern).map_or(Seq::ZERO, |gap| gap.through)
    }

    /// Whether an event with this number on this channel is one that cannot be given any more.
    pub(super) fn end_after(&self, channel: &ChannelName, seq: Seq) -> bool {
        self.0.iter().any(|gap| seq <= gap.through && gap.pattern.matches(channel))
    }

    /// Whether such an event lies in a gap, so that it was not given.
    pub(super) fn hold(&self, channel: &ChannelName, seq: Seq) -> bool {
        self.0.iter().any(|gap| gap.after < seq && seq <= gap.through && gap.pattern.matches(channel))
    }

    /// What is given is decided on again from `position`: nothing after it counts as given.
    pub(super) fn rewind(&mut self, position: Seq) {
        self.0.iter_mut().for_each(|gap| gap.after = gap.after.min(position));
    }

    /// Takes out the gaps that end at or before `position`.
    pub(super) fn pass(&mut self, position: Seq) -> Self {
        if self.0.is_empty() {
            return Self::default();
        }
        let (past, ahead) = std::mem::take(&mut self.0).into_iter().partition(|gap| gap.through <= position);
        self.0 = ahead;
        Self(past)
    }

    /// Keeps further gaps, whatever is known.
    pub(super) fn keep(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Past so many, one gap stands for all.
    pub(super) fn bound(&mut self, most: usize) {
        if self.0.len() > most {
            let through = self.0.iter().map(|gap| gap.through).max().unwrap_or_default();
            self.0 = vec![Gap { pattern: Pattern::All, after: Seq::ZERO, through }];
        }
    }

    /// Divides gaps that begin at or before `position` there: what lies before it, and what lies ahead. `given` says of
    /// a pattern after which number the session has been given everything up to the position.
    pub(super) fn divide(self, position: Seq, given: impl Fn(&Pattern) -> Option<Seq>) -> (Self, Self) {
        let (mut behind, mut ahead) = (Self::default(), Self::default());
        for gap in self.0 {
            let until = given(&gap.pattern).map_or(position, |from| from.min(position)).min(gap.through);
            if gap.after < until {
                behind.push(&gap.pattern, gap.after, until);
            }
            if gap.through > position {
                ahead.push(&gap.pattern, position, gap.through);
            }
        }
        (behind, ahead)
    }
}
