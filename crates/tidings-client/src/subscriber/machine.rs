//! The subscriber as a state machine: pure, with time and randomness as arguments and effects as data.
//!
//! Owns: the position, when a stream is opened, waited for, given up, or opened with a fresh credential, and when a change
//! of its channels is asked for; which channels those are is the `roster`'s. Leaves out: sockets, parsing and the queue to
//! whoever listens.
//!
//! | input | Renewing | Opening | Live | Waiting | Ended |
//! | --- | --- | --- | --- | --- | --- |
//! | `Ready` | – | → Live | broken | – | – |
//! | `News` | – | broken | delivered once, where a channel of it is followed | – | – |
//! | `Position` | – | broken | moves | – | – |
//! | `Life` | – | – | deadline anew | – | – |
//! | `Taken` | – | – | deadline anew | – | – |
//! | `Named` | – | noted | noted | – | – |
//! | `Expiring` | – | – | a credential is fetched beside the stream, now or at the next renewal | – | – |
//! | `End` | – | as it says | as it says | – | – |
//! | `Gone` | – | → Ended, in order | – | – | – |
//! | `Failed` | – | 401: → Renewing or Ended; 403 for one of several channels: → Opening without it; temporary: → Waiting; else → Ended | → Waiting | – | – |
//! | `Tick` | → Waiting | → Waiting | the next renewal, or → Waiting | → Opening | – |
//! | `Renewed` | → Opening | – | is presented | – | – |
//! | `NotRenewed` | → Waiting | – | at the next renewal | – | – |
//! | `Presented` | – | – | – | – | – |
//! | `NotPresented` | – | – | refused: → Opening; else at the next renewal | – | – |
//! | `Change` | noted | noted | noted, and asked for | noted | – |
//! | `Subscribed` | – | broken | what was missed follows | – | – |
//! | `Joined` | – | broken | the channels are part of the stream | – | – |
//! | `Changed` | – | – | noted; the next change is asked for | – | – |
//! | `NotChanged` | – | – | as `Failed`, unless the stream has shown that the change was made | – | – |
//!
//! "As it says": `now` → Opening, `auth` → Renewing or Ended, both → Waiting after three in a row that brought nothing;
//! `later` → Waiting for `after`; `never` → Ended, in order at `terminal_state`. "–": nothing happens; a credential that
//! comes then is used at the next opening. "Broken" is `Failed`. "The next renewal" is five seconds after the last: a
//! credential that lives for less than a minute is said to be expiring as soon as it is shown. A change whose outcome is
//! not known is asked for again on a new stream, which begins without it.
//!
//! Invariants:
//! - once a stream was ready there is a position, and every later stream is asked to go on from it;
//! - an event at or before the position is not delivered, but to channels that are being added; the position goes back only
//!   where the server says that the history is another one, and stands still while channels catch up;
//! - in every state but Ended there is a deadline;
//! - a credential that was renewed and then refused is not renewed again before a stream was open.

use std::time::Duration;

use tidings_protocol::control::ResetReason;
use tidings_protocol::cursor::Since;
use tidings_protocol::{Cursor, ErrorCode};

use super::change::{Answer, Change, ENTRIES, Wanted};
use super::event::{Event, Gap, Update};
use super::input::{End, Input, Ready};
use super::roster::Roster;
use super::stopped::{State, Status, Stopped};
use crate::backoff::Backoff;
use crate::exchange::Trouble;
use crate::refusal::Refusal;

/// So many `$end`s in a row that say to come back at once, after streams that brought nothing, are followed by delays.
const EAGER: u32 = 3;
/// From one renewal beside a stream to the next at least.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// What a machine goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The delays between attempts.
    pub(crate) backoff: Backoff,
    /// From the request to `$ready`, and for a fresh credential, at most so long.
    pub(crate) opening: Duration,
    /// A stream that says nothing for so long is lost.
    pub(crate) silence: Duration,
    /// Failures in a row after which it stops; `None`: never.
    pub(crate) attempts: Option<u32>,
    /// Whether a fresh credential can be fetched.
    pub(crate) can_renew: bool,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Ask for a stream from the machine's position on.
    Open,
    /// Drop the stream, or the request for one.
    Close,
    /// Fetch a fresh credential, where none is being fetched.
    Renew,
    /// Present the fresh credential to this session.
    Present(String),
    /// Ask this session for a change of its channels.
    Change(String, Wanted),
    /// Hand this on, with the position after it, where there is one.
    Deliver(Update, Option<Cursor>),
    /// Tell the position.
    Moved(Cursor),
    /// Nothing follows: in order, or not.
    Finish(Option<Stopped>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Renewing,
    Opening,
    Live { session: String },
    Waiting,
    Ended,
}

