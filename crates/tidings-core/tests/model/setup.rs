//! What a run is set up with: limits so small that every path is taken, drawn from the seed.

use std::sync::Arc;
use std::time::Duration;

use tidings_contract::faulty::{LogOdds, Seed};
use tidings_core::hub::HubLimits;
use tidings_core::pages::PageLimits;
use tidings_core::port::store::Policy;
use tidings_core::session::SessionConfig;

#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) odds: LogOdds,
    pub(crate) hub: HubLimits,
    pub(crate) pages: PageLimits,
    pub(crate) mailbox_bytes: usize,
    pub(crate) stream: Arc<SessionConfig>,
    pub(crate) poll: Arc<SessionConfig>,
    /// Seconds that a stream's credential is good for.
    pub(crate) expires: Option<u64>,
}

fn one_of<T: Copy>(seed: &Seed, values: &[T]) -> T {
    values[usize::try_from(seed.below(values.len() as u64)).unwrap()]
}

fn count(seed: &Seed, least: u64, most: u64) -> usize {
    usize::try_from(least + seed.below(most - least + 1)).unwrap()
}

fn policy(seed: &Seed) -> Policy {
    Policy {
        retention_age: Duration::from_secs(3600 * one_of(seed, &[0, 0, 20, 60])),
        events_per_channel: one_of(seed, &[0, 1, 2, 4, 8]),
        idempotency_keys: 0,
        trim_marks: one_of(seed, &[2, 4, 100, 100]),
        ..Policy::default()
    }
}

fn session(seed: &Seed) -> SessionConfig {
    let secs = |secs: u64| (secs > 0).then(|| Duration::from_secs(secs));
    SessionConfig {
        heartbeat: secs(one_of(seed, &[5, 10, 30])),
        lifetime: secs(one_of(seed, &[0, 0, 0, 60, 200])),
        write_timeout: Duration::from_secs(one_of(seed, &[8, 30])),
        expiry_notice: Duration::from_secs(20),
        max_channels: one_of(seed, &[2, 4, 100]),
        page_events: count(seed, 1, 5),
        page_bytes: count(seed, 1, 1_500),
        page_examined: count(seed, 1, 12),
        conflate: seed.happens(80),
        controls: true,
    }
}

impl Setup {
    pub(crate) fn draw(seed: &Seed) -> Self {
        let stream = session(seed);
        let poll = SessionConfig {
            heartbeat: None,
            lifetime: None,
            conflate: false,
            controls: false,
            ..stream.clone()
        };
        Self {
            policy: policy(seed),
            odds: LogOdds {
                failed: one_of(seed, &[0, 0, 2, 10]),
                late: one_of(seed, &[0, 30, 60]),
                at_most: Duration::from_millis(20),
            },
            hub: HubLimits {
                ring_events: one_of(seed, &[1, 3, 8, 16, 100]),
                ring_bytes: one_of(seed, &[700, 2_000, 100_000]),
                open_tenants: one_of(seed, &[1, 10]),
            },
            pages: PageLimits { reads: count(seed, 1, 2), reads_per_tenant: count(seed, 1, 2) },
            mailbox_bytes: one_of(seed, &[100, 400, 900, 100_000]),
            stream: Arc::new(stream),
            poll: Arc::new(poll),
            expires: seed.happens(15).then(|| 10 + seed.below(60)),
        }
    }
}
