//! Adding channels to a live stream: `$subscribed`, what they missed, `$joined`.
//!
//! While channels are being added the position stands still: what the added channels missed up to there is given
//! without ids, in groups that begin at the same place; the other channels wait, and are read from the position
//! afterwards. A client whose connection breaks in between comes back with its cursor and adds again with the `since`
//! it asked with.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::{Cursor, ErrorCode, Pattern, Seq};

use super::gaps::Gaps;
use super::output::Queued;
use super::{Phase, Session};
use crate::entry::Entry;
use crate::pages::Page;
use crate::port::log::Selection;

/// A channel to add, authorised, its beginning resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// What to subscribe to.
    pub pattern: Pattern,
    /// Where it begins.
    pub at: JoinAt,
}

/// Where an added channel begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinAt {
    /// At the stream's own position.
    Here,
    /// After a cursor that the log knows.
    After(Cursor),
    /// With the oldest retained event; the floor's cursor.
    Oldest(Cursor),
    /// The client gave a cursor that the log does not know.
    Unknown,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeResult {
    /// Channels that are, or are being, added.
    pub added: Vec<Pattern>,
    /// Channels that were not, and why.
    pub refused: Vec<(Pattern, ErrorCode)>,
}

/// Channels that begin at the same place.
#[derive(Debug)]
struct Group {
    patterns: Vec<Pattern>,
    at: JoinAt,
    from: Cursor,
    /// How far the backfill was taken by the transport.
    taken: Cursor,
    resets: Gaps,
    /// As [`Session::forgives_gaps`]: what the first page says retention has removed.
    forgives_gaps: bool,
    forgiven: Gaps,
}

/// Channels that are being added. The first group is under way.
#[derive(Debug)]
pub(super) struct Joining {
    groups: VecDeque<Group>,
}

impl Group {
    /// Where a channel of the group begins: with the oldest retained event, where it was to.
    fn begin_of(&self, pattern: &Pattern) -> Seq {
        let begin = pattern.as_exact().map_or(Seq::ZERO, |_| self.forgiven.end_of(pattern));
        self.from.seq.max(begin)
    }
}

impl Joining {
    pub(super) fn advance(&mut self, to: Cursor) {
        if let Some(group) = self.groups.front_mut() {
            group.taken = group.taken.max(to);
        }
    }

    fn remove(&mut self, lost: &[Pattern]) -> Vec<Pattern> {
        let mut removed = Vec::new();
        for group in &mut self.groups {
            group.patterns.retain(|pattern| {
                let keep = !lost.contains(pattern);
                if !keep {
                    removed.push(pattern.clone());
                }
                keep
            });
        }
        removed
    }

    /// The next group that has a channel left.
    fn next(&mut self) -> Option<&Group> {
        while self.groups.front().is_some_and(|group| group.patterns.is_empty()) {
            self.groups.pop_front();
        }
        self.groups.front()
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.groups.iter().flat_map(|group| &group.patterns)
    }
}

impl Session {
    pub(super) fn on_change(&mut self, add: Vec<Join>, remove: &[Pattern]) {
        let removed = self.subscriptions.remove(remove);
        let (joins, result) = self.admit(add);
        self.changed = Some(Box::new(result));
        if joins.is_empty() && removed.is_empty() {
            return;
        }
        self.out.push_back(Queued::Detach);
        if joins.is_empty() {
            self.attach();
            return;
        }
        // A channel that is added with a cursor is owed what follows it, or word of what is gone.
        if !joins.iter().all(|join| matches!(join.at, JoinAt::Oldest(_))) {
            self.forgives_gaps = false;
            self.subscriptions.forgive_nothing();
        }
        self.phase = Phase::Joining;
        self.joining = Some(Box::new(Joining { groups: self.group(joins) }));
        self.begin_group();
    }

    fn admit(&self, add: Vec<Join>) -> (Vec<Join>, ChangeResult) {
        let mut joins: Vec<Join> = Vec::new();
        let mut result = ChangeResult::default();
        let mut count = self.subscriptions.len();
        for join in add {
            if joins.iter().any(|other| other.pattern == join.pattern) {
                continue;
            }
            let is_new = !self.subscriptions.contains(&join.pattern);
            if is_new && count >= self.config.max_channels {
                result.refused.push((join.pattern, ErrorCode::TooManyChannels));
                continue;
            }
            count += usize::from(is_new);
            result.added.push(join.pattern.clone());
            joins.push(join);
        }
        (joins, result)
    }

    fn group(&self, joins: Vec<Join>) -> VecDeque<Group> {
        let mut groups: VecDeque<Group> = VecDeque::new();
        for join in joins {
            if let Some(group) = groups.iter_mut().find(|group| group.at == join.at) {
                group.patterns.push(join.pattern);
                continue;
            }
            let from = match join.at {
                JoinAt::Here | JoinAt::Unknown => self.scanned,
                JoinAt::After(cursor) | JoinAt::Oldest(cursor) => cursor,
            };
            groups.push_back(Group {
                patterns: vec![join.pattern],
                at: join.at,
                from,
                taken: from,
                resets: Gaps::default(),
                forgives_gaps: matches!(join.at, JoinAt::Oldest(_)),
                forgiven: Gaps::default(),
            });
        }
        groups
    }

