//! Records of the apps.

use rusqlite::{Connection, OptionalExtension, params};
use tidings_core::port::store::{Record, RecordKey, RecordWrite};
use tidings_protocol::Cursor;

use crate::row::{lineage, number, seq, sql};

/// Reads a record.
pub(crate) fn get(connection: &Connection, tenant: i64, key: &RecordKey) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(
            "SELECT version, body, at_seq, at_lineage FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
        )?
        .query_row(params![tenant, key.kind, key.id], |row| {
            Ok(Record {
                key: key.clone(),
                version: number(row.get(0)?),
                body: row.get(1)?,
                at: Cursor::new(seq(row.get(2)?), lineage(row.get(3)?)),
            })
        })
        .optional()
}

/// Writes a record that contains everything up to `at`.
pub(crate) fn write(
    connection: &Connection,
    tenant: i64,
    write: &RecordWrite,
    at: Cursor,
) -> rusqlite::Result<()> {
    match write {
        RecordWrite::Put { key, body } => connection
            .prepare_cached(
                "INSERT INTO records (tenant, kind, id, version, body, at_seq, at_lineage) \
                 VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6) ON CONFLICT (tenant, kind, id) DO UPDATE SET \
                 version = version + 1, body = excluded.body, at_seq = excluded.at_seq, at_lineage = excluded.at_lineage",
            )?
            .execute(params![tenant, key.kind, key.id, body, sql(at.seq.0), sql(at.lineage.bits())])?,
        RecordWrite::Delete(key) => connection
            .prepare_cached("DELETE FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![tenant, key.kind, key.id])?,
    };
    Ok(())
}
