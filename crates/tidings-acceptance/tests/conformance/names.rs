//! The words in a case that stand for something, bound to what the server says first.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

/// The name of a text that is a placeholder as a whole.
fn name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('<')?.strip_suffix('>')?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b' ';
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

impl Names {
    /// Binds a name, or finds that it stands for something else. Cursors are ordered as their numbers are.
    pub(crate) fn bind(&mut self, placeholder: &str, found: &str) -> Result<(), String> {
        let name = name(placeholder).ok_or_else(|| format!("{placeholder} is no placeholder"))?;
        if let Some(known) = self.0.get(name) {
            let is_same = known == found;
            return is_same.then_some(()).ok_or_else(|| format!("<{name}> is {known}, found {found}"));
        }
        if let Ok(number) = name.parse::<u64>() {
            let order = |cursor: &str| cursor.chars().take(13).collect::<String>();
            for (other, known) in &self.0 {
                let Ok(other) = other.parse::<u64>() else { continue };
                if number.cmp(&other) != order(found).cmp(&order(known)) {
                    return Err(format!(
                        "<{name}> is {found}, which is out of order with <{other}>, {known}"
                    ));
                }
            }
        }
        self.0.insert(name.to_owned(), found.to_owned());
        Ok(())
    }

    /// Puts what is known in the place of `<name>`.
    pub(crate) fn fill_text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
    }

    /// The same for every text in it.
    pub(crate) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text).into(),
            Value::Array(values) => values.iter().map(|value| self.fill(value)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// Compares, and binds what is new. Of a problem only the members that are named count, and `after` may be any number.
    pub(crate) fn matches(&mut self, expected: &Value, found: &Value) -> Result<(), String> {
        let differ = || format!("expected {expected}, found {found}");
        match (expected, found) {
            (Value::String(expected), Value::String(text)) if name(expected).is_some() => {
                self.bind(expected, text)
            }
            (Value::Array(expected), Value::Array(values)) if expected.len() == values.len() => {
                expected.iter().zip(values).try_for_each(|(expected, found)| self.matches(expected, found))
            }
            (Value::Object(expected), Value::Object(members)) => {
                let is_part = expected.contains_key("code") && !expected.contains_key("channel");
                if !is_part && expected.len() != members.len() {
                    return Err(differ());
                }
                for (name, expected) in expected {
                    let found = members.get(name).ok_or_else(differ)?;
                    if !(name == "after" && expected.is_number() && found.is_number()) {
                        self.matches(expected, found)?;
                    }
                }
                Ok(())
            }
            (expected, found) if expected == found => Ok(()),
            _ => Err(differ()),
        }
    }
}

/// Data as it stands there, but for what is too long to stand there: `{"repeat", "times", "before"?}`.
pub(crate) fn long(value: &Value) -> Value {
    match (value["repeat"].as_str(), value["times"].as_u64()) {
        (Some(text), Some(times)) => {
            let before = value["before"].as_str().unwrap_or_default();
            format!("{before}{}", text.repeat(usize::try_from(times).unwrap())).into()
        }
        _ => value.clone(),
    }
}
