//! A tenant's state: its log, its index by channel, its marks, keys, records and held values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tidings_core::port::store::{IdempotencyKey, Outcome, Record, RecordKey, RecordWrite};
use tidings_core::throttle::Stage;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Cursor, Draft, Event, Seq};

use super::lineage::Lineages;

/// Everything of one tenant.
#[derive(Debug, Clone)]
pub(super) struct TenantState {
    pub(super) created_at: Timestamp,
    pub(super) lineages: Lineages,
    pub(super) head: Seq,
    /// The time of the last event, even where it is gone.
    pub(super) last_time: Timestamp,
    /// Every event up to here is gone, from every channel.
    pub(super) floor: Cursor,
    pub(super) events: BTreeMap<Seq, Stored>,
    /// Where each channel's retained events are; no set is empty.
    pub(super) index: BTreeMap<ChannelName, BTreeSet<Seq>>,
    /// The last event that retention removed from a channel; all above the floor.
    pub(super) marks: BTreeMap<ChannelName, Cursor>,
    pub(super) keys: HashMap<(ChannelName, Box<str>), UsedKey>,
    pub(super) ended: HashMap<ChannelName, Ended>,
    /// What decisions came to, by scope and key.
    pub(super) answers: HashMap<(String, String), Answered>,
    pub(super) records: BTreeMap<RecordKey, Tagged>,
    /// The last place that was given to a record.
    pub(super) last_place: u64,
    pub(super) stages: BTreeMap<String, Throttled>,
}

/// An event and the channels that still hold it; at least one.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) event: Event,
    pub(super) on: Vec<ChannelName>,
}

/// An idempotency key that was used.
#[derive(Debug, Clone)]
pub(super) struct UsedKey {
    pub(super) fingerprint: Fingerprint,
    pub(super) id: Cursor,
    pub(super) at: Timestamp,
}

/// What a command came to, under one of its idempotency keys.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) key: IdempotencyKey,
    pub(super) outcome: Outcome,
    pub(super) at: Timestamp,
}

/// A record, and by what it can be listed.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    pub(super) record: Record,
    pub(super) tags: Vec<String>,
}

/// A channel that a terminal event has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) by: Seq,
    /// When retention removed the terminal event.
    pub(super) gone_at: Option<Timestamp>,
}

/// A throttled stage with what it holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttled {
    pub(super) stage: Stage,
    pub(super) held: Option<Held>,
}

/// A held value.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) event: Draft,
    pub(super) records: Vec<RecordWrite>,
}

impl TenantState {
    pub(super) fn new(now: Timestamp) -> Self {
        let lineages = Lineages::first();
        Self {
            created_at: now,
            head: Seq::ZERO,
            last_time: Timestamp(0),
            floor: Cursor::new(Seq::ZERO, lineages.present()),
            lineages,
            events: BTreeMap::new(),
            index: BTreeMap::new(),
            marks: BTreeMap::new(),
            keys: HashMap::new(),
            ended: HashMap::new(),
            answers: HashMap::new(),
            records: BTreeMap::new(),
            last_place: 0,
            stages: BTreeMap::new(),
        }
    }

    /// The head, under this run's lineage.
    pub(super) fn head_cursor(&self) -> Cursor {
        Cursor::new(self.head, self.lineages.present())
    }

    /// Takes an event from a channel; from the log with the last one.
    pub(super) fn unindex(&mut self, channel: &ChannelName, seq: Seq, now: Timestamp) {
        if let Some(on) = self.index.get_mut(channel) {
            on.remove(&seq);
            if on.is_empty() {
                self.index.remove(channel);
            }
        }
        let Some(stored) = self.events.get_mut(&seq) else { return };
        stored.on.retain(|name| name != channel);
        if stored.on.is_empty() {
            self.events.remove(&seq);
            if let Some(ended) = self.ended.values_mut().find(|ended| ended.by == seq) {
                ended.gone_at = Some(now);
            }
        }
    }

    /// Loses everything after `keep`, and all that came with it.
    pub(super) fn cut_tail(&mut self, keep: Seq) {
        self.head = self.head.min(keep);
        self.events.retain(|seq, _| *seq <= keep);
        for on in self.index.values_mut() {
            on.retain(|seq| *seq <= keep);
        }
        self.index.retain(|_, on| !on.is_empty());
        self.floor.seq = self.floor.seq.min(keep);
        self.marks.retain(|_, mark| mark.seq <= keep);
        self.keys.retain(|_, key| key.id.seq <= keep);
        self.ended.retain(|_, ended| ended.by <= keep);
        self.answers.retain(|_, answered| answered.outcome.head.seq <= keep);
        self.records.retain(|_, tagged| tagged.record.at.seq <= keep);
        self.stages.clear();
    }
}

/// Whether more than `length` has passed from `then` to `now`.
pub(super) fn is_older(then: Timestamp, now: Timestamp, length: Duration) -> bool {
    u128::try_from(now.0.saturating_sub(then.0)).is_ok_and(|millis| millis > length.as_millis())
}
