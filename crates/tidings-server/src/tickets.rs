//! Tickets: single use, short-lived, for clients that cannot send headers.
//!
//! A ticket is bound to its principal, to channels and perhaps to an origin. Kept in memory: it lives for 30 seconds
//! and belongs to the node that issued it. Stored by hash, like keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_core::Principal;
use tidings_core::port::directory::KeyHash;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ErrorCode, Pattern};

use crate::auth::hash_key;
use crate::ids::secret;
use crate::problem::{Answer, Refusal};

/// How long a ticket is good.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);

/// Most tickets out at once in all.
const ALL_TICKETS: usize = 100_000;

/// What a ticket stands for.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Whoever asked for it.
    pub principal: Arc<Principal>,
    /// What may be subscribed to with it.
    pub channels: Vec<Pattern>,
    /// The origin of the page that may use it.
    pub origin: Option<String>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// The tickets that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: Mutex<HashMap<KeyHash, Ticket>>,
}

impl Tickets {
    /// Issues a ticket; answers its text.
    ///
    /// # Errors
    /// `rate_limited` where the principal has `limit` tickets out (zero: no limit), `capacity` where there are too
    /// many in all.
    pub fn issue(&self, ticket: Ticket, now: Timestamp, limit: usize) -> Answer<String> {
        let mut out = self.out.lock();
        out.retain(|_, ticket| ticket.expires_at > now);
        let held = out.values().filter(|other| other.principal.id == ticket.principal.id).count();
        if limit > 0 && held >= limit {
            return Err(Refusal::of(ErrorCode::RateLimited));
        }
        if out.len() >= ALL_TICKETS {
            return Err(Refusal::of(ErrorCode::Capacity));
        }
        let text = secret("tdt_");
        out.insert(hash_key(&text), ticket);
        Ok(text)
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// `ticket_spent` where it was used, has expired, is void, or is used from another origin.
    pub fn redeem(&self, text: &str, origin: Option<&str>, now: Timestamp) -> Answer<Ticket> {
        let ticket = self.out.lock().remove(&hash_key(text));
        ticket
            .filter(|ticket| ticket.expires_at > now)
            .filter(|ticket| ticket.principal.expires_at.is_none_or(|at| at > now))
            .filter(|ticket| ticket.origin.as_deref().is_none_or(|bound| Some(bound) == origin))
            .ok_or_else(|| Refusal::of(ErrorCode::TicketSpent))
    }

    /// Voids the tickets of a principal.
    pub fn void(&self, principal: &str) {
        self.out.lock().retain(|_, ticket| &*ticket.principal.id != principal);
    }
}
