//! An event as a row of `events`, and back.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Result, Row, params};
use serde_json::value::RawValue;
use tidings_protocol::publish::Fingerprint;
use tidings_protocol::time::Timestamp;
use tidings_protocol::{ChannelName, Cursor, Event, Filter, Lineage, Pattern, Seq};

/// The columns that [`decode`] reads, in its order.
pub(crate) const COLUMNS: &str = "seq, lineage, time, channel, also, type, category, conflation_key, actor, version, \
                                  mutation_id, terminal, data";

/// A number as SQL holds it. Numbers stay below 2^63 ([`Seq::MAX`]).
pub(crate) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from SQL; what is negative was never written by us and counts as 0.
pub(crate) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A sequence number from SQL.
pub(crate) fn seq(value: i64) -> Seq {
    Seq(number(value))
}

/// A lineage from SQL.
pub(crate) fn lineage(value: i64) -> Lineage {
    Lineage::from_bits(number(value))
}

/// Stores an event.
pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    event: &Event,
    key: Option<(&str, Fingerprint)>,
) -> Result<()> {
    let also = (!event.also.is_empty())
        .then(|| event.also.iter().map(ChannelName::as_str).collect::<Vec<_>>().join(" "));
    let mut statement = connection.prepare_cached(
        "INSERT INTO events (tenant, seq, lineage, time, channel, also, type, category, conflation_key, actor, version, \
         mutation_id, terminal, data, idempotency_key, fingerprint) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        tenant,
        sql(event.id.seq.0),
        sql(event.id.lineage.bits()),
        event.time.0,
        event.channel.as_str(),
        also,
        event.kind.as_str(),
        event.category.as_ref().map(|category| category.as_str()),
        event.key.as_deref(),
        event.actor.as_deref(),
        event.version.map(sql),
        event.mutation_id.as_deref(),
        event.terminal,
        event.data.get(),
        key.map(|(key, _)| key),
        key.map(|(_, fingerprint)| fingerprint.0),
    ])?;
    Ok(())
}

/// The names in `also`.
pub(crate) fn also<'a>(row: &'a Row<'_>, column: usize) -> Result<std::str::SplitAsciiWhitespace<'a>> {
    Ok(text(row, column)?.unwrap_or_default().split_ascii_whitespace())
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>> {
    let value = row.get_ref(column)?;
    if value == ValueRef::Null {
        return Ok(None);
    }
    value.as_str().map(Some).map_err(|error| damaged(column, error))
}

fn required<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str> {
    Ok(text(row, column)?.unwrap_or_default())
}

/// What stands in the file is not what we wrote.
pub(crate) fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn parsed<T: std::str::FromStr>(column: usize, text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| damaged(column, error))
}

/// Whether a pattern takes in the channel of this name.
pub(crate) fn takes_in(pattern: &Pattern, name: &str) -> bool {
    match pattern {
        Pattern::Exact(channel) => channel.as_str() == name,
        Pattern::Prefix(prefix) => name.starts_with(&**prefix),
        Pattern::All => true,
    }
}

/// Whether the row's event is wanted: what [`Filter::selects`] says of it.
pub(crate) fn is_wanted(row: &Row<'_>, filter: &Filter) -> Result<bool> {
    if filter.is_open() || filter.terminal && row.get(11)? {
        return Ok(true);
    }
    let kind = required(row, 5)?;
    let category = text(row, 6)?;
    let of_type = filter.types.is_empty() || filter.types.iter().any(|wanted| wanted.as_str() == kind);
    let of_category = filter.categories.is_empty()
        || category
            .is_some_and(|category| filter.categories.iter().any(|wanted| wanted.as_str() == category));
    Ok(of_type && of_category)
}

/// The channel of a row, and those further.
pub(crate) fn names<'a>(row: &'a Row<'_>) -> Result<impl Iterator<Item = &'a str>> {
    Ok(std::iter::once(required(row, 3)?).chain(also(row, 4)?))
}

/// How many bytes of data the row has.
pub(crate) fn size(row: &Row<'_>) -> Result<usize> {
    Ok(required(row, 12)?.len())
}

/// The event of a row of [`COLUMNS`].
pub(crate) fn decode(row: &Row<'_>) -> Result<Event> {
    let also: Result<Vec<ChannelName>> = also(row, 4)?.map(|name| parsed(4, name)).collect();
    Ok(Event {
        id: Cursor::new(seq(row.get(0)?), lineage(row.get(1)?)),
        time: Timestamp(row.get(2)?),
        channel: parsed(3, required(row, 3)?)?,
        also: also?.into(),
        kind: parsed(5, required(row, 5)?)?,
        category: text(row, 6)?.map(|text| parsed(6, text)).transpose()?,
        key: text(row, 7)?.map(Into::into),
        actor: text(row, 8)?.map(Into::into),
        version: row.get::<_, Option<i64>>(9)?.map(number),
        mutation_id: text(row, 10)?.map(Into::into),
        terminal: row.get(11)?,
        data: RawValue::from_string(required(row, 12)?.to_owned()).map_err(|error| damaged(12, error))?,
    })
}
