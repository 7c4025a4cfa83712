//! Which channels are followed, from where on, and what of each was given. Pure.
//!
//! Owns: the channels of the stream and those that are being added to it, what a change of the open stream asks for, and
//! whether an event is one to hand on. Leaves out: the stream's own position, which is an argument.
//!
//! A channel is *part* of the stream once the position stands for it too; until then it is *joining*: it is asked for with
//! the place where it begins, again on every new stream, and that place moves on with what was given of it.
//!
//! Invariants:
//! - an event is left out only for what was given for one of its channels, and a gap was not given;
//! - of one channel there is at most one change under way; what is asked for meanwhile waits for its end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidings_protocol::cursor::Since;
use tidings_protocol::{Cursor, Seq};

use super::change::{Answer, Wanted};
use super::event::{Event, Gap};
use super::query::Query;

/// Most gaps that are remembered. Past that, what was given before the oldest counts as not given: an event may come a
/// second time where a channel is added from there; none is left out that was not given.
const HOLES: usize = 64;

/// The channels of one subscriber.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    held: BTreeMap<String, Held>,
    /// Channels that the open stream has and nobody follows any more; whether their removal can be asked for.
    leaving: BTreeMap<String, bool>,
    holes: VecDeque<Hole>,
    /// Between `$subscribed` and `$joined`: the channels between them.
    group: Option<Vec<String>>,
    /// What was asked for and is not answered.
    asked: Option<Asked>,
    /// Bytes that the channels may take together in a request.
    room: usize,
}

#[derive(Debug, Clone, Default)]
struct Held {
    is_part: bool,
    /// What was given of it: after this, up to the stream's position. None until it is known.
    from: Option<Seq>,
    joining: Option<Joining>,
    /// An earlier beginning that was asked for while it was joining.
    next: Option<Since>,
}

#[derive(Debug, Clone)]
struct Joining {
    /// Where it is asked for.
    since: Since,
    /// What was given of it: after this, up to `since`.
    began: Option<Seq>,
    is_asked: bool,
}

#[derive(Debug, Clone)]
struct Hole {
    channel: String,
    after: Seq,
    through: Seq,
}

#[derive(Debug)]
struct Asked {
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

impl Joining {
    fn new(since: Since) -> Self {
        let began = match since {
            Since::Cursor(cursor) => Some(cursor.seq),
            Since::Start | Since::Now => None,
        };
        Self { since, began, is_asked: false }
    }
}

impl Hole {
    fn takes(&self, name: &str, seq: Seq) -> bool {
        self.after < seq && seq <= self.through && patterns(name).any(|pattern| pattern == self.channel)
    }
}

impl Roster {
    /// The channels that a stream begins with; together no more than `room` bytes are taken.
    pub(crate) fn new(channels: &[String], room: usize) -> Self {
        let part = |name: &String| (name.clone(), Held { is_part: true, ..Held::default() });
        Self { held: channels.iter().map(part).collect(), room, ..Self::default() }
    }

    /// The channels that the next stream is opened with.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.held.iter().filter(|(_, held)| held.is_part).map(|(name, _)| name.as_str())
    }

    /// Follows a channel from there on; whether there is room for it.
    pub(crate) fn add(&mut self, name: &str, since: Since) -> bool {
        let Some(held) = self.held.get_mut(name) else {
            let taken: usize = self.held.keys().map(|name| Query::cost(name)).sum();
            let has_room = taken + Query::cost(name) <= self.room;
            if has_room {
                let joining = Some(Joining::new(since));
                self.held.insert(name.to_owned(), Held { joining, ..Held::default() });
            }
            return has_room;
        };
        let begin = match &held.joining {
            Some(Joining { since: Since::Start, .. }) => Some(Seq::ZERO),
            Some(joining) => joining.began.or(held.from),
            None => held.from,
        };
        if is_earlier(since, begin) {
            match &held.joining {
                None => held.joining = Some(Joining::new(since)),
                Some(joining) if !joining.is_asked => held.joining = Some(Joining::new(since)),
                Some(_) => held.next = Some(since),
            }
        }
        true
    }

    /// Follows a channel no more.
    pub(crate) fn remove(&mut self, name: &str) {
        let Some(held) = self.held.remove(name) else { return };
        let is_asked = held.joining.is_some_and(|joining| joining.is_asked);
        if held.is_part || is_asked {
            self.leaving.insert(name.to_owned(), !is_asked);
        }
    }

