//! What an object on the wire looks like, and how that is written in TypeScript.

use std::fmt::Write;

/// What a member's value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// Text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// `true` and nothing else: where it is false the member is left out.
    True,
    /// Any JSON.
    Json,
    /// A type that is declared elsewhere.
    Named(&'static str),
    /// One word.
    Word(&'static str),
    /// An array.
    List(&'static Value),
    /// The value or `null`.
    OrNull(&'static Value),
    /// Text or number.
    TextOrNumber,
}

/// A member: its name, with a `?` where it may be missing, what it is, and what it means.
pub(super) type Member = (&'static str, Value, &'static str);

/// An object.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) members: &'static [Member],
}

/// A type that is a text with a meaning: its name, what it is, and its declaration.
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) is: &'static str,
}

/// Something that can be declared.
pub(super) trait Declared {
    /// The declaration with its comment, after an empty line.
    fn declaration(&self) -> String;
}

impl Declared for Shape {
    fn declaration(&self) -> String {
        let mut text = format!("\n{}export interface {} {{\n", comment("", self.about), self.name);
        for (name, value, about) in self.members {
            let _ = writeln!(text, "{}  readonly {name}: {};", comment("  ", about), value.written());
        }
        text + "}\n"
    }
}

impl Declared for Name {
    fn declaration(&self) -> String {
        format!("\n{}export type {} = {};\n", comment("", self.about), self.name, self.is)
    }
}

/// All declarations, one after the other.
pub(super) fn render_all(all: &[impl Declared]) -> String {
    all.iter().map(Declared::declaration).collect()
}

/// The declaration of the shape with that name; nothing where there is none.
pub(super) fn shape_named(shapes: &[Shape], name: &str) -> String {
    shapes.iter().filter(|shape| shape.name == name).map(Declared::declaration).collect()
}

/// A documentation comment on one line.
pub(super) fn comment(indent: &str, about: &str) -> String {
    format!("{indent}/** {about} */\n")
}

impl Value {
    fn written(self) -> String {
        match self {
            Self::Text => "string".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Flag => "boolean".to_owned(),
            Self::True => "true".to_owned(),
            Self::Json => "unknown".to_owned(),
            Self::Named(name) => name.to_owned(),
            Self::Word(word) => format!("'{word}'"),
            Self::List(of) => match of {
                Self::OrNull(_) | Self::TextOrNumber => format!("readonly ({})[]", of.written()),
                _ => format!("readonly {}[]", of.written()),
            },
            Self::OrNull(of) => format!("{} | null", of.written()),
            Self::TextOrNumber => "string | number".to_owned(),
        }
    }
}

#[cfg(test)]
pub(super) mod check {
    //! Compares a shape with JSON that Rust wrote.

    use serde_json::Value as Json;

    use super::{Shape, Value};

    impl Value {
        fn fits(self, json: &Json) -> bool {
            match self {
                Self::Text => json.is_string(),
                Self::Number => json.is_number(),
                Self::Flag => json.is_boolean(),
                Self::True => *json == Json::Bool(true),
                Self::Json => true,
                // Names stand for texts, objects and lists of either; tests of their own look into the objects.
                Self::Named(_) => json.is_string() || json.is_object(),
                Self::Word(word) => json == word,
                Self::List(of) => json.as_array().is_some_and(|all| all.iter().all(|json| of.fits(json))),
                Self::OrNull(of) => json.is_null() || of.fits(json),
                Self::TextOrNumber => json.is_string() || json.is_number(),
            }
        }
    }

    impl Shape {
        /// Panics where a value has a member that is not described, lacks one that is needed, or has another type; or
        /// where none of the values has a member that is described.
        pub(crate) fn describes(&self, values: &[Json]) {
            let mut seen = std::collections::BTreeSet::new();
            for value in values {
                let object = value.as_object().unwrap_or_else(|| panic!("{}: {value}", self.name));
                for (name, json) in object {
                    let member =
                        self.members.iter().find(|(member, ..)| member.trim_end_matches('?') == name);
                    let (member, kind, _) =
                        member.unwrap_or_else(|| panic!("{}.{name} is not described", self.name));
                    assert!(kind.fits(json), "{}.{name}: {kind:?} does not fit {json}", self.name);
                    seen.insert(*member);
                }
                for (name, ..) in self.members.iter().filter(|(name, ..)| !name.ends_with('?')) {
                    assert!(object.contains_key(*name), "{} without {name}: {value}", self.name);
                }
            }
            for (name, ..) in self.members {
                assert!(seen.contains(name), "{}.{name} never came", self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHAPE: Shape = Shape {
        name: "Thing",
        about: "A thing.",
        members: &[
            ("id", Value::Text, "Its name."),
            ("parts?", Value::List(&Value::OrNull(&Value::Number)), "What it is made of."),
        ],
    };

    #[test]
    fn a_shape_becomes_an_interface() {
        let expected = "\n/** A thing. */\nexport interface Thing {\n  /** Its name. */\n  readonly id: string;\n  \
                        /** What it is made of. */\n  readonly parts?: readonly (number | null)[];\n}\n";
        assert_eq!(SHAPE.declaration(), expected);
    }

    #[test]
    fn a_shape_is_compared_with_values() {
        SHAPE.describes(&[json!({"id": "a"}), json!({"id": "b", "parts": [1, null]})]);
        let differs =
            |values: &[serde_json::Value]| std::panic::catch_unwind(|| SHAPE.describes(values)).is_err();
        assert!(differs(&[json!({"id": "a"})]), "a member that never comes");
        assert!(differs(&[json!({"id": "a", "parts": [], "more": 1})]), "a member too many");
        assert!(differs(&[json!({"parts": []})]), "a member too few");
        assert!(differs(&[json!({"id": 1, "parts": []})]), "another type");
    }
}
