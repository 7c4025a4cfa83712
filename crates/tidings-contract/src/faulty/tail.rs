//! A Tail whose announcements are lost, doubled and reordered, and whose link can be cut.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::port::Tail;
use tidings_core::port::tail::{Growth, Listener};
use tidings_protocol::TenantId;

use super::Seed;

/// How often each fault strikes, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailOdds {
    /// An announcement is lost.
    pub lost: u8,
    /// It is made twice.
    pub doubled: u8,
    /// It is held back until some later announcement, or [`FaultyTail::flush`].
    pub held_back: u8,
}

impl Default for TailOdds {
    fn default() -> Self {
        Self { lost: 20, doubled: 20, held_back: 40 }
    }
}

/// How often each fault struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TailFaults {
    /// Announcements lost, by chance or by a cut link.
    pub lost: u64,
    /// Announcements made twice.
    pub doubled: u64,
    /// Announcements made after one that came later.
    pub overtaken: u64,
}

/// A node's Tail with faults on the way out. What it hears from others is untouched.
#[derive(Debug)]
pub struct FaultyTail<T> {
    inner: T,
    seed: Seed,
    odds: TailOdds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held_back: Vec<Growth>,
    /// While the link is cut: the highest head of each tenant, announced when it is up again.
    cut: Option<HashMap<TenantId, Growth>>,
    faults: TailFaults,
}

impl<T: Tail> FaultyTail<T> {
    /// Wraps a Tail.
    pub fn new(inner: T, seed: Seed, odds: TailOdds) -> Self {
        Self { inner, seed, odds, state: Mutex::default() }
    }

    /// How often each fault struck so far.
    #[must_use]
    pub fn faults(&self) -> TailFaults {
        self.lock().faults
    }

    /// Cuts the link: nothing is announced until [`FaultyTail::heal`].
    pub fn cut(&self) {
        self.lock().cut.get_or_insert_default();
    }

    /// Puts the link up again, and announces anew what has grown meanwhile, as the port asks.
    pub fn heal(&self) {
        let missed = self.lock().cut.take();
        for growth in missed.into_iter().flat_map(HashMap::into_values) {
            self.inner.announce(growth);
        }
    }

    /// Announces what is held back, the latest first.
    pub fn flush(&self) {
        let held_back = std::mem::take(&mut self.lock().held_back);
        for growth in held_back.into_iter().rev() {
            self.inner.announce(growth);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is announced now, in order, where this one was to be.
    fn scramble(&self, growth: Growth) -> Vec<Growth> {
        let mut state = self.lock();
        if let Some(missed) = &mut state.cut {
            let latest = missed.entry(growth.tenant.clone()).or_insert_with(|| growth.clone());
            if growth.head > latest.head {
                *latest = growth;
            }
            state.faults.lost += 1;
            return Vec::new();
        }
        if self.seed.happens(self.odds.lost) {
            state.faults.lost += 1;
            return Vec::new();
        }
        let mut out = Vec::new();
        if self.seed.happens(self.odds.doubled) {
            state.faults.doubled += 1;
            out.push(growth.clone());
        }
        if self.seed.happens(self.odds.held_back) {
            state.held_back.push(growth);
            return out;
        }
        out.push(growth);
        if !state.held_back.is_empty() && self.seed.happens(50) {
            let at = self.seed.below(state.held_back.len() as u64);
            let overtaken = state.held_back.swap_remove(usize::try_from(at).unwrap_or(0));
            state.faults.overtaken += 1;
            out.push(overtaken);
        }
        out
    }
}

impl<T: Tail> Tail for FaultyTail<T> {
    fn announce(&self, growth: Growth) {
        for growth in self.scramble(growth) {
            self.inner.announce(growth);
        }
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.inner.listen(listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryTail, MemoryWire};
    use tidings_protocol::{Cursor, Lineage, Seq};

    #[derive(Default)]
    struct Ear(Mutex<Vec<u64>>);

    impl Listener for Ear {
        fn grown(&self, growth: Growth) {
            self.0.lock().unwrap().push(growth.head.seq.0);
        }
    }

    fn growth(seq: u64) -> Growth {
        Growth { tenant: "t".parse().unwrap(), head: Cursor::new(Seq(seq), Lineage::from_bits(1)) }
    }

    fn pair(seed: u64, odds: TailOdds) -> (FaultyTail<MemoryTail>, Arc<Ear>) {
        let wire = MemoryWire::new();
        let ear = Arc::new(Ear::default());
        wire.connect().listen(Arc::clone(&ear) as Arc<dyn Listener>);
        (FaultyTail::new(wire.connect(), Seed::new(seed), odds), ear)
    }

    fn heard(seed: u64) -> (Vec<u64>, TailFaults) {
        let (tail, ear) = pair(seed, TailOdds::default());
        (1..=200).for_each(|seq| tail.announce(growth(seq)));
        tail.flush();
        let heard = ear.0.lock().unwrap().clone();
        (heard, tail.faults())
    }

    #[test]
    fn it_loses_doubles_and_reorders_but_invents_nothing() {
        let (heard_first, faults) = heard(3);
        assert_eq!(heard(3), (heard_first.clone(), faults));
        assert!(faults.lost > 0 && faults.doubled > 0 && faults.overtaken > 0, "{faults:?}");
        assert!(!heard_first.is_sorted());
        let mut distinct = heard_first;
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len() as u64, 200 - faults.lost);
    }

    #[test]
    fn a_healed_link_announces_what_was_missed() {
        let none = TailOdds { lost: 0, doubled: 0, held_back: 0 };
        let (tail, ear) = pair(1, none);
        tail.announce(growth(1));
        tail.cut();
        (2..=9).for_each(|seq| tail.announce(growth(seq)));
        assert_eq!(*ear.0.lock().unwrap(), [1]);
        tail.heal();
        tail.heal();
        assert_eq!(*ear.0.lock().unwrap(), [1, 9]);
        assert_eq!(tail.faults().lost, 8);
    }
}
