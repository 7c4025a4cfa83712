//! How long to wait before the next attempt: doubling, capped, and spread over the whole of it, so that many who
//! failed together do not come back together. Pure: the random number is an argument.

use std::time::Duration;

/// Delays that double from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The most that the first delay can be.
    pub first: Duration,
    /// The most that any delay can be.
    pub longest: Duration,
}

impl Backoff {
    /// The delay after `failures` attempts in a row have failed (1 for the first); `spread` is a random number from 0
    /// to 1.
    #[must_use]
    pub fn delay(self, failures: u32, spread: f64) -> Duration {
        self.most(failures).mul_f64(spread.clamp(0.0, 1.0))
    }

    fn most(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_longest_and_are_spread_from_nothing() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
        let most: Vec<u64> = (1..8).map(|failures| backoff.delay(failures, 1.0).as_secs()).collect();
        assert_eq!(most, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(u32::MAX, 0.5), Duration::from_secs(15));
        assert_eq!(backoff.delay(9, 0.0), Duration::ZERO);
    }
}
