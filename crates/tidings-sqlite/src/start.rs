//! What a start does to the file before anything is served: a new run for every tenant.
//!
//! Owns: the rows of `lineages`. Invariants: the new lineage is durable before anything is given under it; a tail that
//! was lost or deleted is recognised by the head found, so that no cursor into it counts; the head itself is never
//! lowered, so that no number is given twice.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Lineage, Seq, TenantId};

use crate::row::{lineage, seq, sql};
use crate::runs::{Run, Runs};
use crate::tenants::{Tenant, Tenants};

/// The tenant that exists from the first start.
const FIRST_TENANT: &str = "default";
/// Runs of one tenant that are remembered: a cursor from before so many restarts is unknown.
const RUNS: i64 = 4_096;

/// Begins a run: one transaction over all tenants.
pub(crate) fn begin_run(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<Tenants> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tenants = Tenants::default();
    transaction.execute(
        "INSERT INTO tenants (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        params![FIRST_TENANT, now.0],
    )?;
    let found = {
        let mut statement = transaction.prepare("SELECT id, name, head, floor FROM tenants")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, seq(row.get(2)?), seq(row.get(3)?)))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for (row, name, head, floor) in found {
        let Ok(id) = name.parse::<TenantId>() else {
            tracing::error!(name, "a tenant's name cannot be; it is passed over");
            continue;
        };
        tenants.insert(&start_tenant(&transaction, row, id, head, floor)?);
    }
    transaction.commit()?;
    Ok(tenants)
}

/// Makes a tenant and begins its first run. `None` where the name is taken.
pub(crate) fn add_tenant(
    connection: &Connection,
    id: &TenantId,
    now: Timestamp,
) -> rusqlite::Result<Option<Arc<Tenant>>> {
    let row = connection
        .prepare_cached(
            "INSERT INTO tenants (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING RETURNING id",
        )?
        .query_row(params![id.as_str(), now.0], |row| row.get(0))
        .optional()?;
    row.map(|row| start_tenant(connection, row, id.clone(), Seq::ZERO, Seq::ZERO)).transpose()
}

fn start_tenant(
    connection: &Connection,
    row: i64,
    id: TenantId,
    head: Seq,
    floor: Seq,
) -> rusqlite::Result<Arc<Tenant>> {
    let found = found_head(connection, row, floor)?.min(head);
    connection
        .prepare_cached("UPDATE lineages SET ended = ?2 WHERE tenant = ?1 AND (ended IS NULL OR ended > ?2)")?
        .execute([row, sql(found.0)])?;
    // What began in a lost tail was never of this history.
    connection
        .prepare_cached("DELETE FROM lineages WHERE tenant = ?1 AND (began > ended OR ended < ?2)")?
        .execute([row, sql(floor.0)])?;
    connection
        .prepare_cached(
            "DELETE FROM lineages WHERE tenant = ?1 AND id <= \
             (SELECT id FROM lineages WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute([row, RUNS])?;
    let earlier = connection
        .prepare_cached("SELECT lineage, began, ended FROM lineages WHERE tenant = ?1 ORDER BY id")?
        .query_map([row], |run| {
            let ended = run.get::<_, Option<i64>>(2)?.map(seq);
            Ok(Run { lineage: lineage(run.get(0)?), began: seq(run.get(1)?), ended })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let present = Run { lineage: draw(connection, row, head)?, began: head, ended: None };
    Ok(Tenant::new(row, id, head, floor, Runs::new(earlier, present)))
}

/// The last number that the stored rows speak of. Retention may have removed the last event, but then its mark or the
/// floor stands for it.
fn found_head(connection: &Connection, tenant: i64, floor: Seq) -> rusqlite::Result<Seq> {
    let last = |sql: &str| connection.prepare_cached(sql)?.query_row([tenant], |row| row.get(0)).optional();
    let event = last("SELECT seq FROM events WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1")?;
    let mark = last(
        "SELECT trimmed_to FROM channels WHERE tenant = ?1 AND trimmed_to > 0 ORDER BY trimmed_to DESC LIMIT 1",
    )?;
    Ok(seq(event.unwrap_or(0)).max(seq(mark.unwrap_or(0))).max(floor))
}

/// Stores a lineage that this tenant never had, beginning at its head. SQLite's generator is seeded by the system.
fn draw(connection: &Connection, tenant: i64, began: Seq) -> rusqlite::Result<Lineage> {
    loop {
        let bits: i64 = connection.prepare_cached("SELECT random()")?.query_row([], |row| row.get(0))?;
        let lineage = Lineage::from_bits(bits.cast_unsigned());
        let stored = connection
            .prepare_cached(
                "INSERT INTO lineages (tenant, lineage, began) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute([tenant, sql(lineage.bits()), sql(began.0)])?;
        if stored == 1 {
            return Ok(lineage);
        }
    }
}
