//! What one command does inside the transaction.
//!
//! Owns: the decision, the checks in their order (a decision's own idempotency keys before it is asked; then the events'
//! keys, ended channels, quota) and the writes. Leaves out: undoing a refused command (`group`).
//!
//! Invariants: settled values come before the command's own events, held ones that pass come after them; every record
//! that the command writes is given the head at its end.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidings_core::port::store::{
    Action, Changes, Command, Hold, IdempotencyKey, Outcome, Receipt, RecordKey, RecordWrite,
};
use tidings_core::throttle::Offer;
use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::{ChannelName, Cursor, Draft, ErrorCode, Event};

use crate::channels;
use crate::error::{Step, Stop};
use crate::group::Transaction;
use crate::held::Held;
use crate::keys::{self, KeyCounts};
use crate::stages::{self, StageKey};
use crate::{answers, audit, records, row};

/// What the checks found out about one event.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    New(Option<Fingerprint>),
    Known(Cursor),
}

/// Carries out a command.
pub(crate) fn carry_out(transaction: &mut Transaction<'_>, command: Command) -> Step<Outcome> {
    let tenant = transaction.enter(&command.tenant)?;
    match command.action {
        Action::Publish(events) => apply(transaction, tenant, Changes { events, ..Changes::default() }, &[]),
        Action::Decide { reads, decide, idempotency } => {
            if let Some(known) = answers::replay(transaction.connection, tenant, &idempotency)? {
                return Ok(known);
            }
            let records = reads
                .iter()
                .map(|key: &RecordKey| records::get(transaction.connection, tenant, key))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let changes = catch_unwind(AssertUnwindSafe(|| decide(&records))).map_err(|_| {
                tracing::error!("a decision panicked; the command is refused");
                Stop::from(Problem::of(ErrorCode::Internal))
            })??;
            apply(transaction, tenant, changes, &idempotency)
        }
    }
}

/// `keys` are the command's own; all of them are new.
fn apply(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    changes: Changes,
    keys: &[IdempotencyKey],
) -> Step<Outcome> {
    let mut writes = Vec::new();
    for stage in changes.settle {
        let key = (tenant, stage);
        emit_held(transaction, &key, &mut writes)?;
        transaction.set_stage(key, None);
    }
    let verdicts = check_keys(transaction, tenant, &changes.events)?;
    check_ended(transaction, tenant, &changes.events, &changes.hold, &verdicts)?;
    let fresh = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::New(Some(_)))).count();
    count_keys(transaction, tenant, (fresh + keys.len()) as u64)?;
    writes.extend(changes.records);
    let mut receipts = Vec::with_capacity(verdicts.len());
    for (draft, verdict) in changes.events.into_iter().zip(verdicts) {
        receipts.push(match verdict {
            Verdict::Known(id) => Receipt { id, duplicate: true },
            Verdict::New(fingerprint) => {
                Receipt { id: append(transaction, tenant, draft, fingerprint)?, duplicate: false }
            }
        });
    }
    for hold in changes.hold {
        offer(transaction, tenant, hold, &mut writes)?;
    }
    let head = transaction.ledger(tenant)?.cursor();
    write_records(transaction, tenant, &writes, head)?;
    for row in &changes.audit {
        transaction.wrote = true;
        audit::insert(transaction.connection, row)?;
    }
    let outcome = Outcome { receipts, head, answer: changes.answer, replayed: false };
    transaction.wrote |= !keys.is_empty();
    answers::keep(transaction.connection, tenant, keys, &outcome, transaction.now)?;
    Ok(outcome)
}

fn write_records(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    writes: &[RecordWrite],
    at: Cursor,
) -> Step<()> {
    for write in writes {
        transaction.wrote = true;
        records::write(transaction.connection, tenant, write, at)?;
    }
    Ok(())
}

fn check_keys(transaction: &mut Transaction<'_>, tenant: i64, drafts: &[Draft]) -> Step<Vec<Verdict>> {
    let mut seen = HashSet::new();
    let mut verdicts = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Some(key) = draft.idempotency_key.as_deref() else {
            verdicts.push(Verdict::New(None));
            continue;
        };
        let fingerprint = draft.fingerprint();
        verdicts.push(match keys::find(transaction.connection, tenant, &draft.channel, key)? {
            None => Verdict::New(Some(fingerprint)),
            Some(known) if known.fingerprint == fingerprint => Verdict::Known(known.id),
            Some(_) => {
                let detail = format!(
                    "the idempotency key {key:?} was used before on {} with another body",
                    draft.channel
                );
                return Err(Problem::new(ErrorCode::IdempotencyConflict, detail).into());
            }
        });
        if !seen.insert((&draft.channel, key)) {
            return Err(Problem::of(ErrorCode::IdempotencyKeyRepeated).into());
        }
    }
    Ok(verdicts)
}

/// Goes through the events in the order in which they will be appended.
fn check_ended(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    drafts: &[Draft],
    holds: &[Hold],
    verdicts: &[Verdict],
) -> Step<()> {
    let mut ending: Vec<&ChannelName> = Vec::new();
    let news = drafts.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::New(_)));
    for draft in news.map(|(draft, _)| draft).chain(holds.iter().map(|hold| &hold.event)) {
        for name in draft.channels() {
            if ending.contains(&name) || is_ended(transaction, tenant, name)? {
                let detail = format!("a terminal event has ended {name}; nothing follows on it");
                return Err(Problem::new(ErrorCode::ChannelEnded, detail).into());
            }
        }
        if draft.terminal {
            ending.push(&draft.channel);
        }
    }
    Ok(())
}

