//! The traces of PROTOCOL.md, as they stand there, against the server.
//!
//! A trace is a fenced block of the language `trace`. Its lines:
//! - `METHOD /path {json}` and on the next line `STATUS {json}`: a request and its answer;
//! - `a: GET /v1/events…` or `w: GET /v1/ws…`: opens a stream under a name;
//! - `a < type id=<x> {json}`: the next block; without `id=` it must have none;
//! - `w < {json}`, `w <~ {json}`: the next frame; `w > {json}`: a frame sent;
//! - `a closed`: the client leaves; `restart`: the server is stopped and started.
//!
//! `<x>` in a text stands for what came there first, and for the same from then on. Of a problem's members only those
//! named are compared.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidings_acceptance::http::ask;
use tidings_acceptance::report::report;
use tidings_acceptance::server::{Server, ServerOptions};
use tidings_acceptance::subscription::{Ask, Item, Subscription, Transport};
use tidings_acceptance::target::Target;
use tidings_acceptance::wait::within;

struct Trace {
    title: String,
    lines: Vec<(usize, String)>,
}

fn traces() -> Vec<Trace> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PROTOCOL.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut traces = Vec::new();
    let mut open: Option<Trace> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("```trace ") {
            open = Some(Trace { title: title.to_owned(), lines: Vec::new() });
        } else if line == "```" {
            traces.extend(open.take());
        } else if let Some(trace) = &mut open {
            trace.lines.push((index + 1, line.to_owned()));
        }
    }
    traces
}

/// Names in traces, and what they stand for.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    /// Puts what is known in the place of `<name>`.
    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
    }

    fn matches(&mut self, expected: &Value, found: &Value, whole: bool) -> bool {
        match (expected, found) {
            (Value::String(text), Value::String(found)) => self.matches_text(text, found),
            (Value::Array(expected), Value::Array(found)) => {
                expected.len() == found.len()
                    && expected
                        .iter()
                        .zip(found)
                        .all(|(expected, found)| self.matches(expected, found, whole))
            }
            (Value::Object(expected), Value::Object(found)) => {
                let whole = whole && !expected.contains_key("code");
                (!whole || expected.len() == found.len())
                    && expected.iter().all(|(name, expected)| {
                        found.get(name).is_some_and(|found| self.matches(expected, found, whole))
                    })
            }
            (expected, found) => expected == found,
        }
    }

    fn matches_text(&mut self, expected: &str, found: &str) -> bool {
        match expected.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            Some(name) => self.0.entry(name.to_owned()).or_insert_with(|| found.to_owned()) == found,
            None => expected == found,
        }
    }
}

struct Run {
    server: Server,
    target: Target,
    names: Names,
    streams: HashMap<String, Subscription>,
}

impl Run {
    async fn line(&mut self, line: &str, next: Option<&str>) {
        if line == "restart" {
            self.streams.clear();
            self.server.stop().await;
            self.server.run().await;
        } else if let Some(name) = line.strip_suffix(" closed") {
            self.streams.remove(name).unwrap();
        } else if let Some((name, request)) = line.split_once(": GET ") {
            self.open(name, request).await;
        } else if let Some((name, frame)) = line.split_once(" > ") {
            let Some(Subscription::Ws(socket)) = self.streams.get_mut(name) else {
                panic!("{name} is no WebSocket")
            };
            socket.send(&serde_json::from_str(&self.names.fill(frame)).unwrap()).await.unwrap();
        } else if let Some((name, block)) = line.split_once(" < ").or_else(|| line.split_once(" <~ ")) {
            self.receive(name, block).await;
        } else if line.starts_with(|first: char| first.is_ascii_uppercase()) {
            self.request(line, next.expect("an answer")).await;
        } else {
            assert!(line.starts_with(|first: char| first.is_ascii_digit()), "not a line of a trace");
        }
    }

    async fn open(&mut self, name: &str, request: &str) {
        let request = self.names.fill(request);
        let (path, query) = request.split_once('?').unwrap();
        let (mut channels, mut since) = (Vec::new(), None);
        for pair in query.split('&') {
            match pair.split_once('=').unwrap() {
                ("channel", channel) => channels.push(channel.to_owned()),
                ("since", cursor) => since = Some(cursor.to_owned()),
                (other, _) => panic!("traces do not use {other}"),
            }
        }
        let transport = if path == "/v1/ws" { Transport::Ws } else { Transport::Sse };
        let ask = Ask { since, ..Ask::of(&channels.iter().map(String::as_str).collect::<Vec<_>>()) };
        let stream = Subscription::open(transport, &self.target, &ask).await.unwrap();
        self.streams.insert(name.to_owned(), stream);
    }

    async fn request(&mut self, line: &str, answer: &str) {
        let line = self.names.fill(line);
        let mut words = line.splitn(3, ' ');
        let (method, path, body) = (words.next().unwrap(), words.next().unwrap(), words.next());
        let found = ask(&self.target, method, path, body).await.unwrap();
        let (status, expected) = answer.split_once(' ').unwrap();
        assert_eq!(found.status().to_string(), status, "{}", found.json());
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert!(
            self.names.matches(&expected, &found.json(), true),
            "expected {expected}, found {}",
            found.json()
        );
    }

    async fn receive(&mut self, name: &str, block: &str) {
        let stream = self.streams.get_mut(name).unwrap();
        let found = match stream {
            Subscription::Ws(socket) if block.starts_with("{\"ref\"") => socket.answer().await.unwrap(),
            stream => as_frame(stream.next().await.unwrap()),
        };
        let expected =
            if block.starts_with('{') { serde_json::from_str(block).unwrap() } else { sse_block(block) };
        assert!(self.names.matches(&expected, &found, true), "expected {expected}, found {found}");
    }
}

/// `type id=<x> {json}` as the frame that a WebSocket would have.
fn sse_block(block: &str) -> Value {
    let (event, rest) = block.split_once(' ').unwrap();
    let (id, data) = match rest.strip_prefix("id=").and_then(|rest| rest.split_once(' ')) {
        Some((id, data)) => (Some(id), data),
        None => (None, rest),
    };
    frame(id.map(str::to_owned), event, &serde_json::from_str(data).unwrap())
}

fn frame(id: Option<String>, event: &str, data: &Value) -> Value {
    let mut frame = serde_json::json!({"event": event, "data": data});
    if let Some(id) = id {
        frame["id"] = id.into();
    }
    frame
}

fn as_frame(item: Item) -> Value {
    match item {
        Item::Event { id, data } => {
            let data: Value = serde_json::from_str(&data).unwrap();
            let event = data["type"].as_str().unwrap().to_owned();
            frame(id.map(|id| id.to_string()), &event, &data)
        }
        Item::Control { name, id, data } => {
            frame(id.map(|id| id.to_string()), &name, &serde_json::from_str(&data).unwrap())
        }
        other => panic!("not a block: {other:?}"),
    }
}

#[tokio::test]
async fn every_trace_of_the_protocol_holds() {
    let traces = traces();
    assert!(traces.len() >= 7, "PROTOCOL.md has lost its traces");
    for trace in &traces {
        let server = Server::start(ServerOptions::new()).await;
        let target = server.master().await;
        let mut run = Run { server, target, names: Names::default(), streams: HashMap::new() };
        for (index, (number, line)) in trace.lines.iter().enumerate() {
            let next = trace.lines.get(index + 1).map(|(_, line)| line.as_str());
            let what = format!("PROTOCOL.md:{number} ({}): {line}", trace.title);
            report(&what);
            within(Duration::from_secs(10), &what, run.line(line, next)).await;
        }
    }
    report(format!("{} traces hold", traces.len()));
}
