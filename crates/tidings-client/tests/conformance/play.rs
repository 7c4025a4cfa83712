//! Plays a case: the subscriber on one side, on the other a server that says what stands there.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::arrivals::{Arrival, Arrivals, answer, chunk};
use super::cases::Case;
use super::follower::Follower;
use super::words::{events, fill, fill_text};

/// What was sent is to be read before the connection breaks.
const READING: Duration = Duration::from_millis(30);

/// Plays it; `limit`: how long anything is waited for.
///
/// # Errors
/// What was not as it should be.
pub(crate) async fn play(case: &Case, limit: Duration) -> Result<(), String> {
    let mut play = Play {
        case,
        limit,
        events: events(&case.steps),
        server: Arrivals::start().await,
        elsewhere: Arrivals::start().await,
        follower: None,
        stream: None,
        is_begun: false,
        ended: Instant::now(),
        is_done: false,
    };
    for (index, step) in together(&case.steps).iter().enumerate() {
        let outcome = Box::pin(play.step(step)).await;
        outcome.map_err(|why| format!("step {}, {}: {why}", index + 1, short(step)))?;
    }
    sleep(Duration::from_millis(20)).await;
    play.nothing_is_left().await
}

/// What is followed in one go is one subscriber's from its beginning.
fn together(steps: &[Value]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for step in steps {
        let last = all.last_mut().filter(|last| last["follow"]["since"] == step["follow"]["since"]);
        let both = last.and_then(|last| {
            let more = step["follow"]["channels"].as_array()?;
            Some((last.pointer_mut("/follow/channels")?.as_array_mut()?, more))
        });
        match both {
            Some((channels, more)) => channels.extend(more.iter().cloned()),
            None => all.push(step.clone()),
        }
    }
    all
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}

fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> =
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

struct Play<'a> {
    case: &'a Case,
    limit: Duration,
    events: HashMap<String, Value>,
    server: Arrivals,
    elsewhere: Arrivals,
    follower: Option<Follower>,
    stream: Option<TcpStream>,
    /// The stream's head is written.
    is_begun: bool,
    /// When the last stream or answer ended.
    ended: Instant,
    /// What the client asks from here on is its own affair.
    is_done: bool,
}

