//! The judgement: every send with its answer, the log as it stands, and what each subscriber has seen, held against
//! each other. The words are those of Jepsen: an acknowledged send is ok, a refused one fail, an unanswered one info.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde_json::Value;
use tidings_protocol::{Cursor, Seq};

use crate::journal::{Entry, Journal};
use crate::publish::{Attempt, Outcome};
use crate::report::report;

/// Most examples that are shown of one kind of fault.
const EXAMPLES: usize = 5;

/// An event as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its id.
    pub id: Cursor,
    /// Its number.
    pub n: u64,
    /// Its channel.
    pub channel: String,
}

/// What is judged: all that was sent, and the log at the end.
#[derive(Debug, Default)]
pub struct Records {
    attempts: Vec<Attempt>,
    log: Vec<Logged>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Numbers acknowledged.
    pub ok: usize,
    /// Numbers refused.
    pub fail: usize,
    /// Numbers of which nobody knows.
    pub info: usize,
    /// Of those, how many are in the log.
    pub info_found: usize,
    /// Events that subscribers received.
    pub received: usize,
    /// Times that a stream was opened again.
    pub resumed: usize,
    /// Gaps that were announced.
    pub announced: usize,
    faults: BTreeMap<Fault, Vec<String>>,
    counts: BTreeMap<Fault, usize>,
}

/// A broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Acknowledged, and not in the log.
    Lost,
    /// Twice in the log, or received twice by one subscriber.
    Doubled,
    /// Received after a later one, or logged against the order of ids.
    Reordered,
    /// In the log and before the subscriber's position, not received, and no reset said so.
    SilentGap,
    /// A number of the log that no event has.
    Hole,
    /// Not sent by anybody, or not under that id.
    Foreign,
    /// Refused, and in the log all the same.
    Aborted,
    /// What no server should send.
    Wrong,
    /// The subscriber did not reach the end.
    Stalled,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Reordered => "out of order",
            Self::SilentGap => "silent gaps",
            Self::Hole => "holes",
            Self::Foreign => "foreign",
            Self::Aborted => "aborted but there",
            Self::Wrong => "wrong frames",
            Self::Stalled => "stalled",
        })
    }
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::Lost,
        Self::Doubled,
        Self::Reordered,
        Self::SilentGap,
        Self::Hole,
        Self::Foreign,
        Self::Aborted,
        Self::Wrong,
        Self::Stalled,
    ];
}

impl Records {
    /// All that was sent, and what history says the log holds of it.
    ///
    /// # Panics
    /// If history holds something that is no numbered event.
    #[must_use]
    pub fn new(attempts: Vec<Attempt>, history: &[Value]) -> Self {
        let logged = |event: &Value| {
            let id = event["id"].as_str()?.parse().ok()?;
            Some(Logged {
                id,
                n: event["data"]["n"].as_u64()?,
                channel: event["channel"].as_str()?.to_owned(),
            })
        };
        let log = history
            .iter()
            .map(|event| logged(event).unwrap_or_else(|| panic!("not a numbered event: {event}")));
        Self { attempts, log: log.collect() }
    }

    /// The same sends beside another history: that of a log that was restored.
    #[must_use]
    pub fn with_history(&self, history: &[Value]) -> Self {
        Self::new(self.attempts.clone(), history)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// The last position.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        self.log.last().map(|logged| logged.id.seq)
    }

    /// Holds all of it against what the subscribers have seen. `whole`: the log is everything that the tenant has, so
    /// that its numbers must follow each other.
    #[must_use]
    pub fn judge(&self, journals: &[Journal], whole: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let found = self.judge_log(&mut verdict, whole);
        self.judge_sends(&mut verdict, &found);
        for (index, journal) in journals.iter().enumerate() {
            self.judge_journal(
                &mut verdict,
                &format!("subscriber {index} ({:?})", journal.transport),
                journal,
            );
        }
        verdict
    }

