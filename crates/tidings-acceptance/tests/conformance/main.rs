//! The cases of `conformance/`, with the real server on the one side; and the proof that each of them can fail.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../tidings-client/tests/conformance/cases.rs"]
mod cases;
mod errors;
mod exchange;
mod mutants;
mod names;
mod streams;
mod world;

use std::sync::Arc;
use std::time::Duration;

use cases::{Case, all_cases};
use exchange::play;
use mutants::mutants_of;
use tidings_acceptance::report;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

/// A case takes at most so long; heartbeats and lifetimes are among what is waited for.
const LIMIT: Duration = Duration::from_secs(30);
/// So many servers run at once.
const LANES: usize = 6;

/// What a client may need to be able to do: the words of the page on the cases.
const ABILITIES: [&str; 7] = ["again", "change", "parts", "poll", "renewal", "snapshot", "tickets"];

/// A case, the transport that it is played over, and what was made wrong in it.
type Play = (Case, String, String);

fn plays() -> Vec<Play> {
    let cases = all_cases().into_iter().filter(|case| case.is_for("server"));
    let over =
        |case: Case| case.over.clone().into_iter().map(move |over| (case.clone(), over, String::new()));
    cases.flat_map(over).collect()
}

/// Plays all of them, and says what came of each.
async fn play_all(plays: Vec<Play>, limit: Duration) -> Vec<(String, Result<(), String>)> {
    let (lanes, local, mut running) = (Arc::new(Semaphore::new(LANES)), LocalSet::new(), JoinSet::new());
    for (case, over, what) in plays {
        let lanes = lanes.clone();
        running.spawn_local_on(
            async move {
                let _lane = lanes.acquire().await.unwrap();
                let outcome = timeout(limit, play(&case, &over)).await;
                let outcome = outcome.unwrap_or_else(|_| Err(format!("not over after {limit:?}")));
                (format!("{} over {over}: {} {what}", case.file, case.name), outcome)
            },
            &local,
        );
    }
    local.run_until(running.join_all()).await
}

#[test]
fn cases_say_whom_they_are_for_and_why_not_for_all() {
    let page = include_str!("../../../../conformance/README.md");
    for case in all_cases() {
        let is_for_all = case.is_for("server") && case.is_for("clients");
        assert_eq!(
            is_for_all,
            case.text.get("why").is_none(),
            "{}: say why, and only where it is to be said",
            case.name
        );
        for need in &case.needs {
            assert!(ABILITIES.contains(&need.as_str()) && page.contains(&format!("| `{need}` |")), "{need}");
        }
        for verb in case.steps.iter().flat_map(|step| step.as_object().unwrap().keys().next()) {
            assert!(page.contains(&format!("`{verb}`")), "{verb} is not explained");
        }
    }
}

#[tokio::test]
async fn every_exchange_holds() {
    let plays = plays();
    let count = plays.len();
    let outcomes = play_all(plays, LIMIT).await;
    let wrong: Vec<String> = outcomes
        .into_iter()
        .filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?)))
        .collect();
    report(format!("{count} exchanges"));
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 70, "only {count} are left");
}

#[tokio::test]
async fn each_case_can_fail() {
    let mut mutants = Vec::new();
    for (case, over, _) in plays() {
        let found = mutants_of(&case);
        assert!(!found.is_empty(), "{} has nothing that can be made wrong", case.name);
        // One transport is enough: what is compared is the same for all.
        if case.over.first() == Some(&over) {
            mutants.extend(found.into_iter().map(|(mutated, what)| (mutated, over.clone(), what)));
        }
    }
    let count = mutants.len();
    let outcomes = play_all(mutants, Duration::from_secs(8)).await;
    let passed: Vec<String> =
        outcomes.into_iter().filter(|(_, outcome)| outcome.is_ok()).map(|(name, _)| name).collect();
    report(format!("{count} mutants, of which {} passed", passed.len()));
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}
