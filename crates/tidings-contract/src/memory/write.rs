//! Changing a tenant: first a check that changes nothing, then an application that cannot fail.

use std::collections::HashSet;

use tidings_core::port::store::{
    Changes, Hold, IdempotencyKey, KEY_MEMORY, Outcome, Policy, Receipt, Record, RecordKey, RecordWrite,
};
use tidings_core::throttle::{Look, Offer};
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Cursor, Draft, ErrorCode, Event};

use super::tenant::{Answered, Ended, Held, Stored, Tagged, TenantState, UsedKey, is_older};

/// What the check found out about one of a command's own events.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// It is new and will be appended.
    New,
    /// Its idempotency key is known with the same body.
    Known(Cursor),
}

/// A commit in the making: what has been appended, and the records whose cursor is the head at its end.
#[derive(Default)]
struct Commit {
    events: Vec<Event>,
    written: Vec<RecordKey>,
}

impl TenantState {
    /// The outcome that the first known one of a decision's own keys stands for.
    pub(super) fn replay(&self, keys: &[IdempotencyKey]) -> Result<Option<Outcome>, Problem> {
        let found = keys.iter().find_map(|key| Some((key, self.answers.get(&name(key))?)));
        let Some((key, answered)) = found else { return Ok(None) };
        if answered.key.fingerprint != key.fingerprint {
            return Err(Problem::of(ErrorCode::IdempotencyConflict));
        }
        let again = |receipt: &Receipt| Receipt { duplicate: true, ..*receipt };
        let receipts = answered.outcome.receipts.iter().map(again).collect();
        Ok(Some(Outcome { receipts, replayed: true, ..answered.outcome.clone() }))
    }

    /// Carries out what a command decided, or refuses it and changes nothing. Answers the outcome and the events.
    pub(super) fn carry_out(
        &mut self,
        changes: Changes,
        keys: Vec<IdempotencyKey>,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<(Outcome, Vec<Event>), Problem> {
        let verdicts = self.check_keys(&changes.events)?;
        self.check_ended(&changes, &verdicts)?;
        self.check_quota(&changes.events, &verdicts, keys.len(), now, policy)?;
        let (outcome, events) = self.apply(changes, &verdicts, now);
        for key in keys {
            let answered = Answered { key: key.clone(), outcome: outcome.clone(), at: now };
            self.answers.entry(name(&key)).or_insert(answered);
        }
        Ok((outcome, events))
    }

    fn check_keys(&self, drafts: &[Draft]) -> Result<Vec<Verdict>, Problem> {
        let mut seen = HashSet::new();
        let mut verdicts = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Some(key) = draft.idempotency_key.clone() else {
                verdicts.push(Verdict::New);
                continue;
            };
            let key = (draft.channel.clone(), key);
            verdicts.push(match self.keys.get(&key) {
                None => Verdict::New,
                Some(used) if used.fingerprint == draft.fingerprint() => Verdict::Known(used.id),
                Some(_) => return Err(Problem::of(ErrorCode::IdempotencyConflict)),
            });
            if !seen.insert(key) {
                return Err(Problem::of(ErrorCode::IdempotencyKeyRepeated));
            }
        }
        Ok(verdicts)
    }