    /// The log by itself; where each number is in it.
    fn judge_log(&self, verdict: &mut Verdict, whole: bool) -> HashMap<u64, Cursor> {
        let mut found = HashMap::new();
        for logged in &self.log {
            let first = *found.entry(logged.n).or_insert(logged.id);
            if first != logged.id {
                verdict.found(Fault::Doubled, || {
                    format!("{} is in the log as {first} and {}", logged.n, logged.id)
                });
            }
        }
        for pair in self.log.windows(2) {
            let (one, next) = (pair[0].id, pair[1].id);
            if next.seq <= one.seq {
                verdict.found(Fault::Reordered, || format!("the log has {next} after {one}"));
            } else if whole && next.seq != one.seq.next() {
                verdict.found(Fault::Hole, || format!("the log has nothing between {one} and {next}"));
            }
        }
        found
    }

    fn judge_sends(&self, verdict: &mut Verdict, found: &HashMap<u64, Cursor>) {
        let mut acked: HashMap<u64, Cursor> = HashMap::new();
        let (mut refused, mut unknown, mut sent): (HashSet<u64>, HashSet<u64>, HashSet<u64>) =
            Default::default();
        for attempt in &self.attempts {
            sent.extend(&attempt.numbers);
            match &attempt.outcome {
                Outcome::Acked(receipts) => {
                    if receipts.len() != attempt.numbers.len() {
                        verdict.found(Fault::Wrong, || {
                            format!("{} receipts for {:?}", receipts.len(), attempt.numbers)
                        });
                    }
                    for (n, (id, _)) in attempt.numbers.iter().zip(receipts) {
                        let before = acked.insert(*n, *id);
                        if before.is_some_and(|before| before != *id) {
                            verdict.found(Fault::Doubled, || {
                                format!("{n} was acknowledged as {before:?} and {id}")
                            });
                        }
                    }
                }
                // The server says itself that nobody knows.
                Outcome::Refused { code, .. } if code == "storage_failed" || code == "internal" => {
                    unknown.extend(&attempt.numbers);
                }
                Outcome::Refused { .. } | Outcome::NotSent(_) => refused.extend(&attempt.numbers),
                Outcome::Unknown(_) => unknown.extend(&attempt.numbers),
            }
        }
        for (n, id) in &acked {
            match found.get(n) {
                Some(found) if found == id => {}
                Some(other) => {
                    verdict.found(Fault::Foreign, || format!("{n} was acknowledged as {id} and is {other}"))
                }
                None => verdict
                    .found(Fault::Lost, || format!("{n} was acknowledged as {id} and is not in the log")),
            }
        }
        unknown.retain(|n| !acked.contains_key(n));
        refused.retain(|n| !acked.contains_key(n) && !unknown.contains(n));
        for n in refused.iter().filter(|n| found.contains_key(n)) {
            verdict.found(Fault::Aborted, || format!("{n} was refused and is in the log"));
        }
        for n in found.keys().filter(|n| !sent.contains(n)) {
            verdict.found(Fault::Foreign, || format!("{n} is in the log and was never sent"));
        }
        (verdict.ok, verdict.fail, verdict.info) = (acked.len(), refused.len(), unknown.len());
        verdict.info_found = unknown.iter().filter(|n| found.contains_key(n)).count();
    }

