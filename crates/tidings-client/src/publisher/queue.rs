//! Events that nobody waits for: in their order, up to a limit.
//!
//! Invariants: what was put is taken in the order in which it was put, so the order on each channel is that of the
//! calls; every event that was put is settled once, published or not; nothing is put beyond the limits.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::attempts::Patience;
use super::batch::Room;
use super::draft::Sealed;
use super::error::Unflushed;
use crate::backoff::Backoff;

/// What the queue holds, and how long it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOptions {
    /// Events that wait at most. Default: 10,000.
    pub events: usize,
    /// Bytes of JSON that wait at most. Default: 16 MiB.
    pub bytes: usize,
    /// How long an event is tried before it is given up and told to `on_error`. Default: any number of attempts in an
    /// hour, delays up to 200 ms, doubling up to 5 s.
    pub patience: Patience,
}

impl Default for QueueOptions {
    fn default() -> Self {
        let patience = Patience {
            total: Duration::from_secs(3_600),
            backoff: Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) },
            ..Patience::default()
        };
        Self { events: 10_000, bytes: 16 << 20, patience }
    }
}

/// The queue itself.
#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueOptions,
    waiting: Mutex<Waiting>,
    /// Tells the one who takes that there is more, or that nothing follows.
    changed: Notify,
    /// Events that were put and are done with.
    settled: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Sealed>,
    bytes: usize,
    /// Events that were ever put.
    put: u64,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(limits: QueueOptions) -> Self {
        Self { limits, waiting: Mutex::default(), changed: Notify::new(), settled: watch::Sender::new(0) }
    }

    /// Puts an event at the end, or hands it back where there is no room.
    pub(super) fn put(&self, event: Sealed) -> Result<(), Box<Sealed>> {
        let mut waiting = self.waiting.lock();
        let bytes = waiting.bytes + event.text.len();
        if waiting.events.len() >= self.limits.events || bytes > self.limits.bytes {
            return Err(Box::new(event));
        }
        waiting.bytes = bytes;
        waiting.put += 1;
        waiting.events.push_back(event);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Nothing more is put: who takes gets what is left, then nothing.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// The next events, as many as go into one request; none once the queue is closed and empty. For one taker.
    pub(super) async fn take(&self) -> Option<Taken<'_>> {
        loop {
            {
                let mut waiting = self.waiting.lock();
                let events = waiting.pop_batch();
                if !events.is_empty() {
                    return Some(Taken { queue: self, events });
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until everything that was put before is settled.
    ///
    /// # Errors
    /// [`Unflushed`] when the limit is over.
    pub(super) async fn flush(&self, limit: Duration) -> Result<(), Unflushed> {
        let goal = self.waiting.lock().put;
        let mut settled = self.settled.subscribe();
        // The sender is the queue's own and cannot be gone.
        let done = timeout(limit, settled.wait_for(|settled| *settled >= goal)).await.is_ok();
        if done { Ok(()) } else { Err(Unflushed { left: goal - *self.settled.borrow() }) }
    }
}

impl Waiting {
    fn pop_batch(&mut self) -> Vec<Sealed> {
        let mut room = Room::default();
        let mut batch = Vec::new();
        while let Some(event) = self.events.pop_front_if(|event| room.takes(&event.text)) {
            self.bytes -= event.text.len();
            batch.push(event);
        }
        batch
    }
}

/// Events under way. They are settled when this is dropped, however that comes.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    queue: &'a Queue,
    pub(super) events: Vec<Sealed>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let count = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        self.queue.settled.send_modify(|settled| *settled += count);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::*;

    fn sealed(n: usize) -> Sealed {
        Draft::new("a", "t", &n).unwrap().seal().unwrap()
    }

    fn queue(events: usize, bytes: usize) -> Queue {
        Queue::new(QueueOptions { events, bytes, ..QueueOptions::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_is_taken_in_order_a_hundred_at_a_time() {
        let queue = queue(1_000, 1 << 20);
        (0..150).for_each(|n| queue.put(sealed(n)).unwrap());
        let mut seen = Vec::new();
        for count in [100, 50] {
            let taken = queue.take().await.unwrap();
            assert_eq!(taken.events.len(), count);
            seen.extend(taken.events.iter().map(|event| event.draft.data().parse::<usize>().unwrap()));
        }
        assert_eq!(seen, (0..150).collect::<Vec<_>>());
        queue.close();
        assert!(queue.take().await.is_none());
    }

    #[test]
    fn a_full_queue_hands_back() {
        let by_count = queue(2, 1 << 20);
        assert!(by_count.put(sealed(1)).is_ok() && by_count.put(sealed(2)).is_ok());
        assert_eq!(by_count.put(sealed(3)).unwrap_err().draft.data(), "3");
        let by_bytes = queue(9, sealed(1).text.len());
        assert!(by_bytes.put(sealed(1)).is_ok() && by_bytes.put(sealed(2)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn flushing_waits_for_what_was_put_before() {
        let queue = queue(10, 1 << 20);
        assert_eq!(queue.flush(Duration::ZERO).await, Ok(()));
        queue.put(sealed(1)).unwrap();
        queue.put(sealed(2)).unwrap();
        assert_eq!(queue.flush(Duration::from_secs(5)).await, Err(Unflushed { left: 2 }));
        let taking = async {
            drop(queue.take().await);
            queue.put(sealed(3)).unwrap();
        };
        let (flushed, ()) = tokio::join!(queue.flush(Duration::from_secs(5)), taking);
        assert_eq!(flushed, Ok(()));
    }
}