impl Play<'_> {
    async fn step(&mut self, step: &Value) -> Result<(), String> {
        let verb = |name: &str| step.get(name);
        if let Some(follow) = verb("follow") {
            if let Some(follower) = &self.follower {
                follower.add(follow);
                return Ok(());
            }
            let base = self.case.text["base"].as_str().unwrap_or_default();
            let url = format!("http://{}{base}", self.server.address);
            let is_again = self.case.needs.iter().any(|need| need == "again");
            self.follower = Some(Follower::start(url, &self.case.text["client"], follow, is_again));
            return Ok(());
        }
        if let Some(asked) = verb("open") {
            return self.open(step, asked).await;
        }
        if let Some(channels) = verb("leave") {
            self.follower()?.remove(channels);
            return Ok(());
        }
        if let Some(asked) = verb("ask") {
            let arrival = self.next(step).await?;
            let (method, path) =
                (asked["method"].as_str(), asked["path"].as_str().map(|path| self.path(path)));
            let is_asked = Some(arrival.method.as_str()) == method && Some(&arrival.path) == path.as_ref();
            must(is_asked, || format!("asked was {} {}", arrival.method, arrival.path))?;
            shown(&arrival, asked)?;
            let mut with = fill(&step["answer"], "");
            with["body"] = with["body"].to_string().into();
            return self.answer(arrival.stream, &with).await;
        }
        if let Some(change) = verb("change") {
            return self.change(step, change).await;
        }
        if let Some(present) = verb("present") {
            return self.present(step, present).await;
        }
        if let Some(blocks) = verb("say") {
            return self.say(blocks.as_array().unwrap(), step["pieces"].as_u64()).await;
        }
        if let Some(block) = verb("cut") {
            return self.cut(block).await;
        }
        if verb("ends").is_some() {
            return self.end().await;
        }
        if let Some(told) = verb("told") {
            return self.told(told.as_array().unwrap()).await;
        }
        if let Some(state) = verb("state") {
            return self.state(state.as_str().unwrap()).await;
        }
        if let Some(time) = verb("quiet") {
            return self.quiet(Duration::from_millis(time.as_u64().unwrap())).await;
        }
        if verb("nobody").is_some() {
            return self.nobody(step["shown"].as_str().unwrap()).await;
        }
        self.is_done |= verb("done").is_some();
        let is_known = ["publish", "world", "silence", "done"].iter().any(|name| verb(name).is_some());
        must(is_known, || "no step that this runner knows".to_owned())
    }

    async fn next(&mut self, step: &Value) -> Result<Arrival, String> {
        let most = step["most"].as_u64().map_or(self.limit, Duration::from_millis);
        let arrival = self.server.next(most.min(self.limit)).await.ok_or("nothing is asked")?;
        let least = Duration::from_millis(step["least"].as_u64().unwrap_or_default().saturating_sub(5));
        let after = self.ended.elapsed();
        must(after >= least, || format!("asked after {after:?}"))?;
        Ok(arrival)
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.case.text["base"].as_str().unwrap_or_default())
    }

    async fn open(&mut self, step: &Value, expected: &Value) -> Result<(), String> {
        let mut arrival = self.next(step).await?;
        must(arrival.path == self.path("/v1/events"), || format!("asked was {}", arrival.path))?;
        let since = arrival.header("last-event-id").map(str::to_owned);
        let since =
            since.or_else(|| arrival.all("since").into_iter().next()).unwrap_or_else(|| "now".to_owned());
        let mut channels = arrival.all("channel");
        channels.retain(|channel| !texts(&expected["perhaps"]).contains(channel));
        let asked = (channels, since, arrival.all("type"), arrival.all("category"));
        let expects = (
            texts(&expected["channels"]),
            fill_text(expected["since"].as_str().unwrap(), ""),
            texts(&expected["types"]),
            texts(&expected["categories"]),
        );
        must(asked == expects, || format!("asked was {asked:?}"))?;
        shown(&arrival, expected)?;
        if let Some(refusal) = step.get("refuse") {
            self.ended = Instant::now();
            return refuse(&mut arrival.stream, refusal).await;
        }
        if let Some(with) = step.get("answer") {
            return self.answer(arrival.stream, with).await;
        }
        (self.stream, self.is_begun) = (Some(arrival.stream), false);
        if step["hang"] == true {
            self.ended = Instant::now();
        }
        Ok(())
    }

    async fn answer(&mut self, mut stream: TcpStream, with: &Value) -> Result<(), String> {
        let elsewhere = format!("http://{}", self.elsewhere.address);
        let headers = fill(&with["headers"], &elsewhere);
        let line = |(name, value): (&String, &Value)| format!("{name}: {}\r\n", value.as_str().unwrap());
        let headers: String = headers.as_object().into_iter().flatten().map(line).collect();
        let body = with["body"].as_str().unwrap_or_default();
        answer(&mut stream, with["status"].as_u64().unwrap(), &headers, body).await;
        if with["cut"] == true {
            sleep(READING).await;
        }
        self.ended = Instant::now();
        Ok(())
    }

    async fn change(&mut self, step: &Value, expected: &Value) -> Result<(), String> {
        let mut arrival = self.next(step).await?;
        let session = fill_text(expected["session"].as_str().unwrap(), "");
        let path = self.path(&format!("/v1/sessions/{session}/subscriptions"));
        let asked = (arrival.method.as_str(), arrival.path.as_str());
        must(asked == ("POST", &path), || format!("asked was {asked:?}"))?;
        let body: Value = serde_json::from_str(&arrival.body).map_err(|error| error.to_string())?;
        for member in ["add", "remove"] {
            let expected = fill(&expected[member], "");
            let found = body.get(member).cloned().unwrap_or_else(|| json!([]));
            must(found == expected, || format!("asked was {}", short(&body)))?;
        }
        if let Some(refusal) = step.get("refuse") {
            return refuse(&mut arrival.stream, refusal).await;
        }
        answer(&mut arrival.stream, 200, "content-type: application/json\r\n", &step["answer"].to_string())
            .await;
        Ok(())
    }

    async fn present(&mut self, step: &Value, expected: &Value) -> Result<(), String> {
        let mut arrival = self.next(&Value::Null).await?;
        let session = fill_text(expected["session"].as_str().unwrap(), "");
        let path = self.path(&format!("/v1/sessions/{session}/credential"));
        let asked = (arrival.method.as_str(), arrival.path.as_str());
        must(asked == ("POST", &path), || format!("asked was {asked:?}"))?;
        shown(&arrival, expected)?;
        if let Some(refusal) = step.get("refuse") {
            return refuse(&mut arrival.stream, refusal).await;
        }
        answer(&mut arrival.stream, 204, "", "").await;
        Ok(())
    }

    fn text_of(&self, block: &Value) -> String {
        let named = |name: &str| block[name].as_str();
        if let Some(raw) = named("raw") {
            return fill_text(raw, "");
        }
        if let Some(comment) = named("comment") {
            return format!(":{comment}\n\n");
        }
        if let Some(heartbeat) = named("heartbeat") {
            return format!(":\n\nid: {}\n\n", fill_text(heartbeat, ""));
        }
        let block = match block.as_str() {
            Some(name) => {
                let event = &self.events[name];
                json!({"id": event["id"], "event": event["type"], "data": event})
            }
            None if block["missed"].is_string() => {
                let event = &self.events[block["missed"].as_str().unwrap()];
                json!({"event": event["type"], "data": event})
            }
            None => fill(block, ""),
        };
        let id = block["id"].as_str().map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("{id}event: {}\ndata: {}\n\n", block["event"].as_str().unwrap(), block["data"])
    }

    async fn stream(&mut self) -> Result<&mut TcpStream, String> {
        let stream = self.stream.as_mut().ok_or("there is no stream")?;
        if !std::mem::replace(&mut self.is_begun, true) {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
                        content-type: text/event-stream; charset=utf-8\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
            chunk(stream, b"retry: 30\n\n").await;
        }
        Ok(stream)
    }

    async fn say(&mut self, blocks: &[Value], pieces: Option<u64>) -> Result<(), String> {
        for block in blocks {
            let text = self.text_of(block);
            let size = pieces.map_or(text.len(), |size| usize::try_from(size).unwrap());
            let stream = self.stream().await?;
            for piece in text.as_bytes().chunks(size.max(1)) {
                chunk(stream, piece).await;
            }
        }
        if blocks.last().is_some_and(|block| block["event"] == "$end") {
            return self.end().await;
        }
        Ok(())
    }

    async fn cut(&mut self, block: &Value) -> Result<(), String> {
        if *block != Value::Bool(true) {
            let text = self.text_of(block);
            chunk(self.stream().await?, &text.as_bytes()[..text.len() / 2]).await;
            sleep(READING).await;
        }
        let stream = self.stream.take().ok_or("there is no stream")?;
        drop(stream);
        self.ended = Instant::now();
        Ok(())
    }

    async fn end(&mut self) -> Result<(), String> {
        let _ = self.stream().await?.write_all(b"0\r\n\r\n").await;
        self.stream = None;
        self.ended = Instant::now();
        Ok(())
    }

    fn follower(&mut self) -> Result<&mut Follower, String> {
        self.follower.as_mut().ok_or_else(|| "nobody follows".to_owned())
    }

    async fn told(&mut self, expected: &[Value]) -> Result<(), String> {
        for one in expected {
            let (deadline, mut told) = (Instant::now() + self.limit, None);
            while told.is_none() {
                must(Instant::now() < deadline, || format!("{one} is not told"))?;
                told = self.follower()?.told();
                sleep(Duration::from_millis(2)).await;
            }
            let (told, named) = (told.unwrap_or_default(), one.as_str().or(one["like"].as_str()));
            let expected = match named {
                Some(name) => json!({"event": self.events[name]}),
                None => fill(one, ""),
            };
            must(told == expected, || format!("expected {}, told was {}", short(&expected), short(&told)))?;
        }
        Ok(())
    }

    async fn state(&mut self, expected: &str) -> Result<(), String> {
        let deadline = Instant::now() + self.limit;
        loop {
            let state = self.follower()?.state();
            if state == expected {
                return Ok(());
            }
            must(Instant::now() < deadline, || format!("the state is {state}"))?;
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn quiet(&mut self, time: Duration) -> Result<(), String> {
        if let Some(arrival) = self.server.next(time).await {
            must(arrival.is_gone(), || format!("asked was {} {}", arrival.method, arrival.path))?;
        }
        let told = self.follower()?.told();
        must(told.is_none(), || format!("told was {told:?}"))
    }

    /// Nobody else was shown the credential.
    async fn nobody(&mut self, credential: &str) -> Result<(), String> {
        let arrival = self.elsewhere.next(self.limit.min(Duration::from_millis(300))).await;
        let head = arrival.map(|arrival| arrival.head().to_owned()).unwrap_or_default();
        must(!head.contains(credential), || format!("shown elsewhere was {head}"))
    }

    async fn nothing_is_left(&mut self) -> Result<(), String> {
        let told = self.follower()?.told();
        must(told.is_none(), || format!("told and not expected: {told:?}"))?;
        while let Some(arrival) = self.server.next(Duration::ZERO).await {
            must(self.is_done || arrival.is_gone(), || format!("asked and not expected: {}", arrival.path))?;
        }
        Ok(())
    }
}

fn shown(arrival: &Arrival, expected: &Value) -> Result<(), String> {
    let Some(credential) = expected["credential"].as_str() else { return Ok(()) };
    let found = arrival.header("authorization").unwrap_or_default();
    must(found == format!("Bearer {credential}"), || format!("shown was {found}"))
}

async fn refuse(stream: &mut TcpStream, refusal: &Value) -> Result<(), String> {
    let mut problem = json!({"type": "about:blank", "title": "", "detail": "it is refused"});
    for member in ["status", "code", "at"] {
        if let Some(value) = refusal.get(member) {
            problem[member] = value.clone();
        }
    }
    let after = refusal["retryAfter"].as_u64().map(|seconds| format!("retry-after: {seconds}\r\n"));
    let headers = format!("content-type: application/problem+json\r\n{}", after.unwrap_or_default());
    answer(stream, refusal["status"].as_u64().unwrap(), &headers, &problem.to_string()).await;
    Ok(())
}
