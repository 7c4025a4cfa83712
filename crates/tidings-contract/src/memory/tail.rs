//! A Tail within one process: nodes on one wire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::port::Tail;
use tidings_core::port::tail::{Growth, Listener};

/// What connects nodes.
#[derive(Clone, Default)]
pub struct MemoryWire(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    nodes: u64,
    /// Each with its node.
    listeners: Vec<(u64, Arc<dyn Listener>)>,
}

/// One node's end of a wire.
#[derive(Clone)]
pub struct MemoryTail {
    wire: MemoryWire,
    node: u64,
}

impl fmt::Debug for MemoryWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryWire").finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTail").field("node", &self.node).finish_non_exhaustive()
    }
}

impl MemoryWire {
    /// A wire with no node on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects one more node. Clones of a tail are the same node.
    #[must_use]
    pub fn connect(&self) -> MemoryTail {
        let mut ends = self.lock();
        ends.nodes += 1;
        MemoryTail { wire: self.clone(), node: ends.nodes }
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail for MemoryTail {
    fn announce(&self, growth: Growth) {
        // Listeners are called outside of the lock: they may announce themselves.
        let others: Vec<Arc<dyn Listener>> = {
            let ends = self.wire.lock();
            ends.listeners
                .iter()
                .filter(|(node, _)| *node != self.node)
                .map(|(_, it)| Arc::clone(it))
                .collect()
        };
        for listener in others {
            listener.grown(growth.clone());
        }
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.wire.lock().listeners.push((self.node, listener));
    }
}
