//! What one stream may and must say: the rules of PROTOCOL.md, held against the tenant's list of events.
//!
//! Naive on purpose: it knows the events, the subscriptions and what the stream has said, and nothing of rings, pages
//! and mailboxes. Whenever the stream names a position, each event up to there must have been given, or be covered by
//! a `$reset` that was given, or be superseded by a later one that is still to come. Since a client may come back with
//! any id that it was given, and every stream is held to this from where it begins, nothing is ever lost.

mod controls;
mod resets;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_core::feed::Frame;
use tidings_core::session::JoinAt;
use tidings_protocol::{ChannelName, Cursor, Event, Filter, Pattern};

use super::coverage::Coverage;
use super::history::{Fact, History, Marks};

/// Fails the run.
#[macro_export]
macro_rules! check {
    ($holds:expr, $($why:tt)*) => {
        if !$holds {
            return Err(format!($($why)*));
        }
    };
}

pub(crate) type Check<T = ()> = Result<T, String>;

/// One subscription: from which number on, and what it was never owed, since it began with the oldest retained event:
/// what was trimmed before it looked at the log, of which it is told nothing if it was so from the first.
#[derive(Debug)]
struct Sub {
    pattern: Pattern,
    from: u64,
    forgiven: Marks,
    first: Marks,
    added: bool,
}

/// Channels that are being added, from the same place.
#[derive(Debug)]
struct Group {
    patterns: Vec<Pattern>,
    at: JoinAt,
    from: u64,
    forgiven: Marks,
    first: Marks,
    told: Vec<(Pattern, u64)>,
    /// Given or skipped in this group.
    seen: BTreeSet<u64>,
    last: u64,
}

/// A control that must come.
#[derive(Debug)]
enum Due {
    Ready { resumed: bool, channels: Vec<Pattern> },
    Unknown(Vec<Pattern>),
}

/// How a stream was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) filter: Arc<Filter>,
    pub(crate) begin: Cursor,
    /// Where the hub was.
    pub(crate) head: u64,
    pub(crate) resumed: bool,
    pub(crate) start: bool,
    pub(crate) unknown: bool,
    pub(crate) poll: bool,
    pub(crate) conflates: bool,
}

/// When a frame was given: where the session says it stands, and what was published by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) position: Cursor,
    pub(crate) history: &'a History,
}

#[derive(Debug)]
pub(crate) struct Watch {
    subs: Vec<Sub>,
    filter: Arc<Filter>,
    poll: bool,
    conflates: bool,
    begin: u64,
    last: Cursor,
    given: BTreeSet<u64>,
    /// Superseded, and counted by a `$lagged`.
    counted: BTreeSet<u64>,
    told: Vec<(Pattern, u64)>,
    lagged: Option<(String, u64)>,
    due: VecDeque<Due>,
    /// The groups of a change; the first is under way once `joining` is set.
    groups: VecDeque<Group>,
    joining: bool,
    lost: VecDeque<Vec<Pattern>>,
    revoked: bool,
    over: bool,
}

fn covers(told: &[(Pattern, u64)], channel: &ChannelName, seq: u64) -> bool {
    told.iter().any(|(pattern, through)| seq <= *through && pattern.matches(channel))
}

fn sorted(patterns: &[Pattern]) -> Vec<Pattern> {
    let mut patterns = patterns.to_vec();
    patterns.sort();
    patterns
}

impl Sub {
    /// Whether the event comes by this subscription; `owed` leaves out what the subscription was never owed.
    fn takes(&self, channel: &ChannelName, seq: u64, owed: bool) -> bool {
        let forgiven = owed && self.forgiven.get(channel).is_some_and(|mark| seq <= *mark);
        self.pattern.matches(channel) && self.from < seq && !forgiven
    }
}

impl Group {
    fn takes(&self, event: &Event, owed: bool) -> bool {
        let seq = event.id.seq.0;
        let sub = |channel: &ChannelName| {
            let forgiven = owed && self.forgiven.get(channel).is_some_and(|mark| seq <= *mark);
            self.patterns.iter().any(|pattern| pattern.matches(channel)) && !forgiven
        };
        seq > self.from && event.channels().any(|channel| sub(channel) && !covers(&self.told, channel, seq))
    }
}

