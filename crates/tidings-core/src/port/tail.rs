//! How nodes tell each other that a tenant's log has grown.

use std::sync::Arc;

use tidings_protocol::{Cursor, TenantId};

/// A tenant's log has grown up to `head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Whose log.
    pub tenant: TenantId,
    /// Its head.
    pub head: Cursor,
}

/// Hears of growth on other nodes.
pub trait Listener: Send + Sync + 'static {
    /// The log has grown at least so far. May come late, twice, out of order or not at all.
    fn grown(&self, growth: Growth);
}

/// Tells other nodes that there is more, and hears it from them.
///
/// A hint and no transport of events: whoever hears it reads the log. Promises: an announcement reaches each listener
/// of another node if the link is up, within a second in ordinary times; after a lost link, something is announced to
/// every listener anew, so that it looks. Losing, doubling and reordering announcements is allowed; inventing events is
/// impossible, since listeners read the log.
pub trait Tail: Send + Sync + 'static {
    /// Announces growth that this node has committed. Never blocks; a full queue drops what a later one supersedes.
    fn announce(&self, growth: Growth);

    /// Adds a listener for what other nodes announce.
    fn listen(&self, listener: Arc<dyn Listener>);
}
