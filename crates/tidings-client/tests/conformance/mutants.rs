//! A case with something in it made wrong: whoever plays it must notice.

use serde_json::{Value, json};

use super::cases::Case;

const OTHER: &str = "000000000003V.DHB2KD7";

/// Every mutant of a case, and what was done to it.
pub(crate) fn mutants_of(case: &Case) -> Vec<(Case, String)> {
    let mut mutants = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let mut put = |what: &str, step: Value| {
            let mut mutated = case.clone();
            mutated.steps[index] = step;
            mutants.push((mutated, format!("step {}: {what}", index + 1)));
        };
        if step.get("open").is_some() {
            put("another since", with(step, "/open/since", json!(OTHER)));
        }
        if let Some(told @ [.., _]) = step["told"].as_array().map(Vec::as_slice) {
            let gap = json!({"gap": {"reason": "overflow", "channels": ["other"], "through": OTHER}});
            put("something else told", with(step, &format!("/told/{}", told.len() - 1), gap));
        }
        if let Some(state) = step["state"].as_str() {
            put("another state", json!({"state": if state == "closed" { "refused" } else { "closed" }}));
        }
        if let Some(last) = said_once(case, step) {
            let blocks = step["say"].as_array().into_iter().flatten().filter(|block| **block != last);
            put("an event left out", with(step, "/say", blocks.cloned().collect()));
        }
    }
    mutants
}

fn with(step: &Value, at: &str, value: Value) -> Value {
    let mut step = step.clone();
    *step.pointer_mut(at).unwrap() = value;
    step
}

/// The last event that the step says, where nothing else says it.
fn said_once(case: &Case, step: &Value) -> Option<Value> {
    let last = step["say"].as_array()?.iter().rfind(|block| block.is_string())?;
    let said = case.steps.iter().filter_map(|step| step["say"].as_array()).flatten();
    (said.filter(|block| *block == last).count() == 1).then(|| last.clone())
}