/// One subscriber.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    phase: Phase,
    /// On the clock of whoever drives the machine; none in Ended.
    deadline: Option<Duration>,
    /// Where the next stream begins.
    since: Since,
    roster: Roster,
    failures: u32,
    why: Option<String>,
    /// What `retry:` named.
    named: Duration,
    /// The credential was renewed since a stream was last open.
    is_fresh: bool,
    /// When a fresh credential was asked for last.
    renewed_at: Option<Duration>,
    /// When the next is to be asked for, beside an open stream.
    renewal: Option<Duration>,
}

impl Machine {
    /// A machine that begins, and what it asks for; with a credential that is to be fetched first, or not.
    pub(crate) fn start(
        rules: Rules,
        since: Since,
        roster: Roster,
        must_renew: bool,
        now: Duration,
    ) -> (Self, Vec<Effect>) {
        let mut machine = Self {
            rules,
            phase: Phase::Renewing,
            deadline: None,
            since,
            roster,
            failures: 0,
            why: None,
            named: Duration::ZERO,
            is_fresh: false,
            renewed_at: None,
            renewal: None,
        };
        let effects = if must_renew { machine.renew(now) } else { machine.open(now) };
        (machine, effects)
    }

    /// When [`Input::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| self.renewal.map_or(deadline, |renewal| renewal.min(deadline)))
    }

    /// Where the next stream begins.
    pub(crate) fn since(&self) -> Since {
        self.since
    }

    /// The channels of the next stream.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &str> {
        self.roster.parts()
    }

    pub(crate) fn status(&self) -> Status {
        let state = match self.phase {
            Phase::Renewing => State::Renewing,
            Phase::Opening => State::Connecting,
            Phase::Live { .. } => State::Connected,
            Phase::Waiting => State::Waiting,
            Phase::Ended => State::Ended,
        };
        Status { state, failures: self.failures, why: self.why.clone() }
    }

    /// Takes in what has happened at `now`; `spread` is a random number from 0 to 1.
    pub(crate) fn on_input(&mut self, now: Duration, spread: f64, input: Input) -> Vec<Effect> {
        match (self.phase != Phase::Ended, input) {
            (true, Input::Change(change)) => self.change(change),
            (_, input) => self.on_other(now, spread, input),
        }
    }

    fn on_other(&mut self, now: Duration, spread: f64, input: Input) -> Vec<Effect> {
        match self.phase {
            Phase::Renewing => self.renewing(now, spread, input),
            Phase::Opening => self.opening(now, spread, input),
            Phase::Live { .. } => self.live(now, spread, input),
            Phase::Waiting => match input {
                Input::Tick => self.open(now),
                _ => Vec::new(),
            },
            Phase::Ended => Vec::new(),
        }
    }

    fn renewing(&mut self, now: Duration, spread: f64, input: Input) -> Vec<Effect> {
        match input {
            Input::Renewed => {
                self.is_fresh = true;
                self.open(now)
            }
            Input::NotRenewed(why) => {
                self.fail(now, spread, Duration::ZERO, format!("there is no fresh credential: {why}"))
            }
            Input::Tick => {
                self.fail(now, spread, Duration::ZERO, "a fresh credential did not come in time".to_owned())
            }
            _ => Vec::new(),
        }
    }

    fn opening(&mut self, now: Duration, spread: f64, input: Input) -> Vec<Effect> {
        match input {
            Input::Ready { id, ready } => self.ready(now, id, ready),
            Input::Named(delay) => {
                self.named = delay;
                Vec::new()
            }
            Input::End(end) => self.end(now, spread, end),
            Input::Gone => self.finish(None),
            Input::Failed(trouble) => self.failed(now, spread, trouble),
            Input::News(..) | Input::Position(_) | Input::Subscribed { .. } | Input::Joined { .. } => {
                self.broken(now, spread, "the stream began without `$ready`")
            }
            Input::Tick => self.broken(now, spread, "the stream did not open in time"),
            Input::Life
            | Input::Taken
            | Input::Expiring
            | Input::Renewed
            | Input::NotRenewed(_)
            | Input::Presented
            | Input::NotPresented(_)
            | Input::Change(_)
            | Input::Changed(_)
            | Input::NotChanged(_) => Vec::new(),
        }
    }

    fn live(&mut self, now: Duration, spread: f64, input: Input) -> Vec<Effect> {
        match input {
            Input::News(update, id) => {
                self.lives(now);
                self.news(update, id)
            }
            Input::Position(id) => {
                self.lives(now);
                if self.move_to(id) { vec![Effect::Moved(id)] } else { Vec::new() }
            }
            Input::Life => {
                self.lives(now);
                Vec::new()
            }
            Input::Taken => {
                self.deadline = Some(now.saturating_add(self.rules.silence));
                Vec::new()
            }
            Input::Named(delay) => {
                self.named = delay;
                Vec::new()
            }
            Input::Expiring | Input::NotRenewed(_) => self.renew_beside(now),
            Input::Renewed => match &self.phase {
                Phase::Live { session } => vec![Effect::Present(session.clone())],
                _ => Vec::new(),
            },
            Input::NotPresented(Trouble::Refused(refusal)) if !refusal.is_temporary() => {
                self.is_fresh = true;
                [vec![Effect::Close], self.open(now)].concat()
            }
            Input::NotPresented(_) => self.renew_beside(now),
            Input::End(end) => {
                let moved = end.id.filter(|id| self.move_to(*id)).map(Effect::Moved);
                moved.into_iter().chain(self.end(now, spread, end)).collect()
            }
            Input::Failed(trouble) => self.failed(now, spread, trouble),
            Input::Tick if self.renewal.is_some_and(|renewal| renewal <= now) => self.renew_beside(now),
            Input::Ready { .. } => self.broken(now, spread, "the stream began a second time"),
            Input::Tick => self.broken(now, spread, "the stream fell silent"),
            Input::Subscribed { channels, from } => {
                self.lives(now);
                self.roster.subscribed(channels, from);
                Vec::new()
            }
            Input::Joined { channels, id } => {
                self.lives(now);
                self.joined(channels, id)
            }
            Input::Changed(answer) => self.changed(&answer),
            Input::NotChanged(_) if self.roster.is_made() => self.ask(),
            Input::NotChanged(Trouble::Refused(refusal)) if refusal.status == 404 => {
                self.fail(now, spread, Duration::ZERO, refusal.to_string())
            }
            Input::NotChanged(trouble) => self.failed(now, spread, trouble),
            Input::Gone | Input::Presented | Input::Change(_) => Vec::new(),
        }
    }

    fn change(&mut self, change: Change) -> Vec<Effect> {
        match change {
            Change::Add(channel, since) => {
                if !self.roster.add(&channel, since) {
                    let code = ErrorCode::TooManyChannels.name().to_owned();
                    return vec![Effect::Deliver(Update::Refused { channel, code }, self.position())];
                }
            }
            Change::Remove(channel) => self.roster.remove(&channel),
        }
        self.ask()
    }

    /// Asks the open stream for what is not asked for yet.
    fn ask(&mut self) -> Vec<Effect> {
        let Phase::Live { session } = &self.phase else { return Vec::new() };
        let wanted = self.roster.ask(ENTRIES);
        wanted.map(|wanted| Effect::Change(session.clone(), wanted)).into_iter().collect()
    }

    fn changed(&mut self, answer: &Answer) -> Vec<Effect> {
        self.roster.answered(answer);
        let refused = answer.refused.iter().map(|refused| {
            let (channel, code) = (refused.channel.clone(), refused.code.clone());
            Effect::Deliver(Update::Refused { channel, code }, self.position())
        });
        let mut effects: Vec<Effect> = refused.collect();
        effects.extend(self.ask());
        effects
    }

    fn joined(&mut self, channels: Vec<String>, id: Cursor) -> Vec<Effect> {
        self.move_to(id);
        let channels = self.roster.joined(channels, id.seq);
        let mut effects = match channels.is_empty() {
            true => vec![Effect::Moved(id)],
            false => vec![Effect::Deliver(Update::Joined { channels }, self.position())],
        };
        effects.extend(self.ask());
        effects
    }

    fn position(&self) -> Option<Cursor> {
        match self.since {
            Since::Cursor(position) => Some(position),
            Since::Start | Since::Now => None,
        }
    }

    /// Asks for a fresh credential, or notes when to.
    fn renew_beside(&mut self, now: Duration) -> Vec<Effect> {
        let due = self.renewed_at.map_or(now, |last| last.saturating_add(RENEWAL_PAUSE));
        if !self.rules.can_renew || due > now {
            self.renewal = self.rules.can_renew.then_some(due);
            return Vec::new();
        }
        (self.renewed_at, self.renewal) = (Some(now), None);
        vec![Effect::Renew]
    }

    fn ready(&mut self, now: Duration, id: Cursor, ready: Ready) -> Vec<Effect> {
        // Without a cursor the server says where the stream begins. One that is not gone on from is kept until the gap
        // is told of: a stream that breaks before is asked for with it again.
        let position = self.position().unwrap_or(id);
        self.since = Since::Cursor(position);
        self.roster.open(position.seq);
        self.phase = Phase::Live { session: ready.session };
        self.is_fresh = false;
        self.deadline = Some(now.saturating_add(self.rules.silence));
        let mut effects = vec![Effect::Moved(position)];
        effects.extend(self.ask());
        effects
    }

    fn lives(&mut self, now: Duration) {
        self.failures = 0;
        self.why = None;
        self.deadline = Some(now.saturating_add(self.rules.silence));
    }

    fn news(&mut self, update: Update, id: Option<Cursor>) -> Vec<Effect> {
        match &update {
            Update::Event(event) => {
                if let Some(effects) = self.leaves_out(event) {
                    return effects;
                }
            }
            Update::Gap(gap) => self.gap(gap, id),
            _ => {}
        }
        if let Some(id) = id {
            self.move_to(id);
        }
        vec![Effect::Deliver(update, self.position())]
    }

    /// What to do in place of handing the event on, where it is not to be.
    fn leaves_out(&mut self, event: &Event) -> Option<Vec<Effect>> {
        let Some(position) = self.position() else { return Some(Vec::new()) };
        if self.roster.is_catching_up() {
            return (!self.roster.catch_up(event, position.seq)).then(Vec::new);
        }
        match (self.move_to(event.id), self.roster.wants(event)) {
            (true, true) => None,
            (true, false) => Some(vec![Effect::Moved(event.id)]),
            (false, _) => Some(Vec::new()),
        }
    }

    fn gap(&mut self, gap: &Gap, id: Option<Cursor>) {
        let is_unknown = gap.reason == ResetReason::Unknown.name();
        match (id, gap.through, self.position()) {
            _ if gap.reason == ResetReason::Unauthorized.name() => self.roster.lose(&gap.channels),
            (Some(id), ..) if is_unknown => {
                self.since = Since::Cursor(id);
                self.roster.forget(id.seq);
            }
            (None, Some(through), _) if is_unknown => self.roster.begin_anew(&gap.channels, through),
            (.., Some(position)) => self.roster.gap(gap, position.seq),
            (.., None) => {}
        }
    }

    /// Whether this lies after the position, which it then is.
    fn move_to(&mut self, id: Cursor) -> bool {
        let is_ahead = match self.since {
            Since::Cursor(position) => id.seq > position.seq,
            Since::Start | Since::Now => true,
        };
        if is_ahead {
            self.since = Since::Cursor(id);
        }
        is_ahead
    }

    fn end(&mut self, now: Duration, spread: f64, end: End) -> Vec<Effect> {
        let End { reason, retry, after, .. } = end;
        match retry.as_str() {
            "never" if reason == "terminal_state" => self.finish(None),
            "never" => self.finish(Some(Stopped::Ended { reason })),
            "auth" if !self.may_renew() => self.finish(Some(Stopped::Ended { reason })),
            "auth" if self.failures < EAGER => {
                self.failures += 1;
                [vec![Effect::Close], self.renew(now)].concat()
            }
            "now" if self.failures < EAGER => {
                self.failures += 1;
                [vec![Effect::Close], self.open(now)].concat()
            }
            _ => {
                let why = format!("the server has ended the stream: {reason}");
                match after {
                    // The server has spread it already.
                    Some(after) => self.wait(now, Duration::from_millis(after), why),
                    None => self.fail(now, spread, Duration::ZERO, why),
                }
            }
        }
    }

    fn failed(&mut self, now: Duration, spread: f64, trouble: Trouble) -> Vec<Effect> {
        match trouble {
            Trouble::Refused(refusal) if self.refuses_one(&refusal) => {
                let Refusal { at, code, .. } = refusal;
                let update = Update::Refused { channel: at.unwrap_or_default(), code };
                let told = vec![Effect::Close, Effect::Deliver(update, self.position())];
                [told, self.open(now)].concat()
            }
            Trouble::Refused(refusal) if refusal.status == 401 && self.may_renew() => {
                self.why = Some(refusal.to_string());
                [vec![Effect::Close], self.renew(now)].concat()
            }
            Trouble::Refused(refusal) if !refusal.is_temporary() => {
                self.finish(Some(Stopped::Refused(refusal)))
            }
            Trouble::Refused(refusal) => {
                let named = refusal.retry_after.unwrap_or_default();
                self.fail(now, spread, named, refusal.to_string())
            }
            Trouble::Unreachable(why) | Trouble::Broken(why) => self.fail(now, spread, Duration::ZERO, why),
        }
    }

    /// Whether a stream is refused for one of its channels alone; the others are followed without it.
    fn refuses_one(&mut self, refusal: &Refusal) -> bool {
        let is_of_one = self.phase == Phase::Opening && refusal.status == 403;
        is_of_one && refusal.at.as_deref().is_some_and(|channel| self.roster.leave_out(channel))
    }

    fn broken(&mut self, now: Duration, spread: f64, why: &str) -> Vec<Effect> {
        self.fail(now, spread, Duration::ZERO, why.to_owned())
    }

    /// Stays away for what was named and a spread delay besides.
    fn fail(&mut self, now: Duration, spread: f64, named: Duration, why: String) -> Vec<Effect> {
        let backoff = self.rules.backoff;
        let first = backoff.first.max(self.named).min(backoff.longest);
        let delay = Backoff { first, ..backoff }.delay(self.failures.saturating_add(1), spread);
        self.wait(now, named.saturating_add(delay), why)
    }

    fn wait(&mut self, now: Duration, delay: Duration, why: String) -> Vec<Effect> {
        self.failures = self.failures.saturating_add(1);
        if self.rules.attempts.is_some_and(|attempts| self.failures >= attempts) {
            let failures = self.failures;
            return self.finish(Some(Stopped::GivenUp { failures, last: why }));
        }
        self.why = Some(why);
        self.phase = Phase::Waiting;
        self.renewal = None;
        self.deadline = Some(now.saturating_add(delay));
        vec![Effect::Close]
    }

    fn open(&mut self, now: Duration) -> Vec<Effect> {
        self.roster.close();
        self.phase = Phase::Opening;
        self.renewal = None;
        self.deadline = Some(now.saturating_add(self.rules.opening));
        vec![Effect::Open]
    }

    fn may_renew(&self) -> bool {
        self.rules.can_renew && !self.is_fresh
    }

    fn renew(&mut self, now: Duration) -> Vec<Effect> {
        self.phase = Phase::Renewing;
        (self.renewed_at, self.renewal) = (Some(now), None);
        self.deadline = Some(now.saturating_add(self.rules.opening));
        vec![Effect::Renew]
    }

    fn finish(&mut self, stopped: Option<Stopped>) -> Vec<Effect> {
        self.why = stopped.as_ref().map(ToString::to_string);
        self.phase = Phase::Ended;
        self.deadline = None;
        vec![Effect::Close, Effect::Finish(stopped)]
    }
}

#[cfg(test)]
mod tests;
