//! A case with something in it made wrong: the real server must not pass it.

use serde_json::{Value, json};

use crate::cases::Case;

const OTHER: &str = "000000000003V.DHB2KD7";

/// One mutant of each kind, and what was done to it.
pub(crate) fn mutants_of(case: &Case) -> Vec<(Case, String)> {
    let mut mutants: Vec<(Case, String)> = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        for (what, step) in mutations(step, case.steps.get(index + 1)) {
            if mutants.iter().all(|(_, known)| known != what) {
                let mut mutated = case.clone();
                mutated.steps[index] = step;
                mutants.push((mutated, what.to_owned()));
            }
        }
    }
    mutants
}

fn mutations(step: &Value, next: Option<&Value>) -> Vec<(&'static str, Value)> {
    let with = |at: &str, value: Value| {
        let mut step = step.clone();
        *step.pointer_mut(at).unwrap() = value;
        step
    };
    let mut found = Vec::new();
    let since = step["open"]["since"].as_str();
    // A stream without channels begins where it is.
    if since.is_some_and(|since| since.starts_with('<') || since == "start")
        && next.is_some_and(|next| next.get("say").is_some())
    {
        found.push(("another since", with("/open/since", json!(OTHER))));
    }
    if let Some(status) = step["refuse"]["status"].as_u64() {
        found.push(("another status", with("/refuse/status", json!(status + 1))));
        found.push(("another code", with("/refuse/code", json!("another"))));
    }
    if step.get("answer").is_some() && step.get("poll").is_some() {
        found.push(("another cursor", with("/answer/cursor", json!(OTHER))));
    } else if step.get("answer").is_some() {
        found.push(("another answer", with("/answer", json!({"status": 200, "body": {"other": 1}}))));
    }
    let last = step["say"].as_array().and_then(|blocks| Some((blocks.len().checked_sub(1)?, blocks.last()?)));
    if let Some((at, block)) = last.filter(|(_, block)| block.get("heartbeat").is_none()) {
        let id = json!({"id": OTHER, "event": block["event"], "data": block["data"]});
        let other = if block["id"].is_string() { id } else { json!({"event": "$tomorrow", "data": {}}) };
        found.push(("another last block", with(&format!("/say/{at}"), other)));
    }
    found
}
