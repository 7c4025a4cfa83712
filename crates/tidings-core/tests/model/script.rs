//! Running a seed, and making a failing run small.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidings_contract::faulty::Seed;

use super::coverage::Coverage;
use super::run::run;
use super::step::{Step, steps};
use super::watch::Check;

/// Steps of a run.
const STEPS: u64 = 80;

/// A run that failed, made small.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) why: String,
    pub(crate) script: Vec<Step>,
}

/// The run of a seed.
pub(crate) fn script(seed: u64) -> Vec<Step> {
    let draw = Seed::new(seed ^ 0xA5A5_5A5A);
    let count = 20 + draw.below(STEPS);
    steps(&draw, usize::try_from(count).unwrap())
}

/// Carries out a run; a panic is a failure too.
fn attempt(seed: u64, steps: &[Step], cov: &mut Coverage) -> Check {
    catch_unwind(AssertUnwindSafe(|| run(seed, steps, cov))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// Runs a seed.
pub(crate) fn run_seed(seed: u64, cov: &mut Coverage) -> Result<(), Box<Failure>> {
    let steps = script(seed);
    match attempt(seed, &steps, cov) {
        Ok(()) => Ok(()),
        Err(why) => Err(Box::new(shrink(seed, steps, why))),
    }
}

/// Leaves out what the failure does not need.
fn shrink(seed: u64, mut script: Vec<Step>, mut why: String) -> Failure {
    let mut size = script.len() / 2;
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < script.len() {
            let mut left = script.clone();
            left.drain(at..(at + size).min(script.len()));
            match attempt(seed, &left, &mut Coverage::default()) {
                Err(reason) => (script, why, shorter) = (left, reason, true),
                Ok(()) => at += size,
            }
        }
        size = if shorter && size == 1 { 1 } else { size / 2 };
    }
    Failure { seed, why, script }
}