fn is_ended(transaction: &mut Transaction<'_>, tenant: i64, name: &ChannelName) -> rusqlite::Result<bool> {
    let now = transaction.now;
    let found = transaction.memory.channels.find(transaction.connection, tenant, name)?;
    Ok(found.is_some_and(|channel| channel.is_ended(now)))
}

/// Refuses what is over the quota; counts what is not.
fn count_keys(transaction: &mut Transaction<'_>, tenant: i64, wanted: u64) -> Step<()> {
    let (connection, now, quota) =
        (transaction.connection, transaction.now, transaction.policy.idempotency_keys);
    if wanted == 0 || quota == 0 {
        return Ok(());
    }
    let ledger = transaction.ledger(tenant)?;
    let mut counts = match ledger.counts.take() {
        Some(counts) => counts,
        None => KeyCounts::load(connection, tenant)?,
    };
    let used = counts.used(connection, tenant, now)?;
    let fits = used + wanted <= quota;
    if fits {
        counts.add(connection, tenant, now, wanted)?;
    }
    ledger.counts = Some(counts);
    if fits {
        transaction.wrote = true;
        Ok(())
    } else {
        Err(Problem::of(ErrorCode::IdempotencyQuota).retry_after(60).into())
    }
}

/// Appends an event at the head.
fn append(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    draft: Draft,
    fingerprint: Option<Fingerprint>,
) -> Step<Cursor> {
    transaction.wrote = true;
    let (connection, now) = (transaction.connection, transaction.now);
    let ledger = transaction.ledger(tenant)?;
    let id = Cursor::new(ledger.head.next(), ledger.tenant.lineage());
    let time = now.max(ledger.time);
    let key = draft.idempotency_key;
    let event = Event {
        id,
        time,
        channel: draft.channel,
        also: draft.also,
        kind: draft.kind,
        category: draft.category,
        key: draft.key,
        actor: draft.actor,
        version: draft.version,
        mutation_id: draft.mutation_id,
        terminal: draft.terminal,
        data: draft.data,
    };
    row::insert(connection, tenant, &event, key.as_deref().zip(fingerprint))?;
    for (index, name) in event.channels().enumerate() {
        let ends = index == 0 && event.terminal;
        index_event(transaction, tenant, name, id, ends)?;
    }
    transaction.ledger(tenant)?.push(event);
    Ok(id)
}

fn index_event(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    name: &ChannelName,
    id: Cursor,
    ends: bool,
) -> Step<()> {
    let connection = transaction.connection;
    let channels = &mut transaction.memory.channels;
    let channel = channels.open(connection, tenant, name, transaction.now)?;
    connection
        .prepare_cached("INSERT INTO channel_events (channel, seq, place) VALUES (?1, ?2, ?3)")?
        .execute([channel.id, row::sql(id.seq.0), channel.next_place])?;
    if ends {
        channels::end(connection, channel.id, id.seq)?;
    }
    channels.grew(tenant, name, ends);
    transaction.memory.retention.grew(tenant, name, channel.id, channel.count() + 1, transaction.policy);
    Ok(())
}

fn offer(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    hold: Hold,
    writes: &mut Vec<RecordWrite>,
) -> Step<()> {
    let key = (tenant, hold.stage);
    let value = Held { event: Draft { idempotency_key: None, ..hold.event }, records: hold.records };
    let mut throttled = transaction.stage(&key);
    transaction.wrote = true;
    match throttled.stage.offer(transaction.now, hold.window) {
        Offer::Hold { due, wait } => {
            throttled.hold(wait);
            let text = value.encode().map_err(|error| Stop::Fail(error.to_string()))?;
            stages::keep(transaction.connection, &key, due, &text)?;
        }
        Offer::Emit => {
            if throttled.timer.take().is_some() {
                stages::take(transaction.connection, &key)?;
            }
            emit(transaction, tenant, value, writes)?;
        }
    }
    transaction.set_stage(key, Some(throttled));
    Ok(())
}

/// A value's event and records enter the log together. Nothing of it is stored where one of its channels has ended.
fn emit(
    transaction: &mut Transaction<'_>,
    tenant: i64,
    value: Held,
    writes: &mut Vec<RecordWrite>,
) -> Step<()> {
    for name in value.event.channels() {
        if is_ended(transaction, tenant, name)? {
            return Ok(());
        }
    }
    append(transaction, tenant, value.event, None)?;
    writes.extend(value.records);
    Ok(())
}

fn emit_held(transaction: &mut Transaction<'_>, key: &StageKey, writes: &mut Vec<RecordWrite>) -> Step<()> {
    let Some(text) = stages::take(transaction.connection, key)? else { return Ok(()) };
    transaction.wrote = true;
    match Held::decode(&text) {
        Ok(value) => emit(transaction, key.0, value, writes),
        Err(reason) => {
            tracing::error!(stage = key.1, reason, "a held value cannot be read and is dropped");
            Ok(())
        }
    }
}

/// Commits the held value of a stage whose window has ended.
pub(crate) fn release(transaction: &mut Transaction<'_>, key: &StageKey) -> Step<()> {
    let mut writes = Vec::new();
    emit_held(transaction, key, &mut writes)?;
    let head = transaction.ledger(key.0)?.cursor();
    write_records(transaction, key.0, &writes, head)
}