    /// Walks along the log with the subscriber.
    fn judge_journal(&self, verdict: &mut Verdict, who: &str, journal: &Journal) {
        let log: Vec<&Logged> =
            self.log.iter().filter(|logged| takes_in(&journal.channels, &logged.channel)).collect();
        let after = |seq: Seq| log.partition_point(|logged| logged.id.seq <= seq);
        let mut walk: Option<(usize, Seq)> = None;
        verdict.resumed += journal.opens.saturating_sub(1);
        for entry in &journal.entries {
            match entry {
                Entry::Opened { id, resumed } => match walk {
                    None => walk = Some((after(id.seq), id.seq)),
                    Some((_, seq)) if id.seq < seq => {
                        verdict.found(Fault::Doubled, || format!("{who}: had {seq} and was opened at {id}"));
                    }
                    Some((at, seq)) if *resumed => skip(verdict, who, &log, at, after(id.seq), seq),
                    Some(_) => {}
                },
                Entry::Event { id, n } => {
                    verdict.received += 1;
                    let (at, seq) = walk.unwrap_or((after(Seq(id.seq.0 - 1)), Seq(id.seq.0 - 1)));
                    if id.seq <= seq {
                        let fault = if id.seq == seq { Fault::Doubled } else { Fault::Reordered };
                        verdict.found(fault, || format!("{who}: received {id} after {seq}"));
                        continue;
                    }
                    let here = after(Seq(id.seq.0 - 1));
                    skip(verdict, who, &log, at, here, seq);
                    match log.get(here) {
                        Some(logged) if logged.id == *id && logged.n == *n => {}
                        other => verdict.found(Fault::Foreign, || {
                            format!("{who}: received {n} as {id}, the log has {other:?}")
                        }),
                    }
                    walk = Some((after(id.seq), id.seq));
                }
                Entry::Reset { through, .. } => {
                    verdict.announced += 1;
                    if let (Some(through), Some((at, seq))) = (through, walk) {
                        walk = Some((at.max(after(through.seq)), seq.max(through.seq)));
                    }
                }
                Entry::Position(id) => match walk {
                    Some((_, seq)) if id.seq < seq => {
                        verdict
                            .found(Fault::Reordered, || format!("{who}: at {seq}, then the position {id}"));
                    }
                    Some((at, seq)) => {
                        skip(verdict, who, &log, at, after(id.seq), seq);
                        walk = Some((after(id.seq), id.seq));
                    }
                    None => walk = Some((after(id.seq), id.seq)),
                },
                Entry::End { id: Some(id), .. } => {
                    if let Some((at, seq)) = walk {
                        skip(verdict, who, &log, at, after(id.seq), seq);
                    }
                }
                Entry::End { id: None, .. } => {}
                Entry::Wrong(what) => verdict.found(Fault::Wrong, || format!("{who}: {what}")),
            }
        }
        if journal.stalled {
            let refusals = &journal.refusals;
            verdict.found(Fault::Stalled, || {
                format!(
                    "{who}: at {:?} after {} opens, {} cuts, refusals {refusals:?}",
                    journal.cursor, journal.opens, journal.cuts
                )
            });
        }
    }
}

/// From one place in the log to a later one without having received what is between.
fn skip(verdict: &mut Verdict, who: &str, log: &[&Logged], from: usize, to: usize, seq: Seq) {
    for missed in log.get(from..to).unwrap_or_default() {
        verdict.found(Fault::SilentGap, || {
            format!("{who}: went on from {seq} without {} ({})", missed.id, missed.n)
        });
    }
}

fn takes_in(channels: &[String], channel: &str) -> bool {
    channels.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => channel.starts_with(prefix),
        None => pattern == channel,
    })
}

impl Verdict {
    fn found(&mut self, fault: Fault, what: impl FnOnce() -> String) {
        *self.counts.entry(fault).or_default() += 1;
        let examples = self.faults.entry(fault).or_default();
        if examples.len() < EXAMPLES {
            examples.push(what());
        }
    }

    /// How often a promise was broken.
    #[must_use]
    pub fn count(&self, fault: Fault) -> usize {
        self.counts.get(&fault).copied().unwrap_or(0)
    }

    /// Prints the figures; panics if any promise was broken.
    ///
    /// # Panics
    /// With the examples.
    pub fn expect_clean(&self, test: &str) {
        report(format!("{test}: {self}"));
        let broken: Vec<String> = self
            .faults
            .iter()
            .map(|(fault, examples)| format!("{fault}:\n  {}", examples.join("\n  ")))
            .collect();
        assert!(broken.is_empty(), "{test}: promises were broken\n{self}\n{}", broken.join("\n"));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, fail, info, info_found, received, resumed, announced, .. } = self;
        write!(
            f,
            "sends {ok} ok, {fail} fail, {info} info ({info_found} of them in the log); received {received}, "
        )?;
        write!(f, "streams resumed {resumed}, gaps announced {announced};")?;
        Fault::ALL.iter().try_for_each(|fault| write!(f, " {} {fault},", self.count(*fault)))
    }
}

#[cfg(test)]
mod tests;
