//! What was published: the tenant's list of events, and what retention has left of it. The truth that streams are
//! checked against.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use tidings_contract::MemoryStore;
use tidings_contract::suite::kit::{query, selection};
use tidings_core::port::Log;
use tidings_core::port::log::Query;
use tidings_protocol::{ChannelName, Cursor, Event, TenantId};

/// One event, and the channels that still hold it.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) event: Event,
    pub(crate) json: String,
    pub(crate) on: Vec<ChannelName>,
}

impl Fact {
    pub(crate) fn seq(&self) -> u64 {
        self.event.id.seq.0
    }
}

/// Per channel the last number that retention removed.
pub(crate) type Marks = BTreeMap<ChannelName, u64>;

/// The events 1, 2, 3, …
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    facts: Vec<Fact>,
    pub(crate) floor: u64,
}

impl History {
    pub(crate) fn append(&mut self, event: Event) {
        assert_eq!(event.id.seq.0, self.head() + 1, "numbers run without a hole");
        let (json, on) = (event.to_json(), event.channels().cloned().collect());
        self.facts.push(Fact { event, json, on });
    }

    pub(crate) fn head(&self) -> u64 {
        self.facts.len() as u64
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Fact> {
        seq.checked_sub(1).and_then(|at| self.facts.get(usize::try_from(at).unwrap()))
    }

    pub(crate) fn upto(&self, seq: u64) -> impl Iterator<Item = &Fact> {
        self.facts.iter().take_while(move |fact| fact.seq() <= seq)
    }

    pub(crate) fn after(&self, seq: u64) -> impl Iterator<Item = &Fact> {
        self.facts.iter().skip_while(move |fact| fact.seq() <= seq)
    }

    /// Whether a position that stood after the event `at` is a position of this history: then all before it is too.
    pub(crate) fn contains(&self, seq: u64, at: Option<Cursor>) -> bool {
        seq == 0 || (at.is_some() && self.get(seq).map(|fact| fact.event.id) == at)
    }

    pub(crate) fn cut(&mut self, keep: u64) {
        self.facts.truncate(usize::try_from(keep).unwrap());
    }

    /// Asks the store what it still has.
    pub(crate) fn look(&mut self, store: &MemoryStore, tenant: &TenantId) {
        let channels: BTreeSet<ChannelName> =
            self.facts.iter().flat_map(|fact| fact.event.channels().cloned()).collect();
        self.facts.iter_mut().for_each(|fact| fact.on.clear());
        for channel in channels {
            let selection = selection(&[channel.as_str()], &[], &[]);
            let query = Query { selection, max_bytes: usize::MAX, ..query(&[]) };
            let page = store.read(tenant, &query).now_or_never().unwrap().unwrap();
            for event in page.events {
                self.facts[usize::try_from(event.id.seq.0).unwrap() - 1].on.push(channel.clone());
            }
        }
        self.floor = store.bounds(tenant).now_or_never().unwrap().unwrap().floor.seq.0;
    }

    pub(crate) fn marks(&self) -> Marks {
        let mut marks = Marks::new();
        for fact in &self.facts {
            for channel in fact.event.channels().filter(|channel| !fact.on.contains(channel)) {
                marks.insert(channel.clone(), fact.seq());
            }
        }
        marks
    }
}