    fn begin_group(&mut self) {
        let Some(group) = self.joining.as_mut().and_then(|joining| joining.next()) else {
            self.joining = None;
            self.attach();
            return;
        };
        let (channels, at, from) = (group.patterns.clone(), group.at, group.from);
        self.control(Control::Subscribed { channels: channels.clone(), from }, false);
        if at == JoinAt::Unknown {
            let reset = Reset { reason: ResetReason::Unknown, channels, through: Some(self.scanned) };
            self.control(Control::Reset(reset), false);
        }
        self.read_joining();
    }

    /// Reads on where the transport has taken the backfill to, or says that the group has caught up.
    pub(super) fn read_joining(&mut self) {
        let Some(group) = self.joining.as_ref().and_then(|joining| joining.groups.front()) else { return };
        self.read_joining_after(group.taken);
    }

    fn read_joining_after(&mut self, after: Cursor) {
        let Some(group) = self.joining.as_ref().and_then(|joining| joining.groups.front()) else { return };
        if group.patterns.is_empty() || after.seq >= self.scanned.seq {
            let channels = group.patterns.clone();
            self.control(Control::Joined { channels }, true);
            return;
        }
        let selection = Selection { patterns: group.patterns.clone().into(), filter: self.filter.clone() };
        let query = self.query(after, selection);
        self.out.push_back(Queued::Read(Box::new(query)));
    }

    pub(super) fn on_joining_page(&mut self, page: &Page) {
        let Some(mut joining) = self.joining.take() else { return };
        if let Some(group) = joining.groups.front_mut() {
            self.note_group_resets(group, page);
            let wanted: Vec<&Arc<Entry>> =
                page.entries.iter().filter(|entry| self.is_backfill(group, entry)).collect();
            self.joining = None;
            self.put_events(&wanted, Queued::Backfill);
        }
        self.joining = Some(joining);
        self.out.push_back(Queued::AdvanceJoin(page.scanned_to));
        // A page that was shared may be older than the position, and end before it.
        self.read_joining_after(page.scanned_to);
    }

    fn note_group_resets(&mut self, group: &mut Group, page: &Page) {
        for trimmed in &page.trimmed {
            let (pattern, through) = (&trimmed.pattern, trimmed.through);
            // The gap of a pattern that is no single channel is news when it is seen again.
            let known = pattern.as_exact().is_some() && through.seq <= group.forgiven.end_of(pattern);
            if group.forgives_gaps {
                group.forgiven.note(pattern, group.from.seq, through.seq);
            } else if !known && group.resets.note(pattern, group.from.seq, through.seq) {
                let channels = vec![pattern.clone()];
                let reset = Reset { reason: ResetReason::Expired, channels, through: Some(through) };
                self.control(Control::Reset(reset), false);
            }
        }
        group.forgives_gaps = false;
    }

    /// Whether the event is one that the added channels missed and no other subscription of the session has covered.
    fn is_backfill(&self, group: &Group, entry: &Entry) -> bool {
        let event = entry.event();
        let seq = entry.seq();
        seq > group.from.seq
            && seq <= self.scanned.seq
            && event.channels().any(|channel| {
                group.patterns.iter().any(|pattern| pattern.matches(channel))
                    && !group.resets.end_after(channel, seq)
            })
            && self.filter.selects(event)
            && !self.subscriptions.has_covered(event)
    }

    /// Called as a control is taken: with `$joined` the group is part of the stream, and the next begins.
    pub(super) fn leave_joined(&mut self, control: &Control) {
        if !matches!(control, Control::Joined { .. }) {
            return;
        }
        let Some(mut joining) = self.joining.take() else { return };
        if let Some(group) = joining.groups.pop_front() {
            let begins: Vec<Seq> = group.patterns.iter().map(|pattern| group.begin_of(pattern)).collect();
            self.subscriptions.take_over_gaps(self.position.seq, group.resets, group.forgiven);
            for (pattern, begin) in group.patterns.iter().zip(begins) {
                self.subscriptions.add(pattern, begin);
            }
        }
        self.joining = Some(joining);
        self.begin_group();
    }

    /// Removes lost patterns from the stream and from what is being added; answers those that were there.
    pub(super) fn remove_lost(&mut self, lost: &[Pattern]) -> Vec<Pattern> {
        let mut removed = self.subscriptions.remove(lost);
        if let Some(joining) = &mut self.joining {
            for pattern in joining.remove(lost) {
                if !removed.contains(&pattern) {
                    removed.push(pattern);
                }
            }
        }
        removed
    }
}
