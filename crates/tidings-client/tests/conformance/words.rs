//! The words in a case that stand for something, as a runner fills them that plays the server.

use std::collections::HashMap;

use serde_json::{Map, Value};

const TIME: &str = "2026-11-21T10:00:00.000Z";
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// The cursor of a number.
fn cursor(number: u64) -> String {
    let digits: String =
        (0..13).rev().map(|place| char::from(DIGITS[(number >> (place * 5) & 31) as usize])).collect();
    format!("{digits}.DHB2KD7")
}

fn word(name: &str, elsewhere: &str) -> Option<String> {
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b' ') {
        return None;
    }
    Some(match name.parse() {
        Ok(number) => cursor(number),
        Err(_) if name.starts_with("time") => TIME.to_owned(),
        Err(_) if name == "elsewhere" => elsewhere.to_owned(),
        Err(_) => name.replace(' ', "-"),
    })
}

/// A text with its placeholders filled.
pub(crate) fn fill_text(text: &str, elsewhere: &str) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some(start) = rest.find('<') {
        let found = rest[start..].find('>').and_then(|end| {
            let filled = word(&rest[start + 1..start + end], elsewhere)?;
            Some((filled, start + end + 1))
        });
        let (with, end) = found.unwrap_or_else(|| ("<".to_owned(), start + 1));
        filled.push_str(&rest[..start]);
        filled.push_str(&with);
        rest = &rest[end..];
    }
    filled + rest
}

/// The same for every text in it.
pub(crate) fn fill(value: &Value, elsewhere: &str) -> Value {
    match value {
        Value::String(text) => fill_text(text, elsewhere).into(),
        Value::Array(values) => values.iter().map(|value| fill(value, elsewhere)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill(value, elsewhere))).collect()
        }
        other => other.clone(),
    }
}

/// Data as it stands there, but for what is too long to stand there.
fn data(value: &Value) -> Value {
    match (value["repeat"].as_str(), value["times"].as_u64()) {
        (Some(text), Some(times)) => text.repeat(usize::try_from(times).unwrap()).into(),
        _ => value.clone(),
    }
}

/// The events of a case by their placeholders, as a stream gives them.
pub(crate) fn events(steps: &[Value]) -> HashMap<String, Value> {
    let published =
        steps.iter().filter_map(|step| Some((step["as"].as_str()?, step["publish"].as_object()?)));
    let event = |(name, members): (&str, &Map<String, Value>)| {
        let mut event = members.clone();
        event.remove("key");
        event.insert("data".to_owned(), data(&members["data"]));
        event.insert("id".to_owned(), fill_text(name, "").into());
        event.insert("time".to_owned(), TIME.into());
        (name.to_owned(), Value::Object(event))
    };
    published.map(event).collect()
}
