//! The configuration as it was decided, for people and for programs.

use serde_json::{Value, json};

use super::key::{Field, Key};
use super::{Loaded, Origin, Settings, issuers, keys};

/// As a configuration file: every key with its value, and where it came from behind it.
pub(crate) fn text(loaded: &Loaded) -> String {
    let mut out = String::new();
    for group in keys::GROUPS {
        let separator = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{separator}# {}\n", group.title));
        for key in group.keys {
            out.push_str(&line(key, loaded));
        }
    }
    out
}

fn line(key: &Key, loaded: &Loaded) -> String {
    let (name, origin) = (key.name, origin(loaded, key.name));
    match (key.show(&loaded.settings), key.field) {
        (None, _) => format!("# {name} is not set\n"),
        // Not as a value: what is printed may be used as a file.
        (Some(_), Field::Secret(_)) => format!("# {name} is set, and not shown  # {origin}\n"),
        (Some(value), Field::Issuers(place)) => {
            let hidden = issuers::hide_something(place(&mut loaded.settings.clone()));
            let mark = if hidden { "# " } else { "" };
            format!("{mark}{name} = {}  # {origin}\n", inline(&value))
        }
        (Some(value), _) => format!("{name} = {value}  # {origin}\n"),
    }
}

/// The value as TOML in one line. TOML reads JSON's texts and lists, but writes tables in its own way.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let pairs: Vec<String> =
                members.iter().map(|(name, value)| format!("{name} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// As JSON: `{"keys":[{"key","value","source","default","type","variable","meaning"}]}`.
pub(crate) fn json(loaded: &Loaded) -> Value {
    let defaults = Settings::default();
    let row = |key: &Key| {
        json!({
            "key": key.name,
            "value": key.show(&loaded.settings),
            "source": origin(loaded, key.name).to_string(),
            "default": key.show(&defaults),
            "type": key.kind(),
            "variable": key.variable(),
            "meaning": key.meaning,
        })
    };
    json!({"keys": keys::all().map(row).collect::<Vec<_>>()})
}

fn origin(loaded: &Loaded, key: &str) -> Origin {
    loaded.origins.get(key).cloned().unwrap_or(Origin::Default)
}
