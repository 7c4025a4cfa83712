//! Who the credential says it is, and what that one may do.

use std::sync::Arc;

use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Pattern, TenantId};

use crate::port::directory::{Grant, Right};
use crate::port::users::{Role, UserId};

/// By what a principal is known; when it ends, everything that was opened with it ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An API key, by its id.
    Key(Arc<str>),
    /// A cookie session, by its id.
    CookieSession(Arc<str>),
    /// A token of this issuer, which ends by itself.
    Token(Arc<str>),
}

/// The user that a principal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// What it may do.
    pub role: Role,
}

/// Whoever a credential stands for. Made by the server from a verified credential, never from what a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The wall it lives behind.
    pub tenant: TenantId,
    /// Its id within everything that counts, limits and owns: `user:<id>`, or `key:<id>` of a service key.
    pub id: Arc<str>,
    /// By what it is known.
    pub credential: Credential,
    /// The user that it is; `None` for a service key.
    pub account: Option<Account>,
    /// What it was granted.
    pub grants: Arc<[Grant]>,
    /// Where a ticket stands for it: the channels to which it may subscribe and beyond which it may do nothing.
    pub only: Option<Arc<[Pattern]>>,
    /// When its credential ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// Whether it is a service key, which acts as nobody.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        self.account.is_none()
    }

    /// Whether it is an admin of its tenant, who may see and do everything within it.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.only.is_none() && self.account.as_ref().is_some_and(|account| account.role == Role::Admin)
    }

    /// The user that it is.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.account.as_ref().map(|account| &account.id)
    }

    /// What stands in the audit log for it: the user, or `key:<id>`.
    #[must_use]
    pub fn audit_name(&self) -> &str {
        self.user().map_or(&self.id, UserId::as_str)
    }

    /// Whether a ticket, where one stands for it, takes in the whole pattern.
    #[must_use]
    pub fn is_within_ticket(&self, pattern: &Pattern) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|allowed| allowed.covers(pattern)))
    }

    /// Whether its role or one of its grants takes in the whole pattern. Channels of apps have rules of their own.
    #[must_use]
    pub fn may(&self, right: Right, pattern: &Pattern) -> bool {
        let within = match right {
            Right::Subscribe => self.is_within_ticket(pattern),
            Right::Publish => self.only.is_none(),
        };
        let is_admin = self.account.as_ref().is_some_and(|account| account.role == Role::Admin);
        within
            && (is_admin
                || self.grants.iter().any(|grant| grant.right == right && grant.pattern.covers(pattern)))
    }

    /// Whether it may publish to the channel.
    #[must_use]
    pub fn may_publish(&self, channel: &ChannelName) -> bool {
        self.may(Right::Publish, &Pattern::Exact(channel.clone()))
    }

    /// Whether it may name an actor: service keys may.
    #[must_use]
    pub const fn names_actors(&self) -> bool {
        self.is_service() && self.only.is_none()
    }
}
