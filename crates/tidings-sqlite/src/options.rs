//! How a file is opened.

use std::fmt;
use std::sync::Arc;

use tidings_core::port::store::Policy;
use tidings_core::port::{Clock, Commits};
use tidings_core::queue::QueueLimits;

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After `fsync`: what was answered outlives the loss of power (`synchronous=FULL`).
    #[default]
    Fsync,
    /// After the operating system has it: what was answered outlives the process, but the last commits may be lost with
    /// the power or the kernel, though never a part of one (`synchronous=NORMAL`).
    Os,
}

/// What a store needs to know.
#[derive(Clone)]
pub struct Options {
    /// How much is kept, and for how long.
    pub policy: Policy,
    /// When a commit counts as durable.
    pub durability: Durability,
    /// Tells event times, ages and the ends of windows.
    pub clock: Arc<dyn Clock>,
    /// Is told of every commit.
    pub commits: Arc<dyn Commits>,
    /// Threads that read, at least 1.
    pub readers: usize,
    /// How much may wait for the writer.
    pub write_queue: QueueLimits,
    /// How many reads may wait for a reader.
    pub read_queue: usize,
}

impl Options {
    /// The defaults: everything durable by `fsync`, two readers.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, commits: Arc<dyn Commits>) -> Self {
        Self {
            policy: Policy::default(),
            durability: Durability::default(),
            clock,
            commits,
            readers: 2,
            write_queue: QueueLimits::default(),
            read_queue: 1_024,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("policy", &self.policy)
            .field("durability", &self.durability)
            .field("readers", &self.readers)
            .field("write_queue", &self.write_queue)
            .field("read_queue", &self.read_queue)
            .finish_non_exhaustive()
    }
}
