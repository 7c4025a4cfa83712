//! Tickets: single use, short-lived, for clients that cannot send headers.
//!
//! A ticket is bound to its principal, to channels and perhaps to an origin. Kept in memory: it lives for 30 seconds
//! and belongs to the node that issued it. Stored by hash, like keys. A principal's tickets are bounded in number and
//! bytes, so that one cannot take the others' room; a spent one is remembered by its owner alone until it would have
//! expired.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_core::Principal;
use tidings_core::port::directory::KeyHash;
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;

use crate::auth::{Ended, hash_key, narrowed};
use crate::ids::random_text;
use crate::problem::{Answer, Refusal};

/// How long a ticket is good.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);

/// Most tickets remembered in all, and most bytes of one principal's.
const ALL_TICKETS: usize = 100_000;
const PRINCIPAL_BYTES: usize = 8 * 1024 * 1024;

/// What a ticket stands for.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Whoever asked for it, with the right to subscribe to the ticket's channels and no other.
    pub principal: Arc<Principal>,
    /// The origin of the page that may use it.
    pub origin: Option<String>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl Ticket {
    fn weight(&self) -> usize {
        let channels = self.principal.only.iter().flat_map(|only| only.iter());
        let channels = channels.map(|pattern| pattern.to_string().len() + 64);
        256 + self.origin.as_ref().map_or(0, String::len) + channels.sum::<usize>()
    }
}

/// A ticket as it is kept: without what it stands for once it is spent.
#[derive(Debug)]
struct Kept {
    owner: Arc<str>,
    ticket: Option<Ticket>,
}

/// What one principal has out.
#[derive(Debug, Default)]
struct Share {
    tickets: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Out {
    kept: HashMap<KeyHash, Kept>,
    /// In the order in which they expire: all live equally long.
    order: VecDeque<(Timestamp, KeyHash)>,
    shares: HashMap<Arc<str>, Share>,
}

/// The tickets that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: Mutex<Out>,
}

/// A ticket cannot be used, or not any more; whose it was, where that is known.
#[derive(Debug)]
pub struct Unusable(pub Option<Arc<str>>);

impl Out {
    fn forget_expired(&mut self, now: Timestamp) {
        while let Some((_, hash)) = self.order.pop_front_if(|(expires_at, _)| *expires_at <= now) {
            self.spend(hash);
            if let Some(kept) = self.kept.remove(&hash)
                && let Some(share) = self.shares.get_mut(&kept.owner)
            {
                share.tickets -= 1;
                if share.tickets == 0 {
                    self.shares.remove(&kept.owner);
                }
            }
        }
    }

    /// Takes what a ticket stands for, which counts no longer.
    fn spend(&mut self, hash: KeyHash) -> Option<Ticket> {
        let kept = self.kept.get_mut(&hash)?;
        let ticket = kept.ticket.take()?;
        if let Some(share) = self.shares.get_mut(&kept.owner) {
            share.bytes -= ticket.weight();
        }
        Some(ticket)
    }
}

