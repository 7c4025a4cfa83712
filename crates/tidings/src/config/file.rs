//! The configuration file: TOML, taken apart into keys with dots.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::raw::{Said, Statement};
use super::{Fault, Origin, Sources};

/// Everything that the file says.
///
/// # Errors
/// The file cannot be read, is not TOML, or holds values of a type that no key has.
pub(crate) fn statements(path: &Path, sources: &dyn Sources) -> Result<Vec<Statement>, Vec<Fault>> {
    let origin = |line| Origin::File { path: path.to_owned(), line };
    let text = sources
        .read(path)
        .map_err(|error| vec![Fault::new(&origin(0), format!("cannot read it: {error}"))])?;
    let line_of = |at: usize| 1 + text.get(..at).map_or(0, |before| before.matches('\n').count());
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(span.start));
        vec![Fault::new(&origin(line), format!("this is not TOML: {}", error.message()))]
    })?;
    let mut found = Found { statements: Vec::new(), faults: Vec::new(), origin: &|at| origin(line_of(at)) };
    found.walk("", table.get_ref());
    if found.faults.is_empty() { Ok(found.statements) } else { Err(found.faults) }
}

struct Found<'a> {
    statements: Vec<Statement>,
    faults: Vec<Fault>,
    origin: &'a dyn Fn(usize) -> Origin,
}

impl Found<'_> {
    fn walk(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            let origin = (self.origin)(key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) => self.walk(&name, inner),
                other => match self.read(other) {
                    Some(said) => self.statements.push(Statement { name, said, origin }),
                    None => self
                        .faults
                        .push(Fault::new(&origin, format!("{name}: no key has a value of this type"))),
                },
            }
        }
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Said> {
        Some(match value {
            DeValue::String(text) => Said::Text(text.to_string()),
            DeValue::Integer(number) => {
                Said::Number(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
            }
            DeValue::Boolean(flag) => Said::Flag(*flag),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                Said::Tables(items.iter().map(|item| self.table(item)).collect::<Option<_>>()?)
            }
            DeValue::Array(items) => Said::List(items.iter().map(text_of).collect::<Option<_>>()?),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => return None,
        })
    }

    /// One table of a list of them.
    fn table(&self, item: &Spanned<DeValue<'_>>) -> Option<Vec<Statement>> {
        let DeValue::Table(table) = item.get_ref() else { return None };
        let statement = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let origin = (self.origin)(key.span().start);
            Some(Statement { name: key.get_ref().to_string(), said: self.read(value.get_ref())?, origin })
        };
        table.iter().map(statement).collect()
    }
}

fn text_of(item: &Spanned<DeValue<'_>>) -> Option<String> {
    match item.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}
