//! A table that is one of a list: its members are read by name, and each fault says which table and which member.

use super::raw::{Said, Statement};
use super::{Fault, Origin};

/// A member that such a table may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// Whether there is nothing in its place.
    pub(crate) needed: bool,
    pub(crate) meaning: &'static str,
}

/// A member without which there is nothing.
pub(crate) const fn needed(name: &'static str, meaning: &'static str) -> Member {
    Member { name, needed: true, meaning }
}

/// A member that may be left out.
pub(crate) const fn optional(name: &'static str, meaning: &'static str) -> Member {
    Member { name, needed: false, meaning }
}

/// The members of one table that were not read yet.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    place: String,
    origin: Origin,
    said: Vec<Statement>,
    known: &'static [Member],
    faults: &'a mut Vec<Fault>,
}

impl<'a> Members<'a> {
    /// Of a table whose place is, e.g., `auth.issuers[0]`. What `known` does not name is a fault.
    pub(crate) fn of(
        place: String,
        table: &[Statement],
        list: &Origin,
        known: &'static [Member],
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        let origin = table.iter().map(|statement| &statement.origin).min().unwrap_or(list).clone();
        let names: Vec<&str> = known.iter().map(|member| member.name).collect();
        for statement in table.iter().filter(|statement| !names.contains(&statement.name.as_str())) {
            let hint = match super::nearest::nearest(&statement.name, &names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", names.join(", ")),
            };
            faults.push(Fault::new(
                &statement.origin,
                format!("{place} has no \"{}\"; {hint}", statement.name),
            ));
        }
        Self { place, origin, said: table.to_vec(), known, faults }
    }

    /// Where the table stands.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// For tables within it.
    pub(crate) fn faults(&mut self) -> &mut Vec<Fault> {
        self.faults
    }

    /// A member as it was said, with its place's name and its origin.
    pub(crate) fn take(&self, name: &str) -> Option<(String, Said, Origin)> {
        let found = self.said.iter().rfind(|statement| statement.name == name)?;
        Some((format!("{}.{name}", self.place), found.said.clone(), found.origin.clone()))
    }

    /// Reads a member; `None` where it is not there or cannot be read. That a needed one is not there is a fault.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Said) -> Result<T, String>,
    ) -> Option<T> {
        let Some((_, said, _)) = self.take(name) else {
            let needed = self.known.iter().find(|member| member.name == name && member.needed)?;
            return self.missing(name, needed.meaning);
        };
        match read(&said) {
            Ok(value) => Some(value),
            Err(why) => self.fault(name, &why),
        }
    }

    /// Something is wrong with a member.
    pub(crate) fn fault<T>(&mut self, name: &str, why: &str) -> Option<T> {
        let origin = self.take(name).map_or_else(|| self.origin.clone(), |(_, _, origin)| origin);
        self.faults.push(Fault::new(&origin, format!("{}.{name}: {why}", self.place)));
        None
    }

    /// A member is not there.
    pub(crate) fn missing<T>(&mut self, name: &str, what_to_do: &str) -> Option<T> {
        self.faults.push(Fault::new(&self.origin, format!("{}.{name} is missing: {what_to_do}", self.place)));
        None
    }
}

/// The tables of a list; a text, as a variable has it, is taken for JSON.
///
/// # Errors
/// A sentence that says how such a list is written.
pub(crate) fn tables(said: &Said, origin: &Origin) -> Result<Vec<Vec<Statement>>, String> {
    let how = "a list of tables is needed here; in a variable, a JSON array of objects";
    match said {
        Said::Tables(tables) => Ok(tables.clone()),
        Said::List(list) if list.is_empty() => Ok(Vec::new()),
        Said::Text(text) => {
            let value = serde_json::from_str(text).map_err(|error| format!("{how}: {error}"))?;
            match of_json(&value, origin) {
                Some(Said::Tables(tables)) => Ok(tables),
                Some(Said::List(list)) if list.is_empty() => Ok(Vec::new()),
                _ => Err(how.to_owned()),
            }
        }
        _ => Err(how.to_owned()),
    }
}

fn of_json(value: &serde_json::Value, origin: &Origin) -> Option<Said> {
    use serde_json::Value;
    Some(match value {
        Value::String(text) => Said::Text(text.clone()),
        Value::Bool(flag) => Said::Flag(*flag),
        Value::Number(number) => Said::Number(number.as_i64()?),
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            let table = |item: &Value| {
                let statement = |(name, value): (&String, &Value)| {
                    let said = of_json(value, origin)?;
                    Some(Statement { name: name.clone(), said, origin: origin.clone() })
                };
                item.as_object()?.iter().map(statement).collect()
            };
            Said::Tables(items.iter().map(table).collect::<Option<_>>()?)
        }
        Value::Array(items) => {
            Said::List(items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?)
        }
        Value::Null | Value::Object(_) => return None,
    })
}
