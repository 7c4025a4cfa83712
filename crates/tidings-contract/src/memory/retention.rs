//! Retention: what goes, the marks it leaves, and the floor when there are too many of them.

use tidings_core::port::store::{KEY_MEMORY, Policy};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Seq};

use super::tenant::{TenantState, is_older};

impl TenantState {
    /// Carries out the policy: age, count, marks, then what may be forgotten of keys and ended channels.
    pub(super) fn trim(&mut self, now: Timestamp, policy: &Policy) {
        if !policy.retention_age.is_zero() {
            self.trim_by_age(now, policy);
        }
        if policy.events_per_channel > 0 {
            self.trim_by_count(now, policy.events_per_channel);
        }
        self.raise_floor(now, policy.trim_marks);
        let events = &self.events;
        self.keys.retain(|_, key| events.contains_key(&key.id.seq) || !is_older(key.at, now, KEY_MEMORY));
        self.answers.retain(|_, answered| !is_older(answered.at, now, KEY_MEMORY));
        let rest = KEY_MEMORY.max(policy.retention_age);
        self.ended.retain(|_, ended| ended.gone_at.is_none_or(|gone| !is_older(gone, now, rest)));
    }

    /// Removes the prefix of the log that is too old: it ends before the first event that is not.
    fn trim_by_age(&mut self, now: Timestamp, policy: &Policy) {
        while let Some((seq, stored)) = self.events.first_key_value() {
            if !is_older(stored.event.time, now, policy.retention_age) {
                return;
            }
            let seq = *seq;
            for channel in stored.on.clone() {
                self.remove(&channel, seq, now);
            }
        }
    }

    fn trim_by_count(&mut self, now: Timestamp, limit: u64) {
        let channels: Vec<ChannelName> = self.index.keys().cloned().collect();
        for channel in channels {
            while let Some(seqs) = self.index.get(&channel).filter(|seqs| seqs.len() as u64 > limit) {
                let Some(oldest) = seqs.first().copied() else { break };
                self.remove(&channel, oldest, now);
            }
        }
    }

    /// Takes an event from a channel and leaves a mark.
    fn remove(&mut self, channel: &ChannelName, seq: Seq, now: Timestamp) {
        if let Some(stored) = self.events.get(&seq) {
            self.marks.insert(channel.clone(), stored.event.id);
        }
        self.unindex(channel, seq, now);
    }

    /// Lets the oldest marks give way to the floor while there are too many; what lies at or under it goes.
    fn raise_floor(&mut self, now: Timestamp, limit: u64) {
        while self.marks.len() as u64 > limit {
            let Some(oldest) = self.marks.values().min().copied() else { break };
            self.floor = oldest;
            self.marks.retain(|_, mark| *mark > oldest);
        }
        while let Some((seq, stored)) =
            self.events.first_key_value().filter(|(seq, _)| **seq <= self.floor.seq)
        {
            let seq = *seq;
            for channel in stored.on.clone() {
                self.unindex(&channel, seq, now);
            }
        }
        self.lineages.forget_under(self.floor.seq);
    }
}
