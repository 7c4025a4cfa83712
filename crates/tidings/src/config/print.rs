//! The configuration as it was decided, for people and for programs.

use serde_json::{Value, json};

use super::{Loaded, Origin, keys};

/// As a configuration file: every key with its value, and where it came from behind it.
pub(crate) fn text(loaded: &Loaded) -> String {
    let mut out = String::new();
    for group in keys::GROUPS {
        let separator = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{separator}# {}\n", group.title));
        for key in group.keys {
            let origin = origin(loaded, key.name);
            out.push_str(&match key.show(&loaded.settings) {
                Some(value) => format!("{} = {value}  # {origin}\n", key.name),
                None => format!("# {} is not set\n", key.name),
            });
        }
    }
    out
}

/// As JSON: `{"keys":[{"key","value","source"}]}`.
pub(crate) fn json(loaded: &Loaded) -> Value {
    let row = |key: &super::key::Key| {
        json!({
            "key": key.name,
            "value": key.show(&loaded.settings),
            "source": origin(loaded, key.name).to_string(),
        })
    };
    json!({"keys": keys::all().map(row).collect::<Vec<_>>()})
}

fn origin(loaded: &Loaded, key: &str) -> Origin {
    loaded.origins.get(key).cloned().unwrap_or(Origin::Default)
}
