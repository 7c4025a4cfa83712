//! Plays a case: makes its requests, and compares what the server says with what stands there.

use std::collections::HashMap;

use serde_json::{Value, json};
use tidings_acceptance::casts::send;
use tidings_acceptance::http::Answer;

use crate::cases::Case;
use crate::names::{Names, long};
use crate::streams::{Asked, Stream};
use crate::world::World;

/// Members of a publication that subscribers are not given.
const KEPT: [&str; 2] = ["key", "idempotencyKey"];
/// Milliseconds for which batches are gathered: all that was published before stands in the first.
const BATCH: &str = "300";
const CLOSES: [(&str, u16); 4] = [("now", 4000), ("later", 4001), ("auth", 4002), ("never", 4003)];

/// Plays it over a transport.
pub(crate) async fn play(case: &Case, over: &str) -> Result<(), String> {
    let world = World::of(&case.text).await;
    let mut play =
        Play { over, world, names: Names::default(), events: HashMap::new(), stream: None, pings: false };
    let is_over = |step: &&Value| step["world"] == "over";
    for (index, step) in case.steps.iter().take_while(|step| !is_over(step)).enumerate() {
        let outcome = Box::pin(play.step(step)).await;
        outcome.map_err(|why| {
            let step: String = step.to_string().chars().take(300).collect();
            format!("step {}, {step}: {why}", index + 1)
        })?;
    }
    Ok(())
}

struct Play<'a> {
    over: &'a str,
    world: World,
    names: Names,
    /// What was published, by its placeholder, without id and time.
    events: HashMap<String, Value>,
    stream: Option<Stream>,
    /// Whether the stream was asked for with `heartbeat=event`: each second one is.
    pings: bool,
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap())
}

fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

