//! The Rust client behind a proxy that fails: seeded runs of its subscriber and of its publisher against the real server.
//!
//! `ACCEPTANCE_RUNS` is the number of runs (1,000 of subscribers, 200 of publishers), `ACCEPTANCE_SEED` the first seed (1):
//! `ACCEPTANCE_RUNS=1 ACCEPTANCE_SEED=n` runs the nth again. A run's steps are its seed's; what other runs do to the server
//! meanwhile is not, nor how threads take turns.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod book;
mod follower;
mod gaps;
mod pool;
mod publishers;
mod quiet;
mod run;
mod subscribers;

use std::time::Duration;

use tidings_acceptance::Target;
use tidings_client::{Backoff, publisher};

/// Delays that make a run short.
const QUICK: Backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(80) };

/// A publisher's options for this server, or the proxy before it.
fn publishing(target: &Target, attempt: Duration) -> publisher::Options {
    let patience = publisher::Patience { attempts: 5_000, attempt, backoff: QUICK, ..Default::default() };
    publisher::Options {
        url: Some(format!("http://{}", target.address)),
        api_key: Some(target.key.to_string()),
        patience,
        queue: publisher::QueueOptions { patience, ..Default::default() },
        ..Default::default()
    }
}
