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
use tidings_protocol::problem::Problem;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ErrorCode, Pattern};

use crate::auth::hash_key;
use crate::ids::random_text;
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

/// A ticket as it is kept: also for a while after it was used, so that trying again counts against whoever had it.
#[derive(Debug)]
struct Kept {
    ticket: Ticket,
    spent: bool,
}

/// A ticket cannot be used, or not any more; whose it was, where that is known.
#[derive(Debug)]
pub struct Unusable(pub Option<Arc<str>>);

/// How long a ticket is known after it expired.
const REMEMBERED_MS: i64 = 60_000;

/// The tickets that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: Mutex<HashMap<KeyHash, Kept>>,
}

impl Tickets {
    /// Issues a ticket; answers its text.
    ///
    /// # Errors
    /// `rate_limited` where the principal has `limit` tickets out (zero: no limit), `capacity` where there are too
    /// many in all.
    pub fn issue(&self, ticket: Ticket, now: Timestamp, limit: usize) -> Answer<String> {
        let mut out = self.out.lock();
        out.retain(|_, kept| kept.ticket.expires_at.0 + REMEMBERED_MS > now.0);
        let is_out = |kept: &&Kept| !kept.spent && kept.ticket.expires_at > now;
        let held = out
            .values()
            .filter(|kept| kept.ticket.principal.id == ticket.principal.id)
            .filter(is_out)
            .count();
        if limit > 0 && held >= limit {
            let problem =
                Problem::new(ErrorCode::RateLimited, "the credential has as many tickets out as it may have");
            return Err(Refusal(problem.retry_after(1)));
        }
        if out.len() >= ALL_TICKETS {
            return Err(Refusal::of(ErrorCode::Capacity));
        }
        let drawn = random_text::<32>().map_err(|error| {
            tracing::error!(%error, "no ticket can be drawn");
            Refusal::of(ErrorCode::Internal)
        })?;
        let text = format!("tdt_{drawn}");
        out.insert(hash_key(&text), Kept { ticket, spent: false });
        Ok(text)
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// [`Unusable`] where it was used, has expired, is void, is used from another origin, or never was one.
    pub fn redeem(&self, text: &str, origin: Option<&str>, now: Timestamp) -> Result<Ticket, Unusable> {
        let mut out = self.out.lock();
        let Some(kept) = out.get_mut(&hash_key(text)) else { return Err(Unusable(None)) };
        let (spent, ticket) = (std::mem::replace(&mut kept.spent, true), &kept.ticket);
        let good = !spent
            && ticket.expires_at > now
            && ticket.principal.expires_at.is_none_or(|at| at > now)
            && ticket.origin.as_deref().is_none_or(|bound| Some(bound) == origin);
        if good { Ok(ticket.clone()) } else { Err(Unusable(Some(ticket.principal.id.clone()))) }
    }

    /// Voids the tickets of a principal.
    pub fn void(&self, principal: &str) {
        self.out.lock().retain(|_, kept| &*kept.ticket.principal.id != principal);
    }
}