impl Tickets {
    /// Issues a ticket; answers its text.
    ///
    /// # Errors
    /// `rate_limited` where the principal has had `limit` tickets (zero: no limit) or too many bytes of them within
    /// their life, `capacity` where there are too many in all.
    pub fn issue(&self, ticket: Ticket, now: Timestamp, limit: usize) -> Answer<String> {
        let drawn = random_text::<32>().map_err(|error| {
            tracing::error!(%error, "no ticket can be drawn");
            Refusal::of(ErrorCode::Internal)
        })?;
        let text = format!("tdt_{drawn}");
        let (hash, owner, weight) = (hash_key(&text), ticket.principal.id.clone(), ticket.weight());
        let mut out = self.out.lock();
        out.forget_expired(now);
        let is_full = out.kept.len() >= ALL_TICKETS;
        let share = out.shares.entry(owner.clone()).or_default();
        if limit > 0 && share.tickets >= limit || share.bytes + weight > PRINCIPAL_BYTES {
            let problem =
                Problem::new(ErrorCode::RateLimited, "the credential has as many tickets out as it may have");
            return Err(Refusal(problem.retry_after(1)));
        }
        if is_full {
            return Err(Refusal::of(ErrorCode::Capacity));
        }
        share.tickets += 1;
        share.bytes += weight;
        out.order.push_back((ticket.expires_at, hash));
        out.kept.insert(hash, Kept { owner, ticket: Some(ticket) });
        Ok(text)
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// [`Unusable`] where it was used, has expired, is void, is used from another origin, or never was one.
    pub fn redeem(&self, text: &str, origin: Option<&str>, now: Timestamp) -> Result<Ticket, Unusable> {
        let mut out = self.out.lock();
        let hash = hash_key(text);
        let owner = out.kept.get(&hash).map(|kept| kept.owner.clone());
        let good = |ticket: &Ticket| {
            ticket.expires_at > now
                && ticket.principal.expires_at.is_none_or(|at| at > now)
                && ticket.origin.as_deref().is_none_or(|bound| Some(bound) == origin)
        };
        out.spend(hash).filter(good).ok_or(Unusable(owner))
    }

    /// Voids the tickets of a credential or user that has ended.
    pub fn void(&self, ended: &Ended) {
        let mut out = self.out.lock();
        let is_over = |kept: &Kept| kept.ticket.as_ref().is_some_and(|ticket| ended.is_of(&ticket.principal));
        let hashes: Vec<KeyHash> =
            out.kept.iter().filter(|(_, kept)| is_over(kept)).map(|(hash, _)| *hash).collect();
        for hash in hashes {
            out.spend(hash);
        }
    }

    /// The service key of `now` has other grants: its tickets stand for what these take in.
    pub fn regrant(&self, now: &Principal) {
        for kept in self.out.lock().kept.values_mut() {
            if let Some(ticket) = &mut kept.ticket
                && ticket.principal.credential == now.credential
            {
                ticket.principal = narrowed(now, &ticket.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_core::principal::Credential;

    fn ticket(principal: &str, expires_at: i64) -> Ticket {
        let principal = Principal {
            tenant: "default".parse().unwrap(),
            id: principal.into(),
            credential: Credential::Key(principal.into()),
            account: None,
            grants: Arc::new(["subscribe:a".parse().unwrap()]),
            only: Some(Arc::new(["a".parse().unwrap()])),
            expires_at: None,
        };
        Ticket { principal: Arc::new(principal), origin: None, expires_at: Timestamp(expires_at) }
    }

    #[test]
    fn a_ticket_is_good_once_and_its_owner_is_remembered_until_it_would_have_expired() {
        let tickets = Tickets::default();
        let text = tickets.issue(ticket("key:1", 30), Timestamp(0), 0).unwrap();
        assert!(tickets.redeem(&text, None, Timestamp(1)).is_ok());
        let again = tickets.redeem(&text, None, Timestamp(2)).unwrap_err();
        assert_eq!(again.0.as_deref(), Some("key:1"));
        tickets.issue(ticket("key:1", 70), Timestamp(40), 0).unwrap();
        assert!(tickets.redeem(&text, None, Timestamp(41)).unwrap_err().0.is_none());
    }

    #[test]
    fn a_principal_takes_no_more_than_its_share_and_gives_it_back() {
        let tickets = Tickets::default();
        for _ in 0..3 {
            let text = tickets.issue(ticket("key:1", 30), Timestamp(0), 3).unwrap();
            tickets.redeem(&text, None, Timestamp(1)).unwrap();
        }
        let refused = tickets.issue(ticket("key:1", 30), Timestamp(2), 3).unwrap_err();
        assert_eq!(refused.0.code, ErrorCode::RateLimited);
        assert!(tickets.issue(ticket("key:2", 32), Timestamp(2), 3).is_ok());
        assert!(tickets.issue(ticket("key:1", 60), Timestamp(30), 3).is_ok());
        assert_eq!(tickets.out.lock().kept.len(), 2);
    }
}
