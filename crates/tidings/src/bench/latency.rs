//! How long events were under way, sampled.

use std::time::Duration;

use serde::Serialize;

/// One delivery in so many is looked at: coprime to round numbers of subscribers, so that it is not always the same one.
const EVERY: u32 = 17;
/// Most samples kept.
const SAMPLES: usize = 4_000_000;

/// Samples of a phase.
#[derive(Debug, Default)]
pub(super) struct Latency {
    skipped: u32,
    samples: Vec<Duration>,
}

/// Milliseconds within which so many in a hundred arrived.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Latency {
    /// Whether this delivery is one to look at.
    pub(super) fn is_due(&mut self) -> bool {
        self.skipped += 1;
        let due = self.skipped >= EVERY;
        if due {
            self.skipped = 0;
        }
        due
    }

    /// A sample.
    pub(super) fn note(&mut self, took: Duration) {
        if self.samples.len() < SAMPLES {
            self.samples.push(took);
        }
    }

    /// What the samples say; they are forgotten.
    pub(super) fn take(&mut self) -> Percentiles {
        let mut samples = std::mem::take(&mut self.samples);
        samples.sort_unstable();
        percentiles(&samples)
    }
}

/// Percentiles of ascending samples.
pub(super) fn percentiles(sorted: &[Duration]) -> Percentiles {
    let at = |share: usize| {
        let index = (sorted.len() * share / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    Percentiles { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let samples: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let found = percentiles(&samples);
        assert_eq!((found.p50, found.p99, found.max), (51.0, 100.0, 100.0));
        assert_eq!(percentiles(&[]).max, 0.0);
    }
}
