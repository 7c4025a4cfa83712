//! What waits for a writer: bounded, and fair between tenants.
//!
//! Owns: the order in which waiting things are taken (one of each tenant in turn, first come first served within a
//! tenant) and the limits on how much may wait. Leaves out: threads and waking; an adapter keeps the queue in a mutex
//! beside a condition variable.
//!
//! Invariants: no more waits than [`QueueLimits`] allows, in all and for one tenant; a tenant that fills its own share
//! leaves the others theirs; what was accepted is taken exactly once, and within a tenant in the order of arrival.

use std::collections::{HashMap, VecDeque};

use tidings_protocol::{Draft, TenantId};

use crate::port::store::{Action, Command};

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Things in all.
    pub items: usize,
    /// Bytes in all.
    pub bytes: usize,
    /// Things of one tenant.
    pub tenant_items: usize,
    /// Bytes of one tenant.
    pub tenant_bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { items: 8_192, bytes: 64 << 20, tenant_items: 4_096, tenant_bytes: 32 << 20 }
    }
}

/// There is no room; here is what was to be pushed.
#[derive(Debug)]
pub struct Full<T>(pub T);

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
}

/// Things that wait, by tenant.
#[derive(Debug)]
pub struct Queue<T> {
    limits: QueueLimits,
    tenants: HashMap<TenantId, Waiting<T>>,
    /// The tenants for which something waits, each once, the next to be served first.
    turns: VecDeque<TenantId>,
    items: usize,
    bytes: usize,
}

impl<T> Queue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Self {
        Self { limits, tenants: HashMap::new(), turns: VecDeque::new(), items: 0, bytes: 0 }
    }

    /// How many things wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Adds a thing of about so many bytes behind the tenant's others.
    ///
    /// # Errors
    /// [`Full`] where it would pass a limit. A tenant for which nothing waits may always wait with one thing, however
    /// large, as long as the queue as a whole has room for it.
    pub fn push(&mut self, tenant: &TenantId, bytes: usize, item: T) -> Result<(), Full<T>> {
        let (items_of_tenant, bytes_of_tenant) =
            self.tenants.get(tenant).map_or((0, 0), |waiting| (waiting.items.len(), waiting.bytes));
        let fits_all = self.items < self.limits.items
            && (self.items == 0 || self.bytes.saturating_add(bytes) <= self.limits.bytes);
        let fits_tenant = items_of_tenant == 0
            || (items_of_tenant < self.limits.tenant_items
                && bytes_of_tenant.saturating_add(bytes) <= self.limits.tenant_bytes);
        if !fits_all || !fits_tenant {
            return Err(Full(item));
        }
        if items_of_tenant == 0 {
            self.turns.push_back(tenant.clone());
        }
        let waiting = self
            .tenants
            .entry(tenant.clone())
            .or_insert_with(|| Waiting { items: VecDeque::new(), bytes: 0 });
        waiting.items.push_back((bytes, item));
        waiting.bytes += bytes;
        self.items += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes up to `max_items` things of about `max_bytes` together, one of each tenant in turn. Whatever the bytes,
    /// one thing is taken if one waits and `max_items` is not zero.
    #[must_use]
    pub fn take_batch(&mut self, max_items: usize, max_bytes: usize) -> Vec<T> {
        let mut batch = Vec::with_capacity(max_items.min(self.items));
        let mut bytes = 0_usize;
        while batch.len() < max_items {
            let Some(next) = self.next_bytes() else { break };
            if !batch.is_empty() && bytes.saturating_add(next) > max_bytes {
                break;
            }
            bytes = bytes.saturating_add(next);
            batch.extend(self.take_one());
        }
        batch
    }

    fn next_bytes(&self) -> Option<usize> {
        let waiting = self.tenants.get(self.turns.front()?)?;
        waiting.items.front().map(|(bytes, _)| *bytes)
    }

    fn take_one(&mut self) -> Option<T> {
        let tenant = self.turns.pop_front()?;
        let waiting = self.tenants.get_mut(&tenant)?;
        let (bytes, item) = waiting.items.pop_front()?;
        waiting.bytes -= bytes;
        self.items -= 1;
        self.bytes -= bytes;
        if waiting.items.is_empty() {
            self.tenants.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        Some(item)
    }
}

/// About how many bytes a command keeps while it waits. What a decision has captured cannot be seen; it counts as a
/// fixed amount.
#[must_use]
pub fn weigh(command: &Command) -> usize {
    const FIXED: usize = 512;
    match &command.action {
        Action::Publish(drafts) => FIXED + drafts.iter().map(weigh_draft).sum::<usize>(),
        Action::Decide { reads, .. } => {
            4 * FIXED + reads.iter().map(|key| key.kind.len() + key.id.len()).sum::<usize>()
        }
    }
}

fn weigh_draft(draft: &Draft) -> usize {
    let names: usize = draft.channels().map(|channel| channel.as_str().len()).sum();
    256 + names + draft.data.get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn limits(items: usize, tenant_items: usize) -> QueueLimits {
        QueueLimits { items, bytes: 1_000, tenant_items, tenant_bytes: 600 }
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_order() {
        let mut queue = Queue::new(limits(100, 50));
        for number in 0..4 {
            queue.push(&tenant("a"), 1, format!("a{number}")).unwrap();
        }
        queue.push(&tenant("b"), 1, "b0".to_owned()).unwrap();
        queue.push(&tenant("c"), 1, "c0".to_owned()).unwrap();
        queue.push(&tenant("b"), 1, "b1".to_owned()).unwrap();
        assert_eq!(queue.take_batch(4, 1_000), ["a0", "b0", "c0", "a1"]);
        assert_eq!(queue.take_batch(100, 1_000), ["b1", "a2", "a3"]);
        assert!(queue.is_empty());
        assert!(queue.take_batch(100, 1_000).is_empty());
    }

    #[test]
    fn one_tenant_cannot_fill_it_for_the_others() {
        let mut queue = Queue::new(limits(4, 2));
        queue.push(&tenant("a"), 1, 1).unwrap();
        queue.push(&tenant("a"), 1, 2).unwrap();
        let Full(back) = queue.push(&tenant("a"), 1, 3).unwrap_err();
        assert_eq!(back, 3);
        queue.push(&tenant("b"), 1, 4).unwrap();
        queue.push(&tenant("c"), 1, 5).unwrap();
        assert!(queue.push(&tenant("d"), 1, 6).is_err(), "the whole is full");
        assert_eq!(queue.take_batch(1, 1_000), [1]);
        queue.push(&tenant("d"), 1, 6).unwrap();
        assert_eq!(queue.len(), 4);
    }

    #[test]
    fn bytes_are_limited_too_but_one_large_thing_passes() {
        let mut queue = Queue::new(limits(100, 100));
        queue.push(&tenant("a"), 900, 1).unwrap();
        assert!(queue.push(&tenant("a"), 1, 2).is_err(), "the tenant has its share");
        assert!(queue.push(&tenant("b"), 200, 3).is_err(), "the whole is full");
        queue.push(&tenant("b"), 50, 3).unwrap();
        assert_eq!(queue.take_batch(10, 10), [1], "one is taken however large");
        assert_eq!(queue.take_batch(10, 10), [3]);
        queue.push(&tenant("a"), 5_000, 4).unwrap();
        assert_eq!(queue.len(), 1);
    }
}
