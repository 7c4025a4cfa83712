//! Runs that are matched by a cast's id in their title: only where nobody but who may start them can write it.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::report;
use tokio::time::Instant;

use crate::hub::{Hub, REPOSITORY, Run, payload};

/// From a cast's id, and many words that are none, to a title.
type Title = fn(&str, &str) -> String;

fn titled(run: &Run, event: &str, title: &str, repository: &Value) -> String {
    let mut payload = payload(run, "in_progress", &json!({"event": event, "display_title": title}));
    payload["repository"]["full_name"] = repository.clone();
    payload.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_that_anybody_can_write_names_nothing() {
    let hub = Hub::make().await;
    let ours = json!(REPOSITORY);
    let triggers = [
        "push",
        "pull_request",
        "pull_request_target",
        "issue_comment",
        "issues",
        "release",
        "schedule",
        "fork",
        "workflow_run",
        "workflow_call",
        "merge_group",
        "dynamic",
        "Workflow_Dispatch",
        "workflow_dispatch ",
        "",
    ];
    for event in triggers {
        let run = hub.unbound().await;
        let title = format!("Fix {}", run.cast);
        let hostile = hub.delivery(titled(&run, event, &title, &ours));
        let twin = hub.delivery(titled(&run, "workflow_dispatch", &title, &ours));
        hub.has_no_effect(event, &run, &hostile, 202, &twin).await;
        assert_eq!(hub.state(&hub.north, &run.cast).await.cast["workflowRunId"], run.id.to_string());
    }
    let repositories = [
        json!("evil/octo-repo"),
        json!("octo-org/octo-repo-2"),
        json!("octo-org/octo-rep"),
        json!("octo-org"),
        json!("octo-org/octo-repo/"),
        json!(""),
        json!(null),
        json!(7),
        json!(["octo-org/octo-repo"]),
        json!("octo-org/octo-repo\u{0}"),
        json!("оcto-org/octo-repo"),
    ];
    for repository in &repositories {
        let run = hub.unbound().await;
        let hostile = hub.delivery(titled(&run, "repository_dispatch", &run.cast, repository));
        let twin = hub.delivery(titled(&run, "repository_dispatch", &run.cast, &ours));
        hub.has_no_effect(&repository.to_string(), &run, &hostile, 202, &twin).await;
    }
    report(format!(
        "webhook: titles of {} triggers and {} other repositories matched nothing, their twins did",
        triggers.len(),
        repositories.len()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_matches_by_whole_words_within_bounds_and_only_a_cast_without_a_run() {
    let hub = Hub::make().await;
    let ours = json!(REPOSITORY);
    let many: String = (0..10_000).map(|n| format!("cast_w{n} ")).collect();
    let titles: [(&str, Title); 8] = [
        ("10,000 words before it", |cast, many| format!("{many}{cast}")),
        ("longer than its id", |cast, _| format!("{cast}0 x{cast} {cast}_2")),
        ("cut", |cast, _| cast[..cast.len() - 1].to_owned()),
        ("in capitals", |cast, _| cast.to_uppercase()),
        ("with look-alikes", |cast, _| cast.replacen('c', "с", 1)),
        ("split", |cast, _| cast.replace('_', "_ ")),
        ("nothing", |_, _| String::new()),
        ("a wildcard", |_, _| "cast_* * %".to_owned()),
    ];
    for (name, title) in titles {
        let run = hub.unbound().await;
        let hostile = hub.delivery(titled(&run, "workflow_dispatch", &title(&run.cast, &many), &ours));
        let good = format!("Deploy [{}] now, {many}", run.cast);
        let twin = hub.delivery(titled(&run, "workflow_dispatch", &good, &ours));
        let began = Instant::now();
        hub.has_no_effect(name, &run, &hostile, 202, &twin).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{name}");
    }
    // A cast that has a run is not taken over by another run that names it.
    let bound = hub.bound().await;
    let another = Run { id: 1, ..bound.clone() };
    let hostile = hub.delivery(titled(&another, "workflow_dispatch", &bound.cast, &ours));
    let twin = hub.delivery(titled(&bound, "push", "whatever", &ours));
    hub.has_no_effect("bound", &bound, &hostile, 202, &twin).await;
    // Nor is the south's cast of the same name by a run that the north's secret signed.
    let run = hub.unbound().await;
    let made =
        tidings_acceptance::Call::post("/api/casts", &json!({"id": run.cast, "repository": REPOSITORY}));
    assert_eq!(made.by(&hub.south.key).make(hub.server.address()).await.status, 201);
    let before = hub.state(&hub.south, &run.cast).await;
    hub.deliver(&hub.delivery(titled(&run, "workflow_dispatch", &run.cast, &ours))).await;
    assert_eq!(hub.state(&hub.south, &run.cast).await, before);
    assert_eq!(hub.state(&hub.north, &run.cast).await.cast["status"], "running");
    report(format!("webhook: {} titles that nearly name a cast matched nothing", titles.len() + 2));
}
