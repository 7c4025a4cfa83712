//! Deliveries that are signed, and say nothing that is understood, or nothing of a run's course: 202, and no effect.

use serde_json::{Value, json};
use tidings_acceptance::{Call, report};

use crate::hub::{Hub, Run, completed, in_progress, of_event, payload};

fn bodies(run: &Run) -> Vec<(&'static str, Vec<u8>)> {
    let text = in_progress(run);
    let with = |changes: Value| payload(run, "in_progress", &changes).to_string().into_bytes();
    let action = |action: Value| {
        let mut payload = payload(run, "in_progress", &json!({}));
        payload["action"] = action;
        payload.to_string().into_bytes()
    };
    let run_is = |run_is: Value| {
        let mut payload = payload(run, "in_progress", &json!({}));
        payload["workflow_run"] = run_is;
        payload.to_string().into_bytes()
    };
    let form = format!("payload={}", text.replace('"', "%22").replace(' ', "+"));
    vec![
        ("no JSON", b"hello".to_vec()),
        ("nothing", Vec::new()),
        ("an array", format!("[{text}]").into_bytes()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("a text", json!(text).to_string().into_bytes()),
        ("cut", text.as_bytes()[..text.len() - 1].to_vec()),
        ("followed by more", format!("{text}{text}").into_bytes()),
        ("with a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("in UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (
            "no UTF-8",
            text.replacen("in_progress", "in_pro\u{1}gress", 1)
                .into_bytes()
                .into_iter()
                .map(|byte| if byte == 1 { 0xff } else { byte })
                .collect(),
        ),
        ("with single quotes", text.replace('"', "'").into_bytes()),
        ("with a trailing comma", format!("{},}}", &text[..text.len() - 1]).into_bytes()),
        ("nested deeply", format!("{{\"a\":{}", "[".repeat(200_000)).into_bytes()),
        ("as a form", form.into_bytes()),
        ("two runs", format!("{},\"workflow_run\":{{\"id\":1}}}}", &text[..text.len() - 1]).into_bytes()),
        ("two actions", format!("{{\"action\":\"requested\",{}", &text[1..]).into_bytes()),
        ("no run", run_is(Value::Null)),
        ("a run that is a number", run_is(json!(run.id))),
        ("a list of runs", run_is(json!([{"id": run.id}]))),
        ("a run without id", run_is(json!({"event": "workflow_dispatch"}))),
        ("a run's id as text", with(json!({"id": run.id.to_string()}))),
        ("a run's id with a fraction", with(json!({"id": run.id as f64 + 0.5}))),
        ("a run's id below zero", with(json!({"id": -1}))),
        (
            "a run's id beyond every number",
            text.replacen(&run.id.to_string(), &format!("{}{}", run.id, "0".repeat(30)), 1).into_bytes(),
        ),
        ("another run", with(json!({"id": 1}))),
        (
            "a workflow's id for the run's",
            with(json!({"id": 2, "workflow_id": run.id, "check_suite_id": run.id, "run_number": run.id})),
        ),
        ("no action", action(Value::Null)),
        ("an action that is a number", action(json!(1))),
        ("an unknown action", action(json!("rerequested"))),
        ("an action in capitals", action(json!("IN_PROGRESS"))),
        ("an action with a space", action(json!("in_progress "))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_understood_changes_nothing() {
    let hub = Hub::make().await;
    let count = bodies(&Run { cast: String::new(), id: 7 }).len();
    for index in 0..count {
        let run = hub.bound().await;
        let (name, body) = bodies(&run).swap_remove(index);
        hub.has_no_effect(name, &run, &hub.delivery(body), 202, &hub.delivery(in_progress(&run))).await;
    }
    report(format!(
        "webhook: {count} bodies that say nothing, answered 202 without effect, each with a twin"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_events_change_nothing() {
    let hub = Hub::make().await;
    let events = [
        "push",
        "pull_request",
        "ping",
        "workflow_job",
        "workflow_dispatch",
        "check_run",
        "check_suite",
        "repository_dispatch",
        "deployment_status",
        "Workflow_Run",
        "WORKFLOW_RUN",
        "workflow_run,push",
        "workflow_run workflow_run",
        "workflow_runs",
        "workflow-run",
        "\"workflow_run\"",
        "*",
        "",
    ];
    for event in events {
        let run = hub.bound().await;
        for body in [in_progress(&run), completed(&run, &json!("success"), 1)] {
            let other = of_event(&hub, event, &body);
            let before = hub.state(&hub.north, &run.cast).await;
            hub.deliver(&other).await;
            assert_eq!(hub.state(&hub.north, &run.cast).await, before, "{event:?}");
        }
        let twin = of_event(&hub, "workflow_run", in_progress(&run));
        hub.has_no_effect(event, &run, &of_event(&hub, event, "{}"), 202, &twin).await;
    }
    report(format!("webhook: {} other events, answered 202 without effect", events.len()));
}

#[tokio::test]
async fn what_the_headers_say_of_the_body_does_not_matter() {
    let hub = Hub::make().await;
    let kinds = [
        "text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ];
    for kind in kinds {
        let run = hub.bound().await;
        let call: Call = hub.delivery(in_progress(&run)).line(format!("content-type: {kind}"));
        hub.deliver(&call).await;
        assert_eq!(hub.state(&hub.north, &run.cast).await.cast["status"], "running", "{kind}");
    }
    report(format!("webhook: {} content types, and the body is JSON under each", kinds.len()));
    // Nor do members that nobody knows, however deep they are.
    let run = hub.bound().await;
    let deep = format!("{{\"a\":{}{},{}", "[".repeat(50_000), "]".repeat(50_000), &in_progress(&run)[1..]);
    hub.deliver(&hub.delivery(deep)).await;
    assert_eq!(hub.state(&hub.north, &run.cast).await.cast["status"], "running");
}
