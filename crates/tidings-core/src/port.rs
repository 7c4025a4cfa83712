//! The ports: what the core asks of storage and of other nodes, and what they promise in return.
//!
//! Each promise is a test in `tidings-contract`, which every adapter passes.

pub mod audit;
pub mod clock;
pub mod directory;
pub mod log;
pub mod store;
pub mod tail;
pub mod users;

use std::future::Future;
use std::pin::Pin;

pub use audit::AuditLog;
pub use clock::Clock;
pub use directory::Directory;
pub use log::Log;
pub use store::{Commits, Store};
pub use tail::Tail;
pub use users::Users;

/// A future that a port returns. Ports are used behind `dyn`, off the hot path.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Storage could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The tenant is not known.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// Nothing was changed; the same may work a moment later.
    #[error("storage cannot answer now: {0}")]
    Unavailable(String),
    /// A commit failed. Whether its changes are stored is unknown, and nothing is written until the next start.
    #[error("a commit failed, so that nothing is written until the next start: {0}")]
    Failed(String),
}
