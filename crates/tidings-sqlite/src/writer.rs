//! The thread that writes.
//!
//! Owns: the writing connection, the order of its work (chores, held values that are due, commands, a slice of
//! retention), and what follows a failure. Leaves out: what happens inside a transaction (`group` and below).
//!
//! Invariants: whoever waits is answered exactly once, after the commit; after a failed transaction nothing is written
//! and everyone is told [`StorageError::Failed`]. While a commit is being made durable, commands queue and become the
//! next group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::port::StorageError;
use tidings_core::port::store::{Outcome, Refused};
use tokio::sync::oneshot;

use crate::append;
use crate::error::Stop;
use crate::group::{Memory, Transaction, transact};
use crate::inbox::{Change, Chore, Done, Waiting};
use crate::retention::{self, SLICE};
use crate::stages::{self, monotonic};
use crate::store::Shared;
use crate::trim;

/// The largest group.
const GROUP_COMMANDS: usize = 256;
const GROUP_BYTES: usize = 8 << 20;
/// How often retention is looked after.
const TICK: Duration = Duration::from_secs(1);
/// How long those who were answered together may take to come back together. Without it the first of them makes a group
/// alone and the others wait for the next: with a disk that takes 1 ms and 16 publishers, a third fewer events a second.
const GATHER: Duration = Duration::from_micros(60);

type Reply = oneshot::Sender<Result<Outcome, Refused>>;

pub(crate) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    memory: Memory,
    ticked: Instant,
    /// Commands in the last group.
    last_group: usize,
    /// Whether something was committed since the WAL was last copied into the file.
    wrote: bool,
}

/// Says that writing has ended should the thread panic.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the writer's thread has panicked");
            self.0.inbox.abandon();
        }
    }
}

