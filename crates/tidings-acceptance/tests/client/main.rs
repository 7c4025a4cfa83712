//! The Rust client against the real server: through a proxy that cuts answers off, through outages, through `kill -9`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod changing;
mod credentials;
mod cutting;
mod example;
mod followed;
mod following;
mod publishing;
mod snapshot;
mod tls;

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::Target;
use tidings_acceptance::numbered::data;
use tidings_client::{Backoff, Credential, Draft, publisher, subscriber};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Delays short enough for a test with many outages.
const QUICK: Backoff = Backoff { first: Duration::from_millis(10), longest: Duration::from_millis(100) };

/// A publisher's options for this server.
fn publishing(target: &Target) -> publisher::Options {
    let patience = publisher::Patience { attempts: 1_000, backoff: QUICK, ..publisher::Patience::default() };
    publisher::Options {
        url: Some(format!("http://{}", target.address)),
        api_key: Some(target.key.to_string()),
        patience,
        queue: publisher::QueueOptions { patience, ..publisher::QueueOptions::default() },
        ..publisher::Options::default()
    }
}

/// A subscriber's options for this server.
fn following(target: &Target, channels: &[&str]) -> subscriber::Options {
    subscriber::Options {
        url: Some(format!("http://{}", target.address)),
        credential: Credential::fixed(&*target.key),
        backoff: QUICK,
        ..subscriber::Options::of(channels.iter().copied())
    }
}

fn draft(channel: &str, n: u64) -> Draft {
    Draft::new(channel, "numbered", &data(n, 60)).unwrap()
}

/// The number of an event.
fn number(event: &tidings_client::Event) -> u64 {
    event.read::<serde_json::Value>().unwrap_or(json!(null))["n"].as_u64().unwrap()
}