    /// The right to the channels has ended. Where nothing is left they stay, so that the next stream is refused and says
    /// why.
    pub(crate) fn lose(&mut self, lost: &[String]) {
        if !self.held.keys().all(|name| lost.contains(name)) {
            self.held.retain(|name, _| !lost.contains(name));
        }
    }

    /// A channel that the stream was refused for is followed no more; whether it was one of several.
    pub(crate) fn leave_out(&mut self, name: &str) -> bool {
        self.held.len() > 1 && self.held.remove(name).is_some()
    }

    /// The stream is gone: what was under way on it is asked for on the next.
    pub(crate) fn close(&mut self) {
        (self.group, self.asked) = (None, None);
        self.leaving.clear();
        for joining in self.held.values_mut().filter_map(|held| held.joining.as_mut()) {
            joining.is_asked = false;
        }
    }

    /// A stream that begins at `position` is open.
    pub(crate) fn open(&mut self, position: Seq) {
        for held in self.held.values_mut().filter(|held| held.is_part) {
            held.from.get_or_insert(position);
        }
    }

    /// The history is another one: nothing was given of it before `position`.
    pub(crate) fn forget(&mut self, position: Seq) {
        self.holes.clear();
        for held in self.held.values_mut() {
            held.from = held.is_part.then_some(position);
            if let Some(joining) = &mut held.joining {
                joining.began = None;
            }
        }
    }

    /// What is to be asked of the open stream, if something is and nothing is under way. At most `most` entries each.
    pub(crate) fn ask(&mut self, most: usize) -> Option<Wanted> {
        if self.asked.is_some() {
            return None;
        }
        let mut wanted = Wanted::default();
        for (name, held) in &mut self.held {
            if let Some(joining) = &mut held.joining
                && !(joining.is_asked || self.leaving.contains_key(name) || wanted.add.len() == most)
            {
                joining.is_asked = true;
                wanted.add.push((name.clone(), joining.since));
            }
        }
        let ready = self.leaving.iter().filter(|(_, is_ready)| **is_ready);
        wanted.remove = ready.map(|(name, _)| name.clone()).take(most).collect();
        if wanted.add.is_empty() && wanted.remove.is_empty() {
            return None;
        }
        let add = wanted.add.iter().map(|(name, _)| name.clone()).collect();
        self.asked = Some(Asked { add, remove: wanted.remove.iter().cloned().collect() });
        Some(wanted)
    }

    /// The change was made; the channels that were refused are followed no more where they are not part already.
    pub(crate) fn answered(&mut self, answer: &Answer) {
        let Some(asked) = self.asked.take() else { return };
        self.leaving.retain(|name, _| !asked.remove.contains(name));
        for refused in &answer.refused {
            let name = &refused.channel;
            self.leaving.remove(name);
            if let Some(held) = self.held.get_mut(name) {
                (held.joining, held.next) = (None, None);
                if !held.is_part {
                    self.held.remove(name);
                }
            }
        }
    }

    /// There was no answer; whether the stream has shown all the same that the change was made.
    pub(crate) fn is_made(&mut self) -> bool {
        let Some(asked) = &self.asked else { return true };
        let joins = |name: &String| {
            let joining = self.held.get(name).and_then(|held| held.joining.as_ref());
            joining.is_some_and(|joining| joining.is_asked) || self.leaving.contains_key(name)
        };
        let is_made = asked.remove.is_empty() && !asked.add.iter().any(joins);
        if is_made {
            self.asked = None;
        }
        is_made
    }

    /// `$subscribed`.
    pub(crate) fn subscribed(&mut self, channels: Vec<String>, from: Cursor) {
        for name in &channels {
            if let Some(joining) = under_way(&mut self.held, name) {
                joining.began.get_or_insert(from.seq);
                // Where a channel that begins here begins is settled now. One that begins with the oldest event does so
                // again until it is given one, and one whose cursor is unknown is told so again.
                if joining.since == Since::Now {
                    joining.since = Since::Cursor(from);
                }
            }
        }
        self.group = Some(channels);
    }

    /// `$joined`, at this position: those of the channels that are part of the stream now and were not, or from earlier
    /// on.
    pub(crate) fn joined(&mut self, channels: Vec<String>, position: Seq) -> Vec<String> {
        self.group = None;
        let mut joined = Vec::new();
        for name in channels {
            if let Some(is_ready) = self.leaving.get_mut(&name) {
                *is_ready = true;
                continue;
            }
            let Some(held) = self.held.get_mut(&name) else { continue };
            let Some(joining) = held.joining.take_if(|joining| joining.is_asked) else { continue };
            let began = joining.began.unwrap_or(position);
            held.from = Some(held.from.map_or(began, |from| from.min(began)));
            held.is_part = true;
            held.joining = held.next.take().map(Joining::new);
            joined.push(name);
        }
        joined
    }