impl Play<'_> {
    async fn step(&mut self, step: &Value) -> Result<(), String> {
        let verb = |name: &str| step.get(name);
        if let Some(event) = verb("publish") {
            return self.publish(step["as"].as_str().unwrap(), event).await;
        }
        if verb("world").is_some() {
            self.world.happen(step).await;
        } else if let Some(asked) = verb("open") {
            return self.open(step, asked).await;
        } else if let Some(blocks) = verb("say") {
            return self.said(blocks.as_array().unwrap()).await;
        } else if verb("cut").is_some() {
            self.stream = None;
        } else if let Some(change) = verb("change") {
            return self.change(change, &step["answer"]).await;
        } else if let Some(present) = verb("present") {
            return self.present(present).await;
        } else if let Some(poll) = verb("poll") {
            return self.poll(step, poll).await;
        } else if let Some(ask) = verb("ask") {
            return self.ask(ask, &step["answer"]).await;
        } else {
            // What the application does and is told is the client's side.
            let client = ["follow", "leave", "told", "state", "quiet", "done"];
            return must(client.iter().any(|name| verb(name).is_some()), || {
                "no step that this runner knows".to_owned()
            });
        }
        Ok(())
    }

    async fn publish(&mut self, name: &str, event: &Value) -> Result<(), String> {
        let mut event = event.clone();
        event["data"] = long(&event["data"]);
        let answer = send(&self.world.master, "POST", "/v1/publish", "", Some(&event)).await;
        must(answer.status() == 200, || format!("answered was {}", answer.json()))?;
        self.names.bind(name, answer.json()["events"][0]["id"].as_str().unwrap())?;
        for member in KEPT {
            event.as_object_mut().unwrap().remove(member);
        }
        self.events.insert(name.to_owned(), event);
        Ok(())
    }

    fn asked(&self, asked: &Value) -> Asked {
        let mut query = Vec::new();
        let many = [("channels", "channel"), ("types", "type"), ("categories", "category")];
        for (member, name) in many {
            query.extend(texts(&asked[member]).map(|text| (name, text.to_owned())));
        }
        if let Some(since) = asked["since"].as_str() {
            query.push(("since", self.names.fill_text(since)));
        }
        if let Some(ticket) = asked["ticket"].as_str() {
            query.push(("ticket", self.names.fill_text(ticket)));
        }
        if self.over == "eventsource" {
            query.push(("batch", BATCH.to_owned()));
        }
        if self.pings {
            query.push(("heartbeat", "event".to_owned()));
        }
        let header =
            |(name, value): (&String, &Value)| (name.clone(), self.names.fill_text(value.as_str().unwrap()));
        let path = asked["path"].as_str().unwrap_or("/v1/events").to_owned();
        Asked {
            query,
            path,
            headers: asked["headers"].as_object().into_iter().flatten().map(header).collect(),
        }
    }

    async fn open(&mut self, step: &Value, asked: &Value) -> Result<(), String> {
        let target = match asked["ticket"].as_str() {
            Some(_) => self.world.target(Some("")),
            None => self.world.target(asked["credential"].as_str()),
        };
        let asked = self.asked(asked);
        self.pings = !self.pings;
        if let Some(refusal) = step.get("refuse") {
            let (status, code, at, after) = Stream::refused(self.over, &target, &asked).await?;
            must(refusal["status"] == status && refusal["code"] == code, || {
                format!("refused was {status} {code}")
            })?;
            must(at.is_none() || refusal["at"] == json!(at), || format!("at is {at:?}"))?;
            return must(after == refusal["retryAfter"].is_number() || self.over == "websocket", || {
                format!("Retry-After is there: {after}")
            });
        }
        self.stream = Some(Stream::open(self.over, &target, &asked).await?);
        Ok(())
    }

    async fn next(&mut self) -> Result<Value, String> {
        self.stream.as_mut().ok_or("there is no stream")?.next().await
    }

    /// The next block that is more than a heartbeat.
    async fn block(&mut self) -> Result<Value, String> {
        loop {
            let block = self.next().await?;
            if block.is_null() || block.get("close").is_some() || !is_heartbeat(&block) {
                return Ok(block);
            }
        }
    }

    async fn said(&mut self, blocks: &[Value]) -> Result<(), String> {
        for expected in blocks {
            if let Some(position) = expected["heartbeat"].as_str() {
                self.heartbeat(position).await?;
            } else if let Some(names) = expected["batch"].as_array() {
                self.batch(names).await?;
            } else {
                let found = self.block().await?;
                self.compare(expected, &found)?;
            }
        }
        let last = blocks.last().filter(|block| block["event"] == "$end");
        match last {
            Some(end) => self.ended(end["data"]["retry"].as_str().unwrap()).await,
            None => Ok(()),
        }
    }

    fn compare(&mut self, expected: &Value, found: &Value) -> Result<(), String> {
        let (name, has_id) = match (expected.as_str(), expected["missed"].as_str()) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => return self.names.matches(expected, found),
        };
        let event = self.events.get(name).ok_or_else(|| format!("{name} was not published"))?.clone();
        must(found["event"] == event["type"], || format!("expected {name}, found {found}"))?;
        must(found.get("id").is_some() == has_id, || format!("an id of its own: {found}"))?;
        if let Some(id) = found["id"].as_str() {
            self.names.bind(name, id)?;
        }
        self.event(name, &event, &found["data"])
    }

    /// An event in full; its time is whatever it was first.
    fn event(&mut self, name: &str, expected: &Value, found: &Value) -> Result<(), String> {
        let mut rest = found.as_object().cloned().unwrap_or_default();
        let mut take = |member: &str| rest.remove(member).and_then(|text| Some(text.as_str()?.to_owned()));
        let (id, time) = (take("id").unwrap_or_default(), take("time").unwrap_or_default());
        self.names.bind(name, &id)?;
        self.names.bind(&format!("<time of {}>", name.trim_matches(['<', '>'])), &time)?;
        must(Value::Object(rest) == *expected, || format!("expected {expected}, found {found}"))
    }

    async fn heartbeat(&mut self, position: &str) -> Result<(), String> {
        let position = self.names.fill_text(position);
        loop {
            let block = self.next().await?;
            must(is_heartbeat(&block), || format!("found {block}"))?;
            if block["id"] == *position {
                return Ok(());
            }
        }
    }

    /// Events that came together, in as many blocks as the server has made of them.
    async fn batch(&mut self, names: &[Value]) -> Result<(), String> {
        let mut events = Vec::new();
        while events.len() < names.len() {
            let block = self.block().await?;
            must(block["event"] == "batch", || format!("found {block}"))?;
            let gathered = block["data"].as_array().ok_or("a batch that is no array")?;
            must(gathered.last().is_some_and(|last| last["id"] == block["id"]), || {
                "the id is not the last's".to_owned()
            })?;
            events.extend(gathered.iter().cloned());
        }
        must(events.len() == names.len(), || format!("{} events", events.len()))?;
        names.iter().zip(&events).try_for_each(|(name, event)| self.compare(name, event))
    }

    async fn ended(&mut self, retry: &str) -> Result<(), String> {
        let found = self.next().await?;
        self.stream = None;
        let code = CLOSES.iter().find(|(word, _)| *word == retry).map(|(_, code)| *code);
        let expected = if self.over == "websocket" { json!({"close": code}) } else { Value::Null };
        must(found == expected, || format!("after the end came {found}"))
    }

    async fn change(&mut self, change: &Value, expected: &Value) -> Result<(), String> {
        let change = self.names.fill(change);
        let found = if let Some(Stream::Ws(socket)) = &mut self.stream {
            let request =
                json!({"op": "subscribe", "ref": 1, "add": change["add"], "remove": change["remove"]});
            socket.send(&request).await.map_err(|closed| format!("{closed:?}"))?;
            socket.answer().await.map_err(|closed| format!("{closed:?}"))?["ok"].clone()
        } else {
            let path = format!("/v1/sessions/{}/subscriptions", change["session"].as_str().unwrap());
            let body = json!({"add": change["add"], "remove": change["remove"]});
            send(&self.world.first, "POST", &path, "", Some(&body)).await.json()
        };
        self.names.matches(expected, &found)
    }

    async fn present(&mut self, present: &Value) -> Result<(), String> {
        let target = self.world.target(present["credential"].as_str());
        if let Some(Stream::Ws(socket)) = &mut self.stream {
            let request = json!({"op": "auth", "ref": 1, "token": &*target.key});
            socket.send(&request).await.map_err(|closed| format!("{closed:?}"))?;
            let found = socket.answer().await.map_err(|closed| format!("{closed:?}"))?;
            return must(found.get("ok").is_some(), || format!("answered was {found}"));
        }
        let path = format!("/v1/sessions/{}/credential", present["session"].as_str().unwrap());
        let answer = send(&target, "POST", &self.names.fill_text(&path), "", Some(&json!({}))).await;
        must(answer.status() == 204, || format!("answered was {} {}", answer.status(), answer.json()))
    }

    /// Asks twice, by both forms of the request.
    async fn poll(&mut self, step: &Value, poll: &Value) -> Result<(), String> {
        let channels: Vec<&str> = texts(&poll["channels"]).collect();
        let after = poll["after"].as_str().map(|after| self.names.fill_text(after));
        let mut query: String = channels.iter().map(|channel| format!("channel={channel}&")).collect();
        let mut body = json!({"channel": channels, "wait": 0});
        if let Some(after) = after {
            query.push_str(&format!("after={after}&"));
            body["after"] = after.into();
        }
        let target = self.world.target(poll["credential"].as_str());
        let answers = [
            send(&target, "GET", &format!("/v1/poll?{query}wait=0"), "", None).await,
            send(&target, "POST", "/v1/poll", "", Some(&body)).await,
        ];
        answers.iter().try_for_each(|answer| self.polled(step, answer))
    }

    fn polled(&mut self, step: &Value, answer: &Answer) -> Result<(), String> {
        let found = answer.json();
        if let Some(refusal) = step.get("refuse") {
            must(refusal["status"] == answer.status(), || format!("refused was {found}"))?;
            return self.names.matches(refusal, &found);
        }
        // The last poll of a case is there to show with what it is asked.
        let Some(expected) = step.get("answer") else { return Ok(()) };
        for member in ["cursor", "more", "resets"] {
            self.names.matches(&expected[member], &found[member])?;
        }
        let (names, events): (Vec<&str>, _) =
            (texts(&expected["events"]).collect(), found["events"].as_array());
        let events = events.ok_or_else(|| format!("answered was {found}"))?;
        must(names.len() == events.len(), || format!("answered was {found}"))?;
        for (name, event) in names.iter().zip(events) {
            let expected = self.events[*name].clone();
            self.event(name, &expected, event)?;
        }
        Ok(())
    }

    async fn ask(&mut self, ask: &Value, expected: &Value) -> Result<(), String> {
        let (method, path) =
            (ask["method"].as_str().unwrap(), self.names.fill_text(ask["path"].as_str().unwrap()));
        let target = self.world.target(ask["credential"].as_str());
        let body = ask.get("body").map(|body| self.names.fill(body));
        let answer = send(&target, method, &path, "", body.as_ref()).await;
        must(expected["status"] == answer.status(), || {
            format!("answered was {} {}", answer.status(), answer.json())
        })?;
        for (name, value) in expected["headers"].as_object().into_iter().flatten() {
            let found = answer.head.header(name).ok_or_else(|| format!("there is no {name}"))?;
            self.names.matches(value, &found.into())?;
        }
        match expected.get("body") {
            Some(body) => self.names.matches(body, &answer.json()),
            None => Ok(()),
        }
    }
}

fn is_heartbeat(block: &Value) -> bool {
    block.is_object()
        && block.get("close").is_none()
        && block.get("event").is_none_or(|event| event == "$ping")
}
