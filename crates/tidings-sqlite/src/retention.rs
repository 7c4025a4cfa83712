//! What is to be removed, in small slices between groups of commands.
//!
//! Owns: the list of removal work, and how much of it is done at a time. Leaves out: the removals themselves (`trim`,
//! `floor`, `sweep`).
//!
//! Invariants: a slice looks at no more rows than it is allowed, so that no publish waits long behind it; each channel
//! stands in the list at most once; work that is not done stays in front.

use std::collections::{HashSet, VecDeque};

use tidings_core::port::StorageError;
use tidings_core::port::store::Policy;
use tidings_protocol::ChannelName;

use crate::error::{Step, Stop};
use crate::group::Transaction;
use crate::inbox::Done;
use crate::{answers, audit, cookie_sessions, floor, keys, sweep, trim};

/// Rows of one slice.
pub(crate) const SLICE: usize = 500;
/// Tenants and channels looked at in one tick.
const TENANTS: usize = 256;
const CHANNELS: usize = 128;
/// Past so much work, channels over their limit wait for the sweep.
const WORK: usize = 16_384;

/// One piece of work.
#[derive(Debug)]
enum Work {
    /// Events of a tenant that are too old, or at or under the floor.
    Prefix(i64),
    /// The oldest events of a channel over its limit.
    Channel { tenant: i64, id: i64, name: ChannelName },
    /// Marks of a tenant over their limit.
    Marks(i64),
    /// Up to so many channels after a row: over their limit, free again, or empty.
    Sweep { after: i64, left: usize },
    /// What is kept for a time that is over.
    Expired(Expired),
    /// Everything before this is done.
    Answer(Done),
}

/// Rows that go by their time alone.
#[derive(Debug, Clone, Copy)]
enum Expired {
    Stubs,
    Answers,
    CookieSessions,
    AuditRows,
}

impl Expired {
    const ALL: [Self; 4] = [Self::Stubs, Self::Answers, Self::CookieSessions, Self::AuditRows];

    /// Removes up to `limit`; answers how many.
    fn forget(self, transaction: &Transaction<'_>, limit: usize) -> rusqlite::Result<usize> {
        let (connection, now) = (transaction.connection, transaction.now);
        match self {
            Self::Stubs => keys::forget_stubs(connection, now, limit),
            Self::Answers => answers::forget(connection, now, limit),
            Self::CookieSessions => cookie_sessions::forget(connection, now, limit),
            Self::AuditRows => audit::forget(connection, transaction.policy, now, limit),
        }
    }
}

/// The list of removal work.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    work: VecDeque<Work>,
    /// The channels that stand in the list.
    over: HashSet<i64>,
    /// Where the last ticks stopped.
    tenant_after: i64,
    channel_after: i64,
    /// Whether a sweep of a tick stands in the list.
    sweeping: bool,
}

impl Retention {
    /// Whether there is something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    /// A channel has so many events now. It may pass its limit by a sixteenth before it is trimmed, so that trimming is
    /// done in batches.
    pub(crate) fn grew(&mut self, tenant: i64, name: &ChannelName, id: i64, count: i64, policy: &Policy) {
        let limit = policy.events_per_channel;
        let slack = (limit / 16).min(256);
        let over = limit > 0 && u64::try_from(count).is_ok_and(|count| count > limit + slack);
        if over && self.work.len() < WORK && self.over.insert(id) {
            self.work.push_back(Work::Channel { tenant, id, name: name.clone() });
        }
    }

    /// Lists the regular work of a moment; `tenants` are the rows of all tenants.
    pub(crate) fn tick(&mut self, tenants: &mut [i64]) {
        if self.sweeping {
            return;
        }
        tenants.sort_unstable();
        let turn: Vec<i64> =
            tenants.iter().copied().filter(|row| *row > self.tenant_after).take(TENANTS).collect();
        self.tenant_after = if turn.len() < TENANTS { 0 } else { turn.last().copied().unwrap_or(0) };
        self.work.extend(Expired::ALL.map(Work::Expired));
        self.work.extend(turn.iter().map(|row| Work::Marks(*row)));
        self.work.extend(turn.iter().map(|row| Work::Prefix(*row)));
        self.work.push_back(Work::Sweep { after: self.channel_after, left: CHANNELS });
        self.sweeping = true;
    }

    /// Lists everything there is to do, and an answer at its end.
    pub(crate) fn all(&mut self, tenants: &[i64], answer: Done) {
        self.work.extend(tenants.iter().map(|row| Work::Prefix(*row)));
        self.work.push_back(Work::Sweep { after: 0, left: usize::MAX });
        for row in tenants {
            self.work.extend([Work::Marks(*row), Work::Prefix(*row)]);
        }
        self.work.extend(Expired::ALL.map(Work::Expired));
        self.work.push_back(Work::Answer(answer));
    }

    /// Nothing more is done; whoever waits is told why.
    pub(crate) fn fail(&mut self, reason: &StorageError) {
        for work in self.work.drain(..) {
            if let Work::Answer(answer) = work {
                let _ = answer.send(Err(reason.clone()));
            }
        }
    }
}

/// Does about `rows` rows of work. Answers who is to be told after the commit that all is done.
pub(crate) fn slice(transaction: &mut Transaction<'_>, rows: usize) -> Step<Vec<Done>> {
    let mut left = rows;
    let mut done = Vec::new();
    while left > 0 {
        let Some(work) = transaction.memory.retention.work.pop_front() else { break };
        let (used, rest) = match work {
            Work::Answer(answer) => {
                done.push(answer);
                continue;
            }
            work => carry_out(transaction, work, left)?,
        };
        left = left.saturating_sub(used.max(1));
        if let Some(rest) = rest {
            transaction.memory.retention.work.push_front(rest);
        }
    }
    Ok(done)
}

/// Does some work: how many rows it took, and what is left of it.
fn carry_out(transaction: &mut Transaction<'_>, work: Work, left: usize) -> Step<(usize, Option<Work>)> {
    match work {
        Work::Prefix(tenant) => {
            let (used, finished) = trim::prefix(transaction, tenant, left)?;
            Ok((used, (!finished).then_some(Work::Prefix(tenant))))
        }
        Work::Channel { tenant, id, name } => {
            let (used, finished) = trim::channel(transaction, tenant, id, &name, left)?;
            if finished {
                transaction.memory.retention.over.remove(&id);
                return Ok((used, None));
            }
            Ok((used, Some(Work::Channel { tenant, id, name })))
        }
        Work::Marks(tenant) => {
            let (used, finished) = floor::raise(transaction, tenant, left)?;
            Ok((used, (!finished).then_some(Work::Marks(tenant))))
        }
        Work::Sweep { after, left: channels } => {
            let swept = sweep::sweep(transaction, after, channels.min(left), left)?;
            let channels = channels.saturating_sub(swept.channels);
            if !swept.ended && channels > 0 {
                return Ok((swept.rows, Some(Work::Sweep { after: swept.after, left: channels })));
            }
            let retention = &mut transaction.memory.retention;
            retention.channel_after = if swept.ended { 0 } else { swept.after };
            retention.sweeping = false;
            Ok((swept.rows, None))
        }
        Work::Expired(expired) => {
            let forgotten = expired.forget(transaction, left)?;
            Ok((forgotten, (forgotten == left).then_some(Work::Expired(expired))))
        }
        Work::Answer(_) => Err(Stop::Fail("an answer is no work".to_owned())),
    }
}