    /// Goes through the events in the order in which they would be appended.
    fn check_ended(&self, changes: &Changes, verdicts: &[Verdict]) -> Result<(), Problem> {
        let mut ending: HashSet<&ChannelName> = HashSet::new();
        for stage in &changes.settle {
            let held = self.stages.get(stage).and_then(|throttled| throttled.held.as_ref());
            ending.extend(held.filter(|held| held.event.terminal).map(|held| &held.event.channel));
        }
        let news = changes.events.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::New));
        let holds = changes.hold.iter().map(|hold| &hold.event);
        for draft in news.map(|(draft, _)| draft).chain(holds) {
            if self.is_ended(draft) || draft.channels().any(|channel| ending.contains(channel)) {
                return Err(Problem::of(ErrorCode::ChannelEnded));
            }
            if draft.terminal {
                ending.insert(&draft.channel);
            }
        }
        Ok(())
    }

    fn is_ended(&self, draft: &Draft) -> bool {
        draft.channels().any(|channel| self.ended.contains_key(channel))
    }

    fn check_quota(
        &self,
        drafts: &[Draft],
        verdicts: &[Verdict],
        own: usize,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<(), Problem> {
        let fresh = |(draft, verdict): &(&Draft, &Verdict)| {
            draft.idempotency_key.is_some() && matches!(verdict, Verdict::New)
        };
        let wanted = (drafts.iter().zip(verdicts).filter(fresh).count() + own) as u64;
        let quota = policy.idempotency_keys;
        if wanted == 0 || quota == 0 || (self.keys.len() + self.answers.len()) as u64 + wanted <= quota {
            return Ok(());
        }
        let times = self.keys.values().map(|key| key.at).chain(self.answers.values().map(|one| one.at));
        let used = times.filter(|at| !is_older(*at, now, KEY_MEMORY)).count() as u64;
        if used + wanted <= quota {
            Ok(())
        } else {
            Err(Problem::of(ErrorCode::IdempotencyQuota).retry_after(60))
        }
    }

    fn apply(&mut self, changes: Changes, verdicts: &[Verdict], now: Timestamp) -> (Outcome, Vec<Event>) {
        let mut commit = Commit::default();
        for stage in &changes.settle {
            self.settle(stage, now, &mut commit);
        }
        self.write_records(changes.records, &mut commit);
        let mut receipts = Vec::with_capacity(verdicts.len());
        for (draft, verdict) in changes.events.into_iter().zip(verdicts) {
            receipts.push(match verdict {
                Verdict::Known(id) => Receipt { id: *id, duplicate: true },
                Verdict::New => Receipt { id: self.append_own(draft, now, &mut commit), duplicate: false },
            });
        }
        for hold in changes.hold {
            self.offer(hold, now, &mut commit);
        }
        let events = self.finish(commit);
        (Outcome { receipts, head: self.head_cursor(), answer: changes.answer, replayed: false }, events)
    }

    /// The records that the commit wrote contain everything up to the head at its end.
    fn finish(&mut self, commit: Commit) -> Vec<Event> {
        let head = self.head_cursor();
        for key in &commit.written {
            if let Some(tagged) = self.records.get_mut(key) {
                tagged.record.at = head;
            }
        }
        commit.events
    }

    fn write_records(&mut self, writes: Vec<RecordWrite>, commit: &mut Commit) {
        for write in writes {
            match write {
                RecordWrite::Delete(key) => {
                    self.records.remove(&key);
                }
                RecordWrite::Put { key, body, tags } => {
                    let old =
                        self.records.get(&key).map(|tagged| (tagged.record.version, tagged.record.place));
                    let (version, place) = old.unwrap_or((0, self.last_place + 1));
                    self.last_place = self.last_place.max(place);
                    let at = self.head_cursor();
                    let record = Record { key: key.clone(), version: version + 1, body, at, place };
                    self.records.insert(key.clone(), Tagged { record, tags });
                    commit.written.push(key);
                }
            }
        }
    }

    fn append_own(&mut self, draft: Draft, now: Timestamp, commit: &mut Commit) -> Cursor {
        let key = draft.idempotency_key.clone().map(|key| (draft.channel.clone(), key));
        let fingerprint = draft.fingerprint();
        let id = self.append(draft, now, commit);
        if let Some(key) = key {
            self.keys.insert(key, UsedKey { fingerprint, id, at: now });
        }
        id
    }

    fn append(&mut self, draft: Draft, now: Timestamp, commit: &mut Commit) -> Cursor {
        self.head = self.head.next();
        let id = self.head_cursor();
        let event = Event {
            id,
            time: now,
            channel: draft.channel,
            also: draft.also,
            kind: draft.kind,
            category: draft.category,
            key: draft.key,
            actor: draft.actor,
            version: draft.version,
            mutation_id: draft.mutation_id,
            terminal: draft.terminal,
            data: draft.data,
        };
        self.last_time = now;
        if event.terminal {
            self.ended.insert(event.channel.clone(), Ended { by: id.seq, gone_at: None });
        }
        let on: Vec<ChannelName> = event.channels().cloned().collect();
        for channel in &on {
            self.index.entry(channel.clone()).or_default().insert(id.seq);
        }
        self.events.insert(id.seq, Stored { event: event.clone(), on });
        commit.events.push(event);
        id
    }

    fn offer(&mut self, hold: Hold, now: Timestamp, commit: &mut Commit) {
        let throttled = self.stages.entry(hold.stage).or_default();
        let value = Held { event: hold.event, records: hold.records };
        match throttled.stage.offer(now, hold.window) {
            Offer::Hold { .. } => throttled.held = Some(value),
            Offer::Emit => {
                throttled.held = None;
                self.emit(value, now, commit);
            }
        }
    }

    /// A value's event and records enter the log together. Nothing of it is stored where its channel has ended.
    fn emit(&mut self, value: Held, now: Timestamp, commit: &mut Commit) {
        if !self.is_ended(&value.event) {
            self.append(value.event, now, commit);
            self.write_records(value.records, commit);
        }
    }

    fn settle(&mut self, stage: &str, now: Timestamp, commit: &mut Commit) {
        if let Some(value) = self.stages.remove(stage).and_then(|throttled| throttled.held) {
            self.emit(value, now, commit);
        }
    }

    /// Commits the held values that are due, each in a commit of its own, and forgets the windows that are over.
    /// Answers the events in order.
    pub(super) fn emit_due(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for stage in self.stages_by_due() {
            let Some(throttled) = self.stages.get_mut(&stage) else { continue };
            let look = throttled.stage.look(now);
            let held = if look == Look::Emit { throttled.held.take() } else { None };
            if look == Look::Closed {
                self.stages.remove(&stage);
            }
            if let Some(value) = held {
                let mut commit = Commit::default();
                self.emit(value, now, &mut commit);
                events.extend(self.finish(commit));
            }
        }
        events
    }

    /// Commits everything held, as a start does. Answers the events in order.
    pub(super) fn settle_all(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for stage in self.stages_by_due() {
            let mut commit = Commit::default();
            self.settle(&stage, now, &mut commit);
            events.extend(self.finish(commit));
        }
        events
    }

    fn stages_by_due(&self) -> Vec<String> {
        let mut stages: Vec<_> =
            self.stages.iter().map(|(name, it)| (it.stage.due(), name.clone())).collect();
        stages.sort();
        stages.into_iter().map(|(_, name)| name).collect()
    }

    /// When the next held value is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.stages.values().filter_map(|throttled| throttled.stage.due()).min()
    }
}

/// Under what a decision's own key is kept.
fn name(key: &IdempotencyKey) -> (String, String) {
    (key.scope.clone(), key.key.clone())
}
