//! What waits for the writer's thread.
//!
//! Owns: the fair queue of commands, the small one of chores, and waking the thread. Invariants: both are bounded; after
//! `close` nothing more is accepted, and what was accepted is still taken.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tidings_core::port::StorageError;
use tidings_core::port::store::{Command, Outcome, Refused};
use tidings_core::queue::{Queue, QueueLimits, weigh};
use tokio::sync::oneshot;

use crate::error::Step;

/// A command, and who waits for its answer.
pub(crate) struct Waiting {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Result<Outcome, Refused>>,
}

/// Whoever waits for a chore to be done.
pub(crate) type Done = oneshot::Sender<Result<(), StorageError>>;

/// Work of the writer besides commands.
pub(crate) enum Chore {
    /// A change of the directory, in a transaction of its own.
    Change(Box<dyn Change>),
    /// A full run of retention.
    Trim(Done),
    /// A look at the clock: answered once what is due by it has been committed.
    Wake(Done),
}

/// A change of the directory.
pub(crate) trait Change: Send {
    /// Carries it out inside a transaction.
    fn apply(&mut self, connection: &Connection) -> Step<()>;

    /// Tells whoever asked, after the commit or instead of it.
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

/// What the writer is to do next.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) commands: Vec<Waiting>,
    pub(crate) chores: Vec<Chore>,
    /// Nothing waits and nothing more will come.
    pub(crate) ended: bool,
}

/// Chores that may wait.
const CHORES: usize = 256;

pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

struct State {
    commands: Queue<Waiting>,
    chores: VecDeque<Chore>,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let state = State { commands: Queue::new(limits), chores: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, waiting: Waiting) -> Result<(), StorageError> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        let (tenant, bytes) = (waiting.command.tenant.clone(), weigh(&waiting.command));
        state.commands.push(&tenant, bytes, waiting).map_err(|_| busy())?;
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    pub(crate) fn push_chore(&self, chore: Chore) -> Result<(), StorageError> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        if state.chores.len() >= CHORES {
            return Err(busy());
        }
        state.chores.push_back(chore);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Whether something waits.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.lock();
        !state.commands.is_empty() || !state.chores.is_empty() || state.closed
    }

    /// Waits for up to `patience`, then takes what there is; at most so many commands of so many bytes.
    pub(crate) fn take(&self, patience: Duration, max_commands: usize, max_bytes: usize) -> Work {
        let idle = |state: &mut State| state.commands.is_empty() && state.chores.is_empty() && !state.closed;
        let state = self.lock();
        let (mut state, _) =
            self.filled.wait_timeout_while(state, patience, idle).unwrap_or_else(PoisonError::into_inner);
        let commands = state.commands.take_batch(max_commands, max_bytes);
        let chores = state.chores.drain(..).collect::<Vec<_>>();
        let ended = state.closed && commands.is_empty() && chores.is_empty();
        Work { commands, chores, ended }
    }

    /// Waits for up to `patience` until so many commands are there.
    pub(crate) fn gather(&self, commands: usize, patience: Duration) {
        let few = |state: &mut State| state.commands.len() < commands && !state.closed;
        let state = self.lock();
        drop(self.filled.wait_timeout_while(state, patience, few));
    }

    /// Accepts nothing more and drops what waits: nobody is left to take it.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = (state.commands.take_batch(usize::MAX, usize::MAX), std::mem::take(&mut state.chores));
        drop(state);
        drop(waiting);
    }

    /// Accepts nothing more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }
}

fn closed() -> StorageError {
    StorageError::Unavailable("the store is being closed".into())
}

fn busy() -> StorageError {
    StorageError::Unavailable("too much waits to be written".into())
}