impl Writer {
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        Self { connection, shared, memory: Memory::new(), ticked: monotonic(), last_group: 0, wrote: false }
    }

    /// Writes until the inbox is closed and empty.
    pub(crate) fn run(mut self) {
        let _guard = Guard(Arc::clone(&self.shared));
        loop {
            if self.last_group > 1 {
                self.shared.inbox.gather(self.last_group, GATHER);
            }
            let work = self.shared.inbox.take(self.patience(), GROUP_COMMANDS, GROUP_BYTES);
            if work.ended {
                break;
            }
            let mut awake = Vec::new();
            for chore in work.chores {
                awake.extend(self.chore(chore));
            }
            self.last_group = work.commands.len();
            self.group(work.commands);
            for done in awake {
                let _ = done.send(self.shared.health());
            }
        }
        self.memory.retention.fail(&StorageError::Unavailable("the store is being closed".into()));
    }

    /// How long there is nothing to do if nobody comes.
    fn patience(&self) -> Duration {
        if self.shared.health().is_err() {
            return TICK;
        }
        if self.memory.retention.has_work() {
            return Duration::ZERO;
        }
        let now = self.shared.options.clock.now();
        let tick = TICK.saturating_sub(monotonic().saturating_duration_since(self.ticked));
        self.memory.stages.patience(now).map_or(tick, |held| held.min(tick))
    }

    /// Commits what was held when the last run ended.
    pub(crate) fn release_held(&mut self) -> Result<(), String> {
        let held = stages::all(&self.connection).map_err(|error| error.to_string())?;
        if held.is_empty() {
            return Ok(());
        }
        self.transact(|transaction| release(transaction, &held))
    }

    /// Does a chore. Answers who waits for the group that follows.
    fn chore(&mut self, chore: Chore) -> Option<Done> {
        match chore {
            Chore::Wake(done) => return Some(done),
            Chore::Change(change) => self.change(change),
            Chore::Trim(done) => match self.shared.health() {
                Ok(()) => self.memory.retention.all(&self.shared.tenants.rows(), done),
                Err(why) => drop(done.send(Err(why))),
            },
        }
        None
    }

    fn change(&mut self, mut change: Box<dyn Change>) {
        let committed = self.shared.health().and_then(|()| {
            let done = self.transact(|transaction| {
                transaction.undoable(|transaction| {
                    transaction.wrote = true;
                    change.apply(transaction.connection)
                })
            });
            match done {
                Ok(Ok(())) => Ok(()),
                Ok(Err(refused)) => Err(StorageError::Unavailable(refused.to_string())),
                Err(reason) => Err(self.shared.fail(&reason)),
            }
        });
        change.answer(committed);
    }

    /// One group: held values that are due, commands, and some retention.
    fn group(&mut self, waiting: Vec<Waiting>) {
        if let Err(why) = self.shared.health() {
            self.refuse(waiting.into_iter().map(|one| one.reply).collect(), &why);
            return;
        }
        let now = self.shared.options.clock.now();
        self.tick();
        let due = self.memory.stages.take_due(now);
        let trims = self.memory.retention.has_work();
        if waiting.is_empty() && due.is_empty() && !trims {
            return;
        }
        let (commands, replies): (Vec<_>, Vec<Reply>) =
            waiting.into_iter().map(|one| (one.command, one.reply)).unzip();
        let rows = if commands.is_empty() { SLICE } else { (8 * commands.len()).clamp(64, SLICE) };
        let done = self.transact(|transaction| {
            release(transaction, &due)?;
            let mut outcomes = Vec::with_capacity(commands.len());
            for command in commands {
                outcomes.push(transaction.undoable(|transaction| append::carry_out(transaction, command))?);
            }
            let trimmed = if trims { slice(transaction, rows)? } else { Vec::new() };
            Ok((outcomes, trimmed))
        });
        match done {
            Ok((outcomes, trimmed)) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    let _ = reply.send(outcome);
                }
                for answer in trimmed {
                    let _ = answer.send(Ok(()));
                }
            }
            Err(reason) => {
                let why = self.shared.fail(&reason);
                self.refuse(replies, &why);
            }
        }
    }

    /// Tells everyone why nothing is written any more.
    fn refuse(&mut self, replies: Vec<Reply>, why: &StorageError) {
        for reply in replies {
            let _ = reply.send(Err(why.clone().into()));
        }
        self.memory.retention.fail(why);
    }

    /// Once a second: lists retention's work, forgets windows that are over, and copies the WAL while nobody waits.
    fn tick(&mut self) {
        let instant = monotonic();
        if instant.saturating_duration_since(self.ticked) < TICK {
            return;
        }
        self.ticked = instant;
        self.memory.stages.sweep(self.shared.options.clock.now());
        self.memory.retention.tick(&mut self.shared.tenants.rows());
        if self.wrote && !self.shared.inbox.has_work() {
            self.wrote = false;
            let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = checkpoint {
                // Everything is safe in the WAL; the next checkpoint tries again.
                tracing::warn!(%error, "the WAL could not be copied into the database file");
            }
        }
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let options = &self.shared.options;
        let before = self.connection.total_changes();
        let transaction = Transaction::new(
            &self.connection,
            &mut self.memory,
            &options.policy,
            &self.shared.tenants,
            options.clock.now(),
        );
        let done = transact(transaction, &*options.commits, work);
        self.wrote |= self.connection.total_changes() != before;
        done
    }
}

/// Commits held values whose time has come, each by itself.
fn release(transaction: &mut Transaction<'_>, keys: &[stages::StageKey]) -> Result<(), String> {
    for key in keys {
        let released = transaction.undoable(|transaction| {
            trim::enter(transaction, key.0)?;
            append::release(transaction, key)
        })?;
        if let Err(refused) = released {
            tracing::error!(stage = key.1, %refused, "a held value could not be stored");
        }
    }
    Ok(())
}

fn slice(transaction: &mut Transaction<'_>, rows: usize) -> Result<Vec<Done>, String> {
    // A refusal here is a bug, and half a slice is no state to commit.
    retention::slice(transaction, rows).map_err(|stop| match stop {
        Stop::Fail(reason) => reason,
        Stop::Refuse(refused) => refused.to_string(),
    })
}

#[cfg(test)]
mod tests;