    /// Notes that events cannot be given; `position` is that of the stream.
    pub(crate) fn gap(&mut self, gap: &Gap, position: Seq) {
        let Some(through) = gap.through else { return };
        for channel in &gap.channels {
            let after = match under_way(&mut self.held, channel) {
                Some(Joining { since: Since::Cursor(since), .. }) if self.group.is_some() => since.seq,
                _ => position,
            };
            self.holes.push_back(Hole { channel: channel.clone(), after, through: through.seq });
        }
        while self.holes.len() > HOLES {
            let Some(hole) = self.holes.pop_front() else { return };
            for held in self.held.values_mut() {
                held.from = held.from.map(|from| from.max(hole.through));
                if let Some(joining) = &mut held.joining {
                    joining.began = joining.began.map(|began| began.max(hole.through));
                }
            }
        }
    }

    /// The channels that are being caught up begin at another history's end.
    pub(crate) fn begin_anew(&mut self, channels: &[String], through: Cursor) {
        for name in channels {
            if let Some(joining) = under_way(&mut self.held, name) {
                (joining.since, joining.began) = (Since::Cursor(through), Some(through.seq));
            }
        }
    }

    /// Whether channels are being caught up: what comes now lies at or before the stream's position.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.group.is_some()
    }

    /// Whether an event after the position is on a channel that is followed, and after where that begins: a channel may
    /// have been added from a place ahead of the position.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        let takes = |held: &Held| held.is_part && held.from.is_none_or(|from| from < event.id.seq);
        names(event).any(|name| self.holders(name).any(takes))
    }

    /// Whether an event that the channels being caught up have missed is one to hand on; notes that it is.
    pub(crate) fn catch_up(&mut self, event: &Event, position: Seq) -> bool {
        let seq = event.id.seq;
        let is_asked = |held: &Held| held.joining.as_ref().is_some_and(|joining| joining.is_asked);
        let is_wanted = names(event).any(|name| self.holders(name).any(is_asked));
        let is_given = names(event).any(|name| {
            let is_hole = self.holes.iter().any(|hole| hole.takes(name, seq));
            !is_hole && self.holders(name).any(|held| held.has_given(seq, position))
        });
        for name in self.group.iter().flatten() {
            if let Some(joining) = under_way(&mut self.held, name)
                && !matches!(joining.since, Since::Cursor(since) if since.seq >= seq)
            {
                joining.since = Since::Cursor(event.id);
            }
        }
        is_wanted && !is_given
    }

    fn holders(&self, name: &str) -> impl Iterator<Item = &Held> {
        patterns(name).filter_map(|pattern| self.held.get(pattern.as_ref()))
    }
}

impl Held {
    fn has_given(&self, seq: Seq, position: Seq) -> bool {
        let was_part = self.is_part && self.from.is_some_and(|from| from < seq) && seq <= position;
        let has_caught_up = self.joining.as_ref().is_some_and(|joining| {
            let is_before = matches!(joining.since, Since::Cursor(since) if seq <= since.seq);
            is_before && joining.began.is_some_and(|began| began < seq)
        });
        was_part || has_caught_up
    }
}

/// What is asked for of the open stream for this channel.
fn under_way<'a>(held: &'a mut BTreeMap<String, Held>, name: &str) -> Option<&'a mut Joining> {
    held.get_mut(name)?.joining.as_mut().filter(|joining| joining.is_asked)
}

/// Whether this begins before what is given already begins.
fn is_earlier(since: Since, begin: Option<Seq>) -> bool {
    match since {
        Since::Now => false,
        Since::Start => begin.is_none_or(|begin| begin > Seq::ZERO),
        Since::Cursor(cursor) => begin.is_none_or(|begin| cursor.seq < begin),
    }
}

fn names(event: &Event) -> impl Iterator<Item = &str> {
    std::iter::once(&event.channel).chain(&event.also).map(String::as_str)
}

/// The names under which a channel is followed: its own, those of its prefixes, and that of all.
fn patterns(name: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    let prefixes = name.match_indices(':').map(|(at, _)| format!("{}*", &name[..=at]).into());
    [name.into(), "*".into()].into_iter().chain(prefixes)
}

#[cfg(test)]
mod tests;
