//! The most recent events of a tenant, bounded in count and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_protocol::Seq;

use crate::entry::Entry;

/// Events with the numbers `(floor, newest]`, ascending. Numbers may be missing only where retention removed the event
/// before the ring began.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    floor: Seq,
    max_entries: usize,
    max_bytes: usize,
}

impl Ring {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, floor: Seq::ZERO, max_entries, max_bytes }
    }

    /// Empties the ring; it begins after `floor`.
    pub(crate) fn restart(&mut self, floor: Seq) {
        self.entries.clear();
        self.bytes = 0;
        self.floor = floor;
    }

    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.floor = oldest.seq();
        }
    }

    /// Whether the ring holds everything after `seq`.
    pub(crate) fn reaches(&self, seq: Seq) -> bool {
        seq >= self.floor
    }

    /// The events after `seq`, ascending.
    pub(crate) fn after(&self, seq: Seq) -> impl Iterator<Item = &Arc<Entry>> {
        let from = self.entries.partition_point(|entry| entry.seq() <= seq);
        self.entries.range(from..)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
