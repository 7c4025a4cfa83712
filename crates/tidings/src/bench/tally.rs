//! What was accepted, what a subscriber was given, and whether the two are the same.

use std::cmp::Ordering;

/// What one subscriber was given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    count: u64,
    sum: u64,
    last: u64,
    doubles: u64,
    disorder: u64,
}

impl Tally {
    /// An event with this number came; whether it is a new one, in order.
    pub(super) fn note(&mut self, number: u64) -> bool {
        match number.cmp(&self.last) {
            Ordering::Greater => {
                self.count += 1;
                self.sum = self.sum.wrapping_add(number);
                self.last = number;
                return true;
            }
            Ordering::Equal => self.doubles += 1,
            Ordering::Less => self.disorder += 1,
        }
        false
    }

    /// Counts from zero; what comes must still be newer than what came.
    pub(super) fn start_over(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }
}

/// What was accepted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ledger {
    /// How many events.
    pub(super) count: u64,
    sum: u64,
}

impl Ledger {
    /// The event with this number was accepted.
    pub(super) fn note(&mut self, number: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
    }
}

/// What went wrong between the accepted and the received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Faults {
    /// Accepted and not received.
    pub(super) lost: u64,
    /// The same event twice, one right after the other.
    pub(super) doubles: u64,
    /// An event after a later one.
    pub(super) disorder: u64,
    /// Streams that the server or the network ended.
    pub(super) ended: u64,
}

impl Faults {
    /// Holds one subscriber's tally against the ledger.
    pub(super) fn check(&mut self, ledger: &Ledger, tally: &Tally) {
        let missing = ledger.count.saturating_sub(tally.count);
        // As many as were accepted, and yet not the same ones.
        let others = u64::from(missing == 0 && ledger.sum != tally.sum);
        self.lost += missing + others;
        self.doubles += tally.doubles;
        self.disorder += tally.disorder;
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            lost: self.lost + other.lost,
            doubles: self.doubles + other.doubles,
            disorder: self.disorder + other.disorder,
            ended: self.ended + other.ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(accepted: &[u64], received: &[u64]) -> Faults {
        let (mut ledger, mut tally, mut faults) = (Ledger::default(), Tally::default(), Faults::default());
        accepted.iter().for_each(|number| ledger.note(*number));
        received.iter().for_each(|number| {
            tally.note(*number);
        });
        faults.check(&ledger, &tally);
        faults
    }

    #[test]
    fn faults_are_seen() {
        // Answers may come in another order than commits.
        assert_eq!(faults(&[5, 4, 7], &[4, 5, 7]), Faults::default());
        assert_eq!(faults(&[4, 5, 7], &[4, 7]).lost, 1);
        assert_eq!(faults(&[4, 5], &[4, 6]).lost, 1);
        assert_eq!(faults(&[4, 5], &[4, 4, 5]).doubles, 1);
        let disorder = faults(&[4, 5, 6], &[4, 6, 5]);
        assert_eq!((disorder.disorder, disorder.lost), (1, 1));
    }
}
