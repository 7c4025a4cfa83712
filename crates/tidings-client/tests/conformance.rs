//! The cases of `conformance/`, with the subscriber on the one side and a server that says what a case says on the other;
//! and the proof that each case can fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance {
    pub(crate) mod arrivals;
    pub(crate) mod cases;
    pub(crate) mod follower;
    pub(crate) mod mutants;
    pub(crate) mod play;
    pub(crate) mod tables;
    pub(crate) mod words;
}

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use conformance::cases::{Case, all_cases, table};
use conformance::mutants::mutants_of;
use conformance::play::play;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What this client can do, of what cases may need.
const ABILITIES: [&str; 4] = ["renewal", "change", "snapshot", "again"];

/// What this client does otherwise than a case says, and why that is so. One that holds again fails here: take it out.
const OTHERWISE: &[(&str, &str)] = &[
    ("a cut while a channel catches up adds it again from where it was to begin", FURTHER),
    ("an end while a channel catches up adds it again from where it was to begin", FURTHER),
];

const FURTHER: &str = "the channel is added again after the last event that it was given, not with the `since` it was asked with";

const LIMIT: Duration = Duration::from_secs(10);
/// So many are played at once.
const LANES: usize = 24;

fn is_otherwise(case: &Case) -> bool {
    OTHERWISE.iter().any(|(name, _)| *name == case.name)
}

fn played() -> Vec<Case> {
    let is_played = |case: &Case| {
        let can = case.needs.iter().all(|need| ABILITIES.contains(&need.as_str()));
        can && case.is_for("clients") && case.over.iter().any(|over| over == "sse")
    };
    all_cases().into_iter().filter(is_played).collect()
}

/// Plays all of them, and says what came of each.
async fn play_all(cases: Vec<(Case, String)>, limit: Duration) -> Vec<(Case, String, Result<(), String>)> {
    let (lanes, mut plays) = (Arc::new(Semaphore::new(LANES)), JoinSet::new());
    for (case, what) in cases {
        let lanes = lanes.clone();
        plays.spawn(async move {
            let _lane = lanes.acquire().await.unwrap();
            let outcome = play(&case, limit).await;
            (case, what, outcome)
        });
    }
    plays.join_all().await
}

fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "    {line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_exchange_holds() {
    let cases: Vec<_> = played().into_iter().map(|case| (case, String::new())).collect();
    let count = cases.len();
    let mut wrong = Vec::new();
    for (case, _, outcome) in play_all(cases, LIMIT).await {
        match (outcome, is_otherwise(&case)) {
            (Err(why), false) => wrong.push(format!("{}: {}: {why}", case.file, case.name)),
            (Ok(()), true) => wrong.push(format!("{} holds: take it out of OTHERWISE", case.name)),
            (Ok(()), false) | (Err(_), true) => {}
        }
    }
    report(&format!("{count} exchanges, {} of them otherwise", OTHERWISE.len()));
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 70, "only {count} cases are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_does_what_the_table_says() {
    let rows = table("errors")["rows"].as_array().unwrap().clone();
    let cases: Vec<_> = rows.iter().filter_map(refusal).map(|case| (case, String::new())).collect();
    assert!(cases.len() > 30);
    let outcomes = play_all(cases, LIMIT).await;
    let wrong: Vec<String> = outcomes
        .into_iter()
        .filter_map(|(case, _, outcome)| Some(format!("{}: {}", case.name, outcome.err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_can_fail() {
    let mut rows = table("errors")["rows"].as_array().unwrap().clone();
    for row in &mut rows {
        let other = match row["client"].as_str().unwrap() {
            "again" => "stops",
            "stops" | "renews" => "again",
            open => open,
        };
        row["client"] = other.into();
    }
    let cases: Vec<_> = rows.iter().filter_map(refusal).map(|case| (case, String::new())).collect();
    assert!(cases.len() > 30);
    let outcomes = play_all(cases, Duration::from_secs(1)).await;
    let passed: Vec<String> =
        outcomes.into_iter().filter(|(_, _, outcome)| outcome.is_ok()).map(|(case, ..)| case.name).collect();
    assert!(passed.is_empty(), "{passed:?}");
}

fn ready() -> Value {
    let data = json!({"session": "<s1>", "resumed": false, "channels": ["a"], "head": "<0>"});
    json!({"id": "<0>", "event": "$ready", "data": data})
}

/// The exchange that a row of the table of codes stands for; none where the protocol leaves open what a client does.
fn refusal(row: &Value) -> Option<Case> {
    let mut refuse = json!({"code": row["code"], "status": row["status"]});
    for member in ["at", "retryAfter"] {
        if let Some(value) = row.get(member) {
            refuse[member] = value.clone();
        }
    }
    let opened = json!({"channels": ["a"], "since": "start"});
    let mut steps = vec![json!({"follow": opened})];
    if row["client"] == "renews" {
        // The first credential is a fresh one to some clients: it must have opened a stream before.
        steps.extend([json!({"open": opened}), json!({"say": [ready()]})]);
        steps.extend([json!({"state": "connected"}), json!({"cut": true})]);
        steps.push(
            json!({"open": {"channels": ["a"], "since": "<0>", "credential": "first"}, "refuse": refuse}),
        );
        steps.push(json!({"open": {"channels": ["a"], "since": "<0>", "credential": "second"}}));
    } else {
        steps.push(json!({"open": opened, "refuse": refuse}));
    }
    match row["client"].as_str()? {
        "again" => steps.push(json!({"open": opened, "most": 5000})),
        "stops" => {
            if row.get("at").is_some() {
                steps.push(json!({"told": [{"refused": {"channel": "a", "code": row["code"]}}]}));
            }
            steps.push(json!({"quiet": 200}));
        }
        "renews" => {}
        _ => return None,
    }
    let client = json!({"renews": row["client"] == "renews"});
    let case = json!({"name": row["code"], "client": client, "steps": steps});
    Some(Case::read("errors.json", &case))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_case_can_fail() {
    let mut mutants = Vec::new();
    for case in played() {
        let found = mutants_of(&case);
        assert!(!found.is_empty(), "{} has nothing that can be made wrong", case.name);
        mutants.extend(found);
    }
    let count = mutants.len();
    let outcomes = play_all(mutants, Duration::from_millis(400)).await;
    let passed: Vec<String> = outcomes
        .into_iter()
        .filter(|(case, _, outcome)| outcome.is_ok() && !is_otherwise(case))
        .map(|(case, what, _)| format!("{}: {what}", case.name))
        .collect();
    report(&format!("{count} mutants, of which {} passed", passed.len()));
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}
