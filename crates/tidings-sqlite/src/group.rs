//! One write transaction: a group of commands that become durable together.
//!
//! Owns: the transaction's bounds, the savepoint around each command, the tenants' heads within it, and what is told
//! after the commit. Leaves out: what a command does (`append`).
//!
//! Invariants: a command that is refused leaves no trace, in the file or in memory; heads are written once a group, and
//! only over the head that was there before; nothing is told unless the commit succeeded. After a failure the memory is
//! worth nothing, and the writer uses it no more.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use tidings_core::port::Commits;
use tidings_core::port::store::{Batch, Policy, Refused};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, Event, Seq, TenantId};

use crate::channels::Channels;
use crate::error::{Step, Stop};
use crate::keys::KeyCounts;
use crate::retention::Retention;
use crate::row::sql;
use crate::stages::{StageKey, Stages, Throttled};
use crate::tenants::{Tenant, Tenants};

/// What the writer remembers between transactions.
#[derive(Debug)]
pub(crate) struct Memory {
    ledgers: HashMap<i64, Ledger>,
    pub(crate) channels: Channels,
    pub(crate) stages: Stages,
    pub(crate) retention: Retention,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            ledgers: HashMap::new(),
            channels: Channels::new(),
            stages: Stages::new(),
            retention: Retention::default(),
        }
    }
}

/// A tenant's log as the transaction has it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) head: Seq,
    /// The time of the last event.
    pub(crate) time: Timestamp,
    /// The head in the file.
    written: Seq,
    /// Events of this transaction.
    events: Vec<Event>,
    /// A floor raised in this transaction.
    pub(crate) floor: Seq,
    pub(crate) counts: Option<KeyCounts>,
    /// How many channels have a mark, once it was counted.
    pub(crate) marks: Option<u64>,
}

impl Ledger {
    /// The head, under this run's lineage.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor::new(self.head, self.tenant.lineage())
    }

    /// An event has been stored at the head.
    pub(crate) fn push(&mut self, event: Event) {
        self.head = event.id.seq;
        self.time = event.time;
        self.events.push(event);
    }
}

/// An open write transaction.
pub(crate) struct Transaction<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) memory: &'a mut Memory,
    pub(crate) policy: &'a Policy,
    pub(crate) tenants: &'a Tenants,
    pub(crate) now: Timestamp,
    /// Whether the present command has written anything.
    pub(crate) wrote: bool,
    touched: Vec<i64>,
    /// What the present command does to stages; none forgets one.
    stages: Vec<(StageKey, Option<Throttled>)>,
}

