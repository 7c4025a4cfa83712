//! The floor: it stands for the oldest marks of trimmed channels when there are too many of them.

use rusqlite::OptionalExtension;
use tidings_protocol::Seq;

use crate::error::Step;
use crate::group::Transaction;
use crate::row::{number, seq, sql};
use crate::trim::enter;

/// Lets up to `rows` marks over the limit give way to the floor, oldest first, and forgets the runs wholly under it.
/// Answers how many rows it took, and whether that was all. Events at or under a floor are given to nobody from its
/// commit on; they are removed by [`crate::trim::prefix`].
pub(crate) fn raise(transaction: &mut Transaction<'_>, tenant: i64, rows: usize) -> Step<(usize, bool)> {
    enter(transaction, tenant)?;
    let connection = transaction.connection;
    let marks = match transaction.ledger(tenant)?.marks {
        Some(marks) => marks,
        // Once after a start; from then on they are counted as they come and go.
        None => connection
            .prepare_cached("SELECT count(*) FROM channels WHERE tenant = ?1 AND trimmed_to > 0")?
            .query_row([tenant], |row| row.get(0).map(number))?,
    };
    transaction.ledger(tenant)?.marks = Some(marks);
    let excess = marks.saturating_sub(transaction.policy.trim_marks);
    let take = excess.min(rows as u64);
    if take == 0 {
        return Ok((1, true));
    }
    let floor = connection
        .prepare_cached(
            "SELECT trimmed_to FROM channels WHERE tenant = ?1 AND trimmed_to > 0 ORDER BY trimmed_to LIMIT 1 OFFSET ?2",
        )?
        .query_row([tenant, sql(take - 1)], |row| row.get(0).map(seq))
        .optional()?;
    let Some(floor) = floor else { return Ok((1, true)) };
    let gone = connection
        .prepare_cached(
            "UPDATE channels SET trimmed_to = 0 WHERE tenant = ?1 AND trimmed_to > 0 AND trimmed_to <= ?2",
        )?
        .execute([tenant, sql(floor.0)])?;
    connection
        .prepare_cached("UPDATE tenants SET floor = ?2 WHERE id = ?1")?
        .execute([tenant, sql(floor.0)])?;
    connection
        .prepare_cached("DELETE FROM lineages WHERE tenant = ?1 AND ended < ?2")?
        .execute([tenant, sql(floor.0)])?;
    let ledger = transaction.ledger(tenant)?;
    ledger.marks = Some(marks.saturating_sub(gone as u64));
    ledger.floor = Seq::max(ledger.floor, floor);
    Ok((usize::try_from(take).unwrap_or(rows), gone as u64 >= excess))
}
