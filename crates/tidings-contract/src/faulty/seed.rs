//! Chance that can be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of numbers drawn from one seed (splitmix64). Clones draw from the same source.
#[derive(Debug, Clone)]
pub struct Seed(Arc<AtomicU64>);

impl Seed {
    /// A source that always gives the same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number.
    #[must_use]
    pub fn draw(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to `bound`, that one excluded; 0 where the bound is.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    /// Whether something happens that does so `percent` times in a hundred.
    #[must_use]
    pub fn happens(&self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_keeps_to_its_odds() {
        let draw = |seed| (0..50).map(|_| Seed::draw(&seed)).collect::<Vec<_>>();
        assert_eq!(draw(Seed::new(7)), draw(Seed::new(7)));
        assert_ne!(draw(Seed::new(7)), draw(Seed::new(8)));
        let seed = Seed::new(1);
        assert!((0..1_000).all(|_| !seed.happens(0) && seed.happens(100)));
        let struck = (0..10_000).filter(|_| seed.happens(30)).count();
        assert!((2_700..3_300).contains(&struck), "{struck}");
    }
}
