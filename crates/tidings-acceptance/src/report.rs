//! What a test says about itself: figures that are seen whether it passes or fails, and seeds.

use std::io::Write;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Writes a line past the capture of the test harness: how much was done is part of the result.
pub fn report(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "    {}", line.as_ref());
}

/// A generator whose seed is printed; `ACCEPTANCE_SEED` repeats a run as far as processes can be repeated.
///
/// # Panics
/// If the variable is no number.
#[must_use]
pub fn random(test: &str) -> StdRng {
    let seed = match std::env::var("ACCEPTANCE_SEED") {
        Ok(text) => text.parse().expect("ACCEPTANCE_SEED is a number"),
        Err(_) => rand::random::<u32>().into(),
    };
    report(format!("{test}: ACCEPTANCE_SEED={seed}"));
    StdRng::seed_from_u64(seed)
}
