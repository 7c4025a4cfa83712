//! The generated TypeScript of casts against the Rust types that it stands for: their words, the records themselves, and
//! the described schemas, which have tests of their own against what is written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};
use tidings_apps::casts::fields::{Fields, Progress, Repository, RunId};
use tidings_apps::casts::view::FrameName;
use tidings_apps::casts::{Cast, CastId, Casts, CastsConfig, Kind, Status};
use tidings_core::port::users::UserId;
use tidings_protocol::time::Timestamp;
use tidings_server::module::Module;

const CLIENT: &str = include_str!("../../../packages/client/src/wire/casts.generated.ts");
const PUBLISHER: &str = include_str!("../../../packages/publisher/src/generated.ts");

/// The members of an interface: name to whether it may be missing, and its type.
fn members(source: &str, name: &str) -> BTreeMap<String, (bool, String)> {
    let start = format!("export interface {name} {{\n");
    let body = source
        .split_once(&start)
        .unwrap_or_else(|| panic!("no interface {name}"))
        .1
        .split_once("\n}")
        .unwrap()
        .0;
    let lines = body.lines().filter_map(|line| line.trim().strip_prefix("readonly "));
    let member = |line: &str| {
        let (name, kind) = line.trim_end_matches(';').split_once(": ").unwrap();
        (name.trim_end_matches('?').to_owned(), (name.ends_with('?'), kind.to_owned()))
    };
    lines.map(member).collect()
}

/// The words of a union: `| 'a'`, a line each.
fn words(source: &str, name: &str) -> Vec<String> {
    let start = format!("export type {name} =\n");
    let body =
        source.split_once(&start).unwrap_or_else(|| panic!("no type {name}")).1.split_once(';').unwrap().0;
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("| "))
        .map(|word| word.trim_matches('\'').to_owned())
        .collect()
}

fn schemas() -> Map<String, Value> {
    Casts::new(CastsConfig { lifetime: Duration::from_secs(1), github_secret: None }).describe().schemas
}

/// How a schema's value is written in TypeScript.
fn kind_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return match reference.rsplit('/').next().unwrap() {
            "CastId" => "string".to_owned(),
            other => other.to_owned(),
        };
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("'{word}'");
    }
    if schema.get("enum").is_some() {
        return "CastStatus".to_owned();
    }
    if schema["type"] == "array" {
        return format!("readonly {}[]", kind_of(&schema["items"]));
    }
    let names = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let written = names.iter().map(|name| match name.as_str().unwrap() {
        "integer" => "number",
        other => other,
    });
    written.collect::<Vec<_>>().join(" | ")
}

fn assert_same(source: &str, name: &str, schema: &Value) {
    let required: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let described = schema["properties"].as_object().unwrap().iter();
    let described: BTreeMap<String, (bool, String)> = described
        .map(|(name, schema)| (name.clone(), (!required.contains(name.as_str()), kind_of(schema))))
        .collect();
    // Where a member is left out anyway it does not matter whether `null` may stand for it.
    assert_eq!(members(source, name), described, "{name}: change xtask/src/ts_types/casts.rs");
}

#[test]
fn words_are_those_of_the_tables() {
    for source in [CLIENT, PUBLISHER] {
        assert_eq!(words(source, "CastStatus"), Status::ALL.map(Status::name));
        assert_eq!(words(source, "CastEventKind"), Kind::ALL.map(Kind::name));
    }
    let frames: BTreeSet<String> = FrameName::ALL.into_iter().map(|frame| frame.name().to_owned()).collect();
    assert_eq!(members(CLIENT, "CastFrames").into_keys().collect::<BTreeSet<_>>(), frames);
}

#[test]
fn interfaces_are_the_schemas() {
    let schemas = schemas();
    assert_same(CLIENT, "Cast", &schemas["Cast"]);
    assert_same(PUBLISHER, "Cast", &schemas["Cast"]);
    assert_same(CLIENT, "CastList", &schemas["CastList"]);
    assert_same(CLIENT, "CastRefusal", &schemas["CastRefusal"]);
    for (_, (_, frame)) in members(CLIENT, "CastFrames") {
        assert_same(CLIENT, &frame, &schemas[&frame]);
    }
    let told = &schemas["CastEvent"]["properties"]["data"]["anyOf"][0];
    assert_same(CLIENT, "CastFields", told);
    assert_same(PUBLISHER, "CastFields", told);
}

#[test]
fn records_are_as_the_interface_says() {
    let bare = Cast::new(CastId::new("c").unwrap(), UserId::new("u").unwrap(), Timestamp(0));
    let fields = Fields {
        progress: Progress::new(5.0),
        message: Some("m".into()),
        started_at: Some(Timestamp(1)),
        finished_at: Some(Timestamp(2)),
        duration: Some(1),
        cost_cents: Some(2),
        artifact_url: Some("https://x.example/a".into()),
        error_message: Some("e".into()),
        repository: Repository::new("a/b"),
        workflow_run_id: RunId::new("7"),
    };
    let full = bare.clone().with(&fields);
    let declared = members(CLIENT, "Cast");
    let members_of = |cast: &Cast| {
        let shown: Map<String, Value> = serde_json::from_str(cast.to_raw().get()).unwrap();
        for (name, value) in &shown {
            let (_, kind) = &declared[name];
            let fits = match value {
                Value::Null => kind.ends_with("| null"),
                Value::Number(_) => kind.starts_with("number"),
                _ => kind.starts_with("string") || kind == "CastStatus",
            };
            assert!(fits, "{name}: {kind} is {value}");
        }
        shown.into_iter().map(|(name, _)| name).collect::<BTreeSet<String>>()
    };
    assert_eq!(members_of(&full), declared.keys().cloned().collect());
    let needed = declared.iter().filter(|(_, (optional, _))| !optional).map(|(name, _)| name.clone());
    assert_eq!(members_of(&bare), needed.collect());
}
