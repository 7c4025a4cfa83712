//! Who the credential says it is, and what that one may do.

use std::sync::Arc;

use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Pattern, TenantId};

use crate::port::directory::{Grant, Right};

/// Whoever a credential stands for. Made by the server from a verified credential, never from what a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The wall it lives behind.
    pub tenant: TenantId,
    /// Its id within everything that counts, limits and records: `key:<id>`.
    pub id: Arc<str>,
    /// What it may do.
    pub grants: Arc<[Grant]>,
    /// When its credential ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether it may name an actor: service keys may.
    pub names_actors: bool,
}

impl Principal {
    /// Whether one of its grants takes in the whole pattern.
    #[must_use]
    pub fn may(&self, right: Right, pattern: &Pattern) -> bool {
        self.grants.iter().any(|grant| grant.right == right && grant.pattern.covers(pattern))
    }

    /// Whether it may publish to the channel.
    #[must_use]
    pub fn may_publish(&self, channel: &ChannelName) -> bool {
        self.grants.iter().any(|grant| grant.right == Right::Publish && grant.pattern.matches(channel))
    }
}
