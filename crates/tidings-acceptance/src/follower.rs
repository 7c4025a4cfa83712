//! A subscriber that comes back: whatever happens to its connection, it goes on with the cursor it has, until it has
//! reached what it is told to reach.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_protocol::Seq;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::journal::{Entry, Journal};
use crate::subscription::{Ask, Closed, Subscription, Transport};
use crate::target::Target;

/// How long it stays away after a connection was lost or refused, and nothing was said about it.
const PAUSE: Duration = Duration::from_millis(20);

/// Up to which position followers go; none until it is known.
pub type Goal = watch::Receiver<Option<Seq>>;

/// A goal and the hand that sets it.
#[must_use]
pub fn goal() -> (watch::Sender<Option<Seq>>, Goal) {
    watch::channel(None)
}

/// A subscriber at work.
#[derive(Debug)]
pub struct Follower {
    journal: Arc<Mutex<Journal>>,
    opens: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Sets one to work.
    #[must_use]
    pub fn start(target: &Target, transport: Transport, ask: &Ask, goal: &Goal) -> Self {
        let journal = Arc::new(Mutex::new(Journal::new(transport, &ask.channels)));
        let (opened, opens) = watch::channel(0);
        let work = Work {
            target: target.clone(),
            transport,
            ask: ask.clone(),
            goal: goal.clone(),
            journal: journal.clone(),
            opened,
        };
        Self { journal, opens, task: tokio::spawn(work.run()) }
    }

    /// Waits until its stream has been opened `times` times in all.
    ///
    /// # Panics
    /// If it has ended before.
    pub async fn opened(&mut self, times: usize) {
        self.opens.wait_for(|opens| *opens >= times).await.expect("the follower is at work");
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Journal {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has reached its goal, for so long at most; then it is noted as stalled.
    ///
    /// # Panics
    /// If it has panicked.
    pub async fn finish(mut self, limit: Duration) -> Journal {
        match timeout(limit, &mut self.task).await {
            Ok(done) => done.expect("a follower does not panic"),
            Err(_) => {
                self.task.abort();
                self.journal.lock().unwrap_or_else(PoisonError::into_inner).stalled = true;
            }
        }
        self.seen()
    }
}

/// Waits for all of them, for so long at most.
pub async fn finish_all(followers: Vec<Follower>, limit: Duration) -> Vec<Journal> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut journals = Vec::with_capacity(followers.len());
    for follower in followers {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        journals.push(follower.finish(left).await);
    }
    journals
}

struct Work {
    target: Target,
    transport: Transport,
    ask: Ask,
    goal: Goal,
    journal: Arc<Mutex<Journal>>,
    opened: watch::Sender<usize>,
}

impl Work {
    async fn run(mut self) {
        while !self.is_there() {
            let pause = self.connection().await;
            let mut goal = self.goal.clone();
            let there = self.journal.clone();
            tokio::select! {
                () = sleep(pause) => {}
                // The goal may be behind it already.
                _ = goal.wait_for(|goal| reached(&there, *goal)) => {}
            }
        }
    }

    fn is_there(&self) -> bool {
        reached(&self.journal, *self.goal.borrow())
    }

    fn note<T>(&self, note: impl FnOnce(&mut Journal) -> T) -> T {
        note(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One connection, from opening to end; how long to stay away then.
    async fn connection(&mut self) -> Duration {
        let cursor = self.note(|journal| journal.cursor);
        let ask = match cursor {
            Some(cursor) => self.ask.since(cursor),
            None => self.ask.clone(),
        };
        let mut subscription = match Subscription::open(self.transport, &self.target, &ask).await {
            Ok(subscription) => subscription,
            Err(Closed::Broken(_)) => return PAUSE,
            Err(closed) => {
                self.note(|journal| journal.close(&closed));
                return PAUSE;
            }
        };
        // A poll with a cursor has no `$ready`: it is open once its request is on the way.
        let opens = self.note(|journal| {
            journal.opens += 1;
            journal.opens
        });
        if self.transport == Transport::Poll {
            self.opened.send_replace(opens);
        }
        let closed = self.receive(&mut subscription, opens).await;
        self.note(|journal| {
            if let Some(closed) = &closed {
                journal.close(closed);
            }
            match (closed.is_some(), journal.entries.last()) {
                (true, Some(Entry::End { after: Some(after), .. })) => Duration::from_millis(*after),
                _ => PAUSE,
            }
        })
    }

    /// Receives until the connection ends, or the goal is reached (`None`).
    async fn receive(&mut self, subscription: &mut Subscription, opens: usize) -> Option<Closed> {
        loop {
            let item = tokio::select! {
                item = subscription.next() => item,
                changed = self.goal.changed() => {
                    if changed.is_err() || self.is_there() {
                        return None;
                    }
                    continue;
                }
            };
            let item = match item {
                Ok(item) => item,
                Err(closed) => return Some(closed),
            };
            let goal = *self.goal.borrow();
            let (is_open, is_there) = self.note(|journal| {
                journal.take(item);
                let is_open = matches!(journal.entries.last(), Some(Entry::Opened { .. }));
                (is_open, is_past(journal, goal))
            });
            if is_open {
                self.opened.send_replace(opens);
            }
            if is_there {
                return None;
            }
        }
    }
}

fn reached(journal: &Mutex<Journal>, goal: Option<Seq>) -> bool {
    is_past(&journal.lock().unwrap_or_else(PoisonError::into_inner), goal)
}

fn is_past(journal: &Journal, goal: Option<Seq>) -> bool {
    match (journal.cursor, goal) {
        (Some(cursor), Some(goal)) => cursor.seq >= goal,
        _ => false,
    }
}
