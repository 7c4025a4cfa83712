//! Records of the apps, and the tags by which they are listed.
//!
//! Invariants: a record's `tags` are what stands of it in `record_tags`; its place is given at its creation and never to
//! another; what a reader is given comes with the head of the same snapshot.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::port::store::{Record, RecordKey, RecordPage, RecordQuery, RecordRead, RecordWrite};
use tidings_protocol::Cursor;

use crate::row::{damaged, lineage, number, seq, sql};
use crate::tenants::Tenant;

/// The columns that [`decode`] reads, in its order.
const COLUMNS: &str =
    "records.place, records.id, records.version, records.body, records.at_seq, records.at_lineage";

fn decode(row: &Row<'_>, kind: &str) -> rusqlite::Result<Record> {
    Ok(Record {
        place: number(row.get(0)?),
        key: RecordKey { kind: kind.to_owned(), id: row.get(1)? },
        version: number(row.get(2)?),
        body: row.get(3)?,
        at: Cursor::new(seq(row.get(4)?), lineage(row.get(5)?)),
    })
}

/// A record as the transaction shows it.
pub(crate) fn get(connection: &Connection, tenant: i64, key: &RecordKey) -> rusqlite::Result<Option<Record>> {
    let text = format!("SELECT {COLUMNS} FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3");
    connection
        .prepare_cached(&text)?
        .query_row(params![tenant, key.kind, key.id], |row| decode(row, &key.kind))
        .optional()
}

/// Reads a record for somebody outside.
pub(crate) fn read(
    connection: &Connection,
    tenant: &Tenant,
    key: &RecordKey,
) -> rusqlite::Result<RecordRead> {
    // Dropped at the end: nothing was written.
    let _snapshot = connection.unchecked_transaction()?;
    Ok(RecordRead { head: head(connection, tenant)?, record: get(connection, tenant.row, key)? })
}

/// Lists records.
pub(crate) fn list(
    connection: &Connection,
    tenant: &Tenant,
    query: &RecordQuery,
) -> rusqlite::Result<RecordPage> {
    let _snapshot = connection.unchecked_transaction()?;
    let head = head(connection, tenant)?;
    let before = query.before.map_or(i64::MAX, sql);
    let limit = sql(query.limit.max(1) as u64);
    let decode = |row: &Row<'_>| decode(row, &query.kind);
    let records = match &query.tag {
        // CROSS JOIN: the tags lead, so that the order is theirs and nothing is sorted.
        Some(tag) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM record_tags CROSS JOIN records ON records.place = record_tags.place \
                 WHERE record_tags.tenant = ?1 AND record_tags.kind = ?2 AND record_tags.tag = ?3 \
                 AND record_tags.place < ?4 ORDER BY record_tags.place DESC LIMIT ?5"
            ))?
            .query_map(params![tenant.row, query.kind, tag, before, limit], decode)?
            .collect::<rusqlite::Result<_>>()?,
        None => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM records WHERE tenant = ?1 AND kind = ?2 AND place < ?3 \
                 ORDER BY place DESC LIMIT ?4"
            ))?
            .query_map(params![tenant.row, query.kind, before, limit], decode)?
            .collect::<rusqlite::Result<_>>()?,
    };
    Ok(RecordPage { records, head })
}

/// The head of the snapshot, under this run's lineage.
fn head(connection: &Connection, tenant: &Tenant) -> rusqlite::Result<Cursor> {
    let head = connection
        .prepare_cached("SELECT head FROM tenants WHERE id = ?1")?
        .query_row([tenant.row], |row| row.get(0).map(seq))?;
    // Whatever this reader is given must be known when it comes back with it.
    tenant.saw_head(head);
    Ok(tenant.runs().at(head, head))
}

/// Writes a record that contains everything up to `at`.
pub(crate) fn write(
    connection: &Connection,
    tenant: i64,
    write: &RecordWrite,
    at: Cursor,
) -> rusqlite::Result<()> {
    match write {
        RecordWrite::Put { key, body, tags } => put(connection, tenant, key, body, tags, at),
        RecordWrite::Delete(key) => delete(connection, tenant, key),
    }
}

/// A record's place and its tags.
fn find(
    connection: &Connection,
    tenant: i64,
    key: &RecordKey,
) -> rusqlite::Result<Option<(i64, Vec<String>)>> {
    connection
        .prepare_cached("SELECT place, tags FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3")?
        .query_row(params![tenant, key.kind, key.id], |row| {
            let tags = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(|error| damaged(1, error))?;
            Ok((row.get(0)?, tags))
        })
        .optional()
}

fn put(
    connection: &Connection,
    tenant: i64,
    key: &RecordKey,
    body: &str,
    tags: &[String],
    at: Cursor,
) -> rusqlite::Result<()> {
    let (at_seq, at_lineage) = (sql(at.seq.0), sql(at.lineage.bits()));
    let text = serde_json::Value::from(tags).to_string();
    let (place, old) = match find(connection, tenant, key)? {
        Some((place, old)) => {
            connection
                .prepare_cached(
                    "UPDATE records SET version = version + 1, body = ?2, tags = ?3, at_seq = ?4, at_lineage = ?5 \
                     WHERE place = ?1",
                )?
                .execute(params![place, body, text, at_seq, at_lineage])?;
            (place, old)
        }
        None => {
            connection
                .prepare_cached(
                    "INSERT INTO records (tenant, kind, id, version, body, tags, at_seq, at_lineage) \
                     VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![tenant, key.kind, key.id, body, text, at_seq, at_lineage])?;
            (connection.last_insert_rowid(), Vec::new())
        }
    };
    for tag in old.iter().filter(|tag| !tags.contains(tag)) {
        untag(connection, tenant, &key.kind, tag, place)?;
    }
    for tag in tags.iter().filter(|tag| !old.contains(tag)) {
        connection
            .prepare_cached(
                "INSERT INTO record_tags (tenant, kind, tag, place) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![tenant, key.kind, tag, place])?;
    }
    Ok(())
}

fn delete(connection: &Connection, tenant: i64, key: &RecordKey) -> rusqlite::Result<()> {
    let Some((place, tags)) = find(connection, tenant, key)? else { return Ok(()) };
    for tag in &tags {
        untag(connection, tenant, &key.kind, tag, place)?;
    }
    connection.prepare_cached("DELETE FROM records WHERE place = ?1")?.execute([place])?;
    Ok(())
}

fn untag(connection: &Connection, tenant: i64, kind: &str, tag: &str, place: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM record_tags WHERE tenant = ?1 AND kind = ?2 AND tag = ?3 AND place = ?4",
        )?
        .execute(params![tenant, kind, tag, place])?;
    Ok(())
}
