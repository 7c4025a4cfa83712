//! What decisions came to, by their idempotency keys.
//!
//! Owns: rows of `answers`. Leaves out: the quota (`append` with `keys`). Invariants: an answer is kept for 24 hours at
//! least, and given as it was; the first of a command's keys that is known decides.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::store::{IdempotencyKey, KEY_MEMORY, Outcome, Receipt};
use tidings_protocol::problem::Problem;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, ErrorCode};

use crate::error::Step;
use crate::row::{damaged, lineage, seq, sql};

/// The outcome that a known one of the keys stands for; `None` where all are new.
pub(crate) fn replay(connection: &Connection, tenant: i64, keys: &[IdempotencyKey]) -> Step<Option<Outcome>> {
    for key in keys {
        let found = connection
            .prepare_cached(
                "SELECT fingerprint, answer, head_seq, head_lineage, receipts FROM answers \
                 WHERE tenant = ?1 AND scope = ?2 AND idempotency_key = ?3",
            )?
            .query_row(params![tenant, key.scope, key.key], |row| {
                Ok((Fingerprint(row.get(0)?), outcome(row)?))
            })
            .optional()?;
        match found {
            None => {}
            Some((fingerprint, outcome)) if fingerprint == key.fingerprint => return Ok(Some(outcome)),
            Some(_) => {
                let detail = format!("the idempotency key {:?} was used before for another request", key.key);
                return Err(Problem::new(ErrorCode::IdempotencyConflict, detail).into());
            }
        }
    }
    Ok(None)
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<Outcome> {
    let receipts: Vec<(i64, i64)> =
        serde_json::from_str(row.get_ref(4)?.as_str()?).map_err(|error| damaged(4, error))?;
    let receipt = |(number, run)| Receipt { id: Cursor::new(seq(number), lineage(run)), duplicate: true };
    Ok(Outcome {
        receipts: receipts.into_iter().map(receipt).collect(),
        head: Cursor::new(seq(row.get(2)?), lineage(row.get(3)?)),
        answer: row.get(1)?,
        replayed: true,
    })
}

/// Keeps what a command came to, under each of its keys.
pub(crate) fn keep(
    connection: &Connection,
    tenant: i64,
    keys: &[IdempotencyKey],
    outcome: &Outcome,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let pair = |id: Cursor| serde_json::json!([sql(id.seq.0), sql(id.lineage.bits())]);
    let receipts: serde_json::Value = outcome.receipts.iter().map(|receipt| pair(receipt.id)).collect();
    let receipts = receipts.to_string();
    let memory = i64::try_from(KEY_MEMORY.as_millis()).unwrap_or(i64::MAX);
    for key in keys {
        connection
            .prepare_cached(
                "INSERT INTO answers (tenant, scope, idempotency_key, fingerprint, answer, head_seq, head_lineage, \
                 receipts, forget_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                tenant,
                key.scope,
                key.key,
                key.fingerprint.0,
                outcome.answer,
                sql(outcome.head.seq.0),
                sql(outcome.head.lineage.bits()),
                receipts,
                now.0.saturating_add(memory),
            ])?;
    }
    Ok(())
}

/// Forgets up to `limit` answers whose time is over. Answers how many.
pub(crate) fn forget(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM answers WHERE id IN \
             (SELECT id FROM answers WHERE forget_at < ?1 ORDER BY forget_at LIMIT ?2)",
        )?
        .execute([now.0, sql(limit as u64)])
}
