//! The table of codes: each code that can be had is had from the real server.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::http::{Answer, Connection, request};
use tidings_acceptance::{Frames, Target, report, within};
use tidings_protocol::{EndReason, ErrorCode};

use crate::cases::{all_cases, table};
use crate::names::long;
use crate::world::World;

async fn send(target: &Target, asked: &Value) -> Answer {
    let path = long(&asked["path"]);
    let lines = asked["headers"].as_object().into_iter().flatten();
    let lines: String =
        lines.map(|(name, value)| format!("{name}: {}\r\n", long(value).as_str().unwrap())).collect();
    let body = asked.get("body").map(|body| match body {
        Value::String(text) => text.clone(),
        body => {
            let mut body = body.clone();
            if body.get("data").is_some() {
                body["data"] = long(&body["data"]);
            }
            body.to_string()
        }
    });
    let close = if lines.contains("connection:") { "" } else { "connection: close\r\n" };
    let lines = format!("{close}{lines}");
    let method = asked["method"].as_str().unwrap();
    let text = request(target, method, path.as_str().unwrap(), &lines, body.as_deref());
    Connection::open(target.address).await.unwrap().exchange(&text).await.unwrap()
}

/// What the server answers to the request of a row.
async fn answer(row: &Value) -> Answer {
    let server = &row["server"];
    let mut case = json!({"server": server["server"]});
    if let Some(grants) = server.get("grants") {
        case["server_grants"] = grants.clone();
    }
    if server["user"] == true {
        case["server_credential"] = "user session".into();
    }
    let world = World::of(&case).await;
    for before in server["before"].as_array().into_iter().flatten() {
        send(&world.first, before).await;
    }
    let _held = match server["stream"] == true {
        true => Some(Frames::open(&world.first, "/v1/events?channel=a", "").await.unwrap()),
        false => None,
    };
    let asked = &server["request"];
    let target = match asked["path"].as_str() {
        Some(path) if path.contains("ticket=") => world.target(Some("")),
        _ => world.target(asked["credential"].as_str()),
    };
    send(&target, asked).await
}

fn judge(row: &Value, answer: &Answer) -> Result<(), String> {
    let found = answer.json();
    let told = format!("{}: answered was {} {found}", row["code"], answer.status());
    if row["status"] != answer.status() {
        return Err(told);
    }
    if row["server"]["bare"] == true {
        return Ok(());
    }
    let is_problem = answer.head.header("content-type") == Some("application/problem+json");
    let has_after = row["server"]["retryAfter"] != true || answer.head.header("retry-after").is_some();
    let at = row["server"].get("at").is_none_or(|at| *at == found["at"]);
    let is_whole =
        found["status"] == row["status"] && found["title"].is_string() && found["detail"].is_string();
    let holds = is_problem && has_after && at && is_whole && found["code"] == row["code"];
    if holds { Ok(()) } else { Err(told) }
}

#[tokio::test]
async fn every_code_is_had_as_the_table_says() {
    let rows = table("errors")["rows"].as_array().unwrap().clone();
    let (mut wrong, mut had) = (Vec::new(), 0);
    for row in rows.iter().filter(|row| row.get("server").is_some()) {
        let answer = within(Duration::from_secs(10), &row["code"].to_string(), answer(row)).await;
        wrong.extend(judge(row, &answer).err());
        // Another row's answer is not taken for it.
        let mut other = row.clone();
        other["code"] = "another".into();
        if row["server"]["bare"] != true && judge(&other, &answer).is_ok() {
            wrong.push(format!("{}: another code passes", row["code"]));
        }
        had += 1;
    }
    for row in rows.iter().filter(|row| row.get("server").is_none()) {
        assert!(row["why"].is_string(), "{row}: say why");
    }
    report(format!("{had} codes of {}", rows.len()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_and_every_end_has_its_place() {
    let errors: Vec<(Value, Value)> = table("errors")["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["code"].clone(), row["status"].clone()))
        .collect();
    let known: Vec<(Value, Value)> =
        ErrorCode::ALL.iter().map(|code| (code.name().into(), code.status().into())).collect();
    assert_eq!(errors, known);
    let retry = |end: &EndReason| end.is_on_wire().then(|| end.retry().name());
    let ends: Vec<Value> =
        EndReason::ALL.iter().map(|end| json!({"reason": end.name(), "retry": retry(end)})).collect();
    assert_eq!(table("ends")["rows"], json!(ends));
    let said: Vec<String> =
        all_cases().iter().flat_map(|case| case.steps.clone()).map(|step| step.to_string()).collect();
    for end in EndReason::ALL {
        let words = format!("\"reason\":\"{}\"", end.name());
        assert_eq!(said.iter().any(|step| step.contains(&words)), end.is_on_wire(), "{}", end.name());
    }
}