/// Carries out `work` in a transaction of its own, commits, and tells `commits` what was appended.
///
/// The error says why the transaction failed; whether it was stored is unknown then.
pub(crate) fn transact<'a, T>(
    mut transaction: Transaction<'a>,
    commits: &dyn Commits,
    work: impl FnOnce(&mut Transaction<'a>) -> Result<T, String>,
) -> Result<T, String> {
    let connection = transaction.connection;
    let run = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(|_| ());
    let text = |error: rusqlite::Error| error.to_string();
    run("BEGIN IMMEDIATE").map_err(text)?;
    let worked = work(&mut transaction).and_then(|value| transaction.write_heads().map(|()| value));
    let committed = worked.and_then(|value| run("COMMIT").map_err(text).map(|()| value));
    match committed {
        Ok(value) => {
            transaction.tell(commits);
            Ok(value)
        }
        Err(reason) => {
            if let Err(error) = run("ROLLBACK") {
                tracing::warn!(%error, "the failed transaction could not be rolled back");
            }
            Err(reason)
        }
    }
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        memory: &'a mut Memory,
        policy: &'a Policy,
        tenants: &'a Tenants,
        now: Timestamp,
    ) -> Self {
        let (touched, stages) = (Vec::new(), Vec::new());
        Self { connection, memory, policy, tenants, now, wrote: false, touched, stages }
    }

    /// Carries out one command; undoes it where it is refused. The error fails the whole transaction.
    pub(crate) fn undoable<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Step<T>,
    ) -> Result<Result<T, Refused>, String> {
        let run =
            |connection: &Connection, sql: &str| connection.prepare_cached(sql)?.execute([]).map(|_| ());
        let text = |error: rusqlite::Error| error.to_string();
        self.wrote = false;
        self.stages.clear();
        run(self.connection, "SAVEPOINT command").map_err(text)?;
        let before = self.marks();
        let result = match work(self) {
            Ok(value) => {
                self.keep_stages();
                Ok(value)
            }
            Err(Stop::Fail(reason)) => return Err(reason),
            Err(Stop::Refuse(refused)) => {
                if self.wrote {
                    run(self.connection, "ROLLBACK TO command").map_err(text)?;
                    self.undo(&before);
                }
                Err(refused)
            }
        };
        run(self.connection, "RELEASE command").map_err(text)?;
        Ok(result)
    }

    /// The tenant's row; its ledger is open from now on.
    pub(crate) fn enter(&mut self, tenant: &TenantId) -> Step<i64> {
        let tenant = self.tenants.get(tenant).map_err(|why| Stop::Refuse(Refused::Storage(why)))?;
        self.open_ledger(tenant).map_err(Stop::from)
    }

    /// The same for a tenant at hand.
    pub(crate) fn open_ledger(&mut self, tenant: Arc<Tenant>) -> rusqlite::Result<i64> {
        let row = tenant.row;
        if !self.memory.ledgers.contains_key(&row) {
            let time = self
                .connection
                .prepare_cached("SELECT last_time FROM tenants WHERE id = ?1")?
                .query_row([row], |found| found.get(0))?;
            let (head, floor) = (tenant.head(), tenant.floor());
            let ledger = Ledger {
                tenant,
                head,
                time: Timestamp(time),
                written: head,
                events: Vec::new(),
                floor,
                counts: None,
                marks: None,
            };
            self.memory.ledgers.insert(row, ledger);
        }
        if !self.touched.contains(&row) {
            self.touched.push(row);
        }
        Ok(row)
    }

    /// A ledger that [`Self::enter`] has opened.
    pub(crate) fn ledger(&mut self, row: i64) -> Step<&mut Ledger> {
        self.memory.ledgers.get_mut(&row).ok_or_else(|| Stop::Fail(format!("tenant {row} was not entered")))
    }

    /// The stage as the present command has it.
    pub(crate) fn stage(&self, key: &StageKey) -> Throttled {
        match self.stages.iter().rev().find(|(other, _)| other == key) {
            Some((_, throttled)) => throttled.unwrap_or_default(),
            None => self.memory.stages.get(key),
        }
    }

    /// Changes a stage if the command succeeds; `None` forgets it.
    pub(crate) fn set_stage(&mut self, key: StageKey, throttled: Option<Throttled>) {
        self.stages.push((key, throttled));
    }

    fn keep_stages(&mut self) {
        for (key, throttled) in self.stages.drain(..) {
            match throttled {
                Some(throttled) => self.memory.stages.put(key, throttled),
                None => self.memory.stages.remove(&key),
            }
        }
    }

    fn marks(&self) -> Vec<(i64, Seq, Timestamp, usize)> {
        let ledgers = self.touched.iter().filter_map(|row| self.memory.ledgers.get_key_value(row));
        ledgers.map(|(row, ledger)| (*row, ledger.head, ledger.time, ledger.events.len())).collect()
    }

    fn undo(&mut self, before: &[(i64, Seq, Timestamp, usize)]) {
        self.memory.channels.forget_all();
        for row in &self.touched {
            let Some(ledger) = self.memory.ledgers.get_mut(row) else { continue };
            ledger.counts = None;
            match before.iter().find(|(other, ..)| other == row) {
                Some((_, head, time, events)) => {
                    (ledger.head, ledger.time) = (*head, *time);
                    ledger.events.truncate(*events);
                }
                None => {
                    // Entered by this command: nothing of it was there before. The time may stay: it only grows.
                    ledger.head = ledger.written;
                    ledger.events.clear();
                }
            }
        }
    }

    fn write_heads(&mut self) -> Result<(), String> {
        for row in &self.touched {
            let Some(ledger) = self.memory.ledgers.get_mut(row) else { continue };
            if ledger.head == ledger.written {
                continue;
            }
            let mut update = self
                .connection
                .prepare_cached("UPDATE tenants SET head = ?2, last_time = ?3 WHERE id = ?1 AND head = ?4")
                .map_err(|error| error.to_string())?;
            let changed = update
                .execute([*row, sql(ledger.head.0), ledger.time.0, sql(ledger.written.0)])
                .map_err(|error| error.to_string())?;
            if changed != 1 {
                return Err("another program has written to the file".to_owned());
            }
        }
        Ok(())
    }

    fn tell(&mut self, commits: &dyn Commits) {
        for row in &self.touched {
            let Some(ledger) = self.memory.ledgers.get_mut(row) else { continue };
            ledger.written = ledger.head;
            ledger.tenant.saw_head(ledger.head);
            if ledger.floor > ledger.tenant.floor() {
                ledger.tenant.saw_floor(ledger.floor);
                ledger.tenant.forget_runs_before(ledger.floor);
            }
            let events = std::mem::take(&mut ledger.events);
            if !events.is_empty() {
                commits.committed(Batch { tenant: ledger.tenant.id.clone(), events });
            }
        }
    }
}
