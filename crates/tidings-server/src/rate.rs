//! How often streams may be opened: a minute's worth by address without a valid credential, by principal with one.
//!
//! Counts are this node's own. They are pruned, and their number is bounded: past the bound, addresses that come new
//! are refused for a moment rather than remembered.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tidings_core::principal::{Credential, Principal};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

use crate::config::Limits;
use crate::problem::{Answer, Refusal};

/// Most addresses or principals remembered.
const REMEMBERED: usize = 100_000;

struct Gate<K: Hash + Eq + Clone> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
}

impl<K: Hash + Eq + Clone> Gate<K> {
    /// So many a minute, at once or spread; zero opens the gate for all.
    fn new(a_minute: u32) -> Self {
        Self { limiter: NonZeroU32::new(a_minute).map(|count| RateLimiter::keyed(Quota::per_minute(count))) }
    }

    fn pass(&self, key: &K) -> Answer<()> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() >= REMEMBERED {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            if limiter.len() >= REMEMBERED {
                return Err(refused(1));
            }
        }
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            refused(u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX))
        })
    }
}

fn refused(seconds: u32) -> Refusal {
    let problem =
        Problem::new(ErrorCode::RateLimited, "too many were asked for within a minute; try again later");
    Refusal(problem.retry_after(seconds))
}

/// The gates of one server.
pub struct ConnectGates {
    anonymous: Gate<IpAddr>,
    users: Gate<Arc<str>>,
    keys: Gate<Arc<str>>,
    logins_by_address: Gate<IpAddr>,
    logins_by_email: Gate<Arc<str>>,
}

impl std::fmt::Debug for ConnectGates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectGates")
    }
}

impl ConnectGates {
    /// Gates as wide as the limits say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            anonymous: Gate::new(limits.connects_anonymous),
            users: Gate::new(limits.connects_session),
            keys: Gate::new(limits.connects_api_key),
            logins_by_address: Gate::new(limits.logins_per_minute),
            logins_by_email: Gate::new(limits.logins_per_minute),
        }
    }

    /// An attempt without a valid credential.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn anonymous(&self, address: IpAddr) -> Answer<()> {
        self.anonymous.pass(&network(address))
    }

    /// A stream opened with a valid credential: a key has its own count, everything else counts for the user.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn principal(&self, principal: &Principal) -> Answer<()> {
        match &principal.credential {
            Credential::Key(key) => self.keys.pass(key),
            Credential::CookieSession(_) | Credential::Token(_) => self.users.pass(&principal.id),
        }
    }

    /// A ticket that is spent counts for whoever had it.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn owner(&self, id: &Arc<str>) -> Answer<()> {
        match id.strip_prefix("key:") {
            Some(key) => self.keys.pass(&key.into()),
            None => self.users.pass(id),
        }
    }

    /// A password that is tried.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn login(&self, address: IpAddr, email: &str) -> Answer<()> {
        self.logins_by_address.pass(&network(address))?;
        self.logins_by_email.pass(&email.into())
    }
}

/// What one household has: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_as_many_pass_as_it_is_wide() {
        let gate = Gate::new(3);
        for _ in 0..3 {
            assert!(gate.pass(&1).is_ok());
        }
        let refusal = gate.pass(&1).unwrap_err();
        assert_eq!(refusal.0.code, ErrorCode::RateLimited);
        assert!((1..=21).contains(&refusal.0.retry_after.unwrap()));
        assert!(gate.pass(&2).is_ok(), "another key has its own");
        assert!((0..1_000).all(|_| Gate::new(0).pass(&1).is_ok()), "zero is no limit");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