impl Watch {
    pub(crate) fn open(opened: Opened, history: &History) -> Self {
        let forgiven = if opened.start { history.marks() } else { Marks::new() };
        let from = opened.begin.seq.0;
        // A hub that has not been told of everything may begin before what was trimmed, and meet that later.
        let first = if opened.head == history.head() { forgiven.clone() } else { Marks::new() };
        let sub = |pattern: &Pattern| {
            let (pattern, forgiven, first) = (pattern.clone(), forgiven.clone(), first.clone());
            Sub { pattern, from, forgiven, first, added: false }
        };
        let channels = opened.patterns.clone();
        let mut due = VecDeque::new();
        if !opened.poll {
            due.push_back(Due::Ready { resumed: opened.resumed, channels: channels.clone() });
        }
        if opened.unknown {
            due.push_back(Due::Unknown(channels));
        }
        Self {
            subs: opened.patterns.iter().map(sub).collect(),
            filter: opened.filter,
            poll: opened.poll,
            conflates: opened.conflates,
            begin: from,
            last: opened.begin,
            given: BTreeSet::new(),
            counted: BTreeSet::new(),
            told: Vec::new(),
            lagged: None,
            due,
            groups: VecDeque::new(),
            joining: false,
            lost: VecDeque::new(),
            revoked: false,
            over: false,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether everything that had to be said was said.
    pub(crate) fn is_settled(&self) -> bool {
        self.over || (self.due.is_empty() && self.lost.is_empty() && self.groups.is_empty() && !self.revoked)
    }

    /// Whether the right to the pattern ended, and the stream is still to say so.
    pub(crate) fn is_losing(&self, pattern: &Pattern) -> bool {
        self.lost.iter().flatten().any(|lost| lost == pattern)
    }

    pub(crate) fn is_joining(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Retention has removed events of a stream that has not looked at the log yet: it begins with what is left.
    pub(crate) fn forgive(&mut self, history: &History) {
        self.subs.iter_mut().for_each(|sub| sub.forgiven = history.marks());
    }

    /// The same for a group that begins with the oldest retained event.
    pub(crate) fn forgive_group(&mut self, history: &History) {
        for group in &mut self.groups {
            if matches!(group.at, JoinAt::Oldest(_)) && group.last == group.from {
                group.forgiven = history.marks();
            }
        }
    }

    /// A change was answered.
    pub(crate) fn changed(
        &mut self,
        removed: &[Pattern],
        added: Vec<(Pattern, JoinAt)>,
        here: Cursor,
        history: &History,
    ) {
        self.subs.retain(|sub| !removed.contains(&sub.pattern));
        if !added.is_empty() {
            // A stream that has not looked at the log yet now owes its new channels word of what is gone.
            self.subs.iter_mut().for_each(|sub| sub.first.clear());
        }
        for (pattern, at) in added {
            if let Some(group) = self.groups.iter_mut().find(|group| group.at == at) {
                group.patterns.push(pattern);
                continue;
            }
            let from = match at {
                JoinAt::Here | JoinAt::Unknown => here,
                JoinAt::After(cursor) | JoinAt::Oldest(cursor) => cursor,
            };
            let forgiven = if matches!(at, JoinAt::Oldest(_)) { history.marks() } else { Marks::new() };
            // One that needs no page of its own meets what is gone with the stream's next page.
            let first = if from.seq < here.seq { forgiven.clone() } else { Marks::new() };
            let (from, told) = (from.seq.0, Vec::new());
            let (patterns, seen) = (vec![pattern], BTreeSet::new());
            self.groups.push_back(Group { patterns, at, from, forgiven, first, told, seen, last: from });
        }
    }

    /// The right to these ended: from this moment on nothing of them may come.
    /// A group that is left with none is passed over, unless it has `begun`.
    pub(crate) fn unauthorize(&mut self, lost: Vec<Pattern>, all: bool, begun: bool, history: &History) {
        let pending: Vec<u64> =
            history.upto(self.last.seq.0).filter(|f| self.misses(f)).map(Fact::seq).collect();
        self.counted.extend(pending);
        if let Some(group) = self.groups.front_mut() {
            let taken = history.upto(group.last).filter(|f| group.takes(&f.event, true)).map(Fact::seq);
            let taken: Vec<u64> = taken.collect();
            group.seen.extend(&taken);
            self.counted.extend(taken);
        }
        self.lagged = None;
        self.subs.retain(|sub| !lost.contains(&sub.pattern));
        for group in &mut self.groups {
            group.patterns.retain(|pattern| !lost.contains(pattern));
        }
        let first = begun.then(|| self.groups.pop_front()).flatten();
        self.groups.retain(|group| !group.patterns.is_empty());
        if let Some(first) = first {
            self.groups.push_front(first);
        }
        self.revoked |= all;
        self.lost.push_back(lost);
    }

    /// Whether the event is for this stream; `owed` leaves out what it was never owed.
    fn wants(&self, event: &Event, owed: bool) -> bool {
        let seq = event.id.seq.0;
        let by = |channel| self.subs.iter().any(|sub| sub.takes(channel, seq, owed));
        self.filter.selects(event)
            && event.channels().any(|channel| by(channel) && !covers(&self.told, channel, seq))
    }

    fn misses(&self, fact: &Fact) -> bool {
        let seq = fact.seq();
        self.wants(&fact.event, true) && !self.given.contains(&seq) && !self.counted.contains(&seq)
    }

    /// Everything up to `seq` was given, reset or superseded.
    pub(crate) fn check_position(&self, seq: u64, history: &History) -> Check {
        let superseded = |fact: &Fact| {
            self.conflates && history.after(seq).any(|later| fact.event.is_superseded_by(&later.event))
        };
        match history.upto(seq).find(|fact| self.misses(fact) && !superseded(fact)) {
            Some(fact) => Err(format!("position {seq} passes over {} {self:?}", fact.json)),
            None => Ok(()),
        }
    }

    fn take_id(&mut self, id: Cursor, at: At<'_>) -> Check {
        check!(id.seq >= self.last.seq, "id {id} after {}", self.last);
        check!(!self.joining, "id {id} between $subscribed and $joined");
        self.last = id;
        self.check_position(id.seq.0, at.history)
    }

    /// Takes a frame; answers the id that it carried.
    pub(crate) fn on_frame(
        &mut self,
        frame: &Frame,
        at: At<'_>,
        cov: &mut Coverage,
    ) -> Check<Option<Cursor>> {
        check!(self.over == matches!(frame, Frame::Over), "over is {}: {frame:?}", self.over);
        match frame {
            Frame::Event(entry) => {
                cov.hit("frame: event");
                let fact = self.known(entry.event(), at.history)?;
                self.on_event(fact, at)?;
                return Ok(Some(fact.event.id));
            }
            Frame::Backfill(entry) => {
                cov.hit("frame: backfill");
                let fact = self.known(entry.event(), at.history)?;
                self.on_backfill(fact, at, cov)?;
            }
            Frame::Control(control, id) => {
                self.on_control(control, *id, at, cov)?;
                return Ok(*id);
            }
            Frame::Heartbeat(pulse) => return self.on_heartbeat(*pulse, at, cov),
            Frame::Abort(_) => {
                cov.hit("frame: abort");
                self.over = true;
            }
            Frame::Over => {}
        }
        Ok(None)
    }

    fn known<'a>(&self, event: &Event, history: &'a History) -> Check<&'a Fact> {
        let fact =
            history.get(event.id.seq.0).ok_or_else(|| format!("{} was never published", event.to_json()))?;
        check!(fact.json == event.to_json(), "{} was published, not {}", fact.json, event.to_json());
        check!(self.filter.selects(event), "filtered out, but given: {}", fact.json);
        check!(self.due.is_empty(), "an event before {:?}", self.due);
        Ok(fact)
    }

    fn on_event(&mut self, fact: &Fact, at: At<'_>) -> Check {
        check!(!self.joining, "an event with an id between $subscribed and $joined: {}", fact.json);
        check!(fact.seq() > self.last.seq.0, "given after {}: {}", self.last, fact.json);
        check!(self.wants(&fact.event, false), "not wanted, but given: {}\n{self:?}", fact.json);
        let seen = |seq| self.given.contains(&seq) || self.counted.contains(&seq);
        let skipped = |owed| {
            let before = at.history.upto(fact.seq() - 1).filter(|f| f.event.is_superseded_by(&fact.event));
            before.filter(|f| self.wants(&f.event, owed) && !seen(f.seq())).map(Fact::seq).collect::<Vec<_>>()
        };
        let (least, most) = (skipped(true), skipped(false));
        self.count_lagged(fact, &least, &most)?;
        self.given.insert(fact.seq());
        self.take_id(fact.event.id, at)
    }

    fn on_backfill(&mut self, fact: &Fact, at: At<'_>, cov: &mut Coverage) -> Check {
        let position = at.position.seq.0;
        check!(self.joining, "a backfill outside of $subscribed and $joined: {}", fact.json);
        let group = self.groups.front().expect("joining a group");
        check!(fact.seq() > group.last, "backfill out of order: {}", fact.json);
        check!(fact.seq() <= position, "backfill beyond the position {position}: {}", fact.json);
        check!(group.takes(&fact.event, false), "not of the group, but given: {}\n{self:?}", fact.json);
        let given = self.given.contains(&fact.seq()) && self.wants(&fact.event, true);
        check!(!given, "given again: {}\n{self:?}", fact.json);
        let skipped = |owed: bool| {
            let before = at.history.upto(fact.seq() - 1).filter(|f| f.event.is_superseded_by(&fact.event));
            let of_group = before.filter(|f| group.takes(&f.event, owed) && self.filter.selects(&f.event));
            let missing = of_group.filter(|f| !self.wants(&f.event, !owed) && !group.seen.contains(&f.seq()));
            missing.map(Fact::seq).collect::<Vec<_>>()
        };
        let (least, most) = (skipped(true), skipped(false));
        if self.lagged.is_some() {
            cov.hit("frame: $lagged, in a join");
        }
        self.count_lagged(fact, &least, &most)?;
        self.given.insert(fact.seq());
        let group = self.groups.front_mut().expect("joining a group");
        group.seen.extend(most);
        group.seen.insert(fact.seq());
        group.last = fact.seq();
        Ok(())
    }

    /// What was skipped in favour of this event was said just before it.
    fn count_lagged(&mut self, fact: &Fact, least: &[u64], most: &[u64]) -> Check {
        let said = match self.lagged.take() {
            Some((key, skipped)) => {
                check!(fact.event.key.as_deref() == Some(&*key), "$lagged {key} before {}", fact.json);
                check!(skipped > 0, "$lagged of nothing");
                skipped
            }
            None => 0,
        };
        let expected = least.len() as u64..=most.len() as u64;
        let why = "skipped in favour of";
        check!(expected.contains(&said), "{said} {why} {}, not {expected:?} {most:?}\n{self:?}", fact.json);
        self.counted.extend(most);
        Ok(())
    }

    /// Where the stream began.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }
}
