//! Every kind of cursor on every way to give one: read on exactly, an explicit `$reset`, or a clear refusal, and never
//! a part of what was missed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Ask, Server, ServerOptions, Subscription, Target, Transport, http, report};
use tidings_protocol::{Cursor, Lineage, Seq};

const PATIENCE: Duration = Duration::from_secs(10);
/// Events that a channel keeps, and what is published on the one that is trimmed.
const KEPT: usize = 100;
const TRIMMED: usize = 300;
/// Least cells that the table must have.
const CELLS: usize = 60;

/// How a cursor is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    SseSince,
    SseHeader,
    Ws,
    PollGet,
    PollPost,
    History,
}

const WAYS: [Way; 6] = [Way::SseSince, Way::SseHeader, Way::Ws, Way::PollGet, Way::PollPost, Way::History];

/// What must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// These events and no reset.
    Exact(Vec<Cursor>),
    /// `$reset {expired}` through some event, then all after it.
    Expired,
    /// `$reset {unknown}` through the head, and nothing from before.
    Unknown,
    /// Refused with one of these codes; a WebSocket by its close.
    Malformed(&'static [&'static str]),
}

struct Kind {
    name: &'static str,
    channel: &'static str,
    cursor: String,
    outcome: Outcome,
}

/// What was seen before the marker.
#[derive(Debug, Default)]
struct Seen {
    refused: Option<String>,
    resets: Vec<Value>,
    events: Vec<Cursor>,
}

/// A server of two lives, with a channel that is kept and one that was trimmed.
struct World {
    server: Server,
    target: Target,
    kept: Vec<Cursor>,
    trimmed: Vec<Cursor>,
    /// The head at the restart, and the lineages before and after.
    turn: Seq,
    old: Lineage,
    new: Lineage,
    /// A cursor of another tenant, with a number that this one has too.
    foreign: Cursor,
}

async fn publish(lane: &mut Lane, channels: &[&str]) -> Vec<Cursor> {
    let events: Vec<Value> =
        channels.iter().map(|channel| json!({"channel": channel, "type": "t", "data": null})).collect();
    lane.expect(&json!({ "events": events })).await
}

async fn other_tenant(server: &Server) -> Target {
    server.json(&["tenant", "add", "other"]).await;
    let grants = ["--grant", "publish:*", "--grant", "subscribe:*"];
    let made = server
        .json(&[&["key", "create", "--tenant", "other", "--name", "other"][..], &grants].concat())
        .await;
    Target::new(server.address(), made["key"].as_str().unwrap())
}

impl World {
    async fn make() -> Self {
        let options = ServerOptions::new().set("log.retention.events_per_channel", &KEPT.to_string());
        let mut server = Server::start(options).await;
        let target = server.master().await;
        let other = other_tenant(&server).await;
        let foreign = publish(&mut Lane::new(&other), &["kept"; 50]).await[40];
        let (mut kept, mut trimmed) = (Vec::new(), Vec::new());
        let mut lane = Lane::new(&target);
        for _ in 0..TRIMMED / 60 {
            trimmed.extend(publish(&mut lane, &["trimmed"; 60]).await);
            kept.extend(publish(&mut lane, &["kept"; 4]).await);
        }
        let old = *kept.last().unwrap();
        server.kill().await;
        server.run().await;
        let mut lane = Lane::new(&target);
        kept.extend(publish(&mut lane, &["kept"; 10]).await);
        let new = *kept.last().unwrap();
        trimmed_away(&target).await;
        assert_ne!(old.lineage, new.lineage);
        Self { server, target, kept, trimmed, turn: old.seq, old: old.lineage, new: new.lineage, foreign }
    }

    fn head(&self) -> Seq {
        self.kept.last().unwrap().seq
    }

    fn exact(&self, name: &'static str, cursor: Cursor) -> Kind {
        let after = self.kept.iter().filter(|id| id.seq > cursor.seq).copied().collect();
        Kind { name, channel: "kept", cursor: cursor.to_string(), outcome: Outcome::Exact(after) }
    }

    fn kinds(&self) -> Vec<Kind> {
        let unknown = |name, cursor: Cursor| Kind {
            name,
            channel: "kept",
            cursor: cursor.to_string(),
            outcome: Outcome::Unknown,
        };
        let expired = |name, cursor: Cursor| Kind {
            name,
            channel: "trimmed",
            cursor: cursor.to_string(),
            outcome: Outcome::Expired,
        };
        let (turn, middle) = (self.turn.0, self.kept[5].seq.0);
        let at = |seq: u64, lineage: Lineage| Cursor::new(Seq(seq), lineage);
        let invented = Lineage::from_bits(self.old.bits() ^ self.new.bits() ^ 0x5a5a);
        let mut kinds = vec![
            self.exact("of the present life", self.kept[self.kept.len() - 3]),
            self.exact("of the life before", self.kept[3]),
            self.exact("of another channel", self.trimmed[70]),
            self.exact("the end of the life before", at(turn, self.old)),
            self.exact("the beginning of the present life", at(turn, self.new)),
            expired("expired", self.trimmed[0]),
            expired("expired, of another channel", self.kept[0]),
            expired("the beginning of everything", at(0, self.old)),
            unknown("of another tenant", self.foreign),
            unknown("of a lineage nobody knows", at(middle, invented)),
            unknown("past the head", at(self.head().0 + 1_000, self.new)),
            unknown("past the end of its lineage", at(turn + 1, self.old)),
            unknown("far past the end of its lineage", at(self.head().0, self.old)),
            unknown("before the beginning of its lineage", at(turn - 1, self.new)),
            unknown("the largest number", at(Seq::MAX.0, self.new)),
        ];
        kinds.extend(self.malformed());
        kinds
    }

    fn malformed(&self) -> Vec<Kind> {
        let good = self.kept[3].to_string();
        let texts = [
            ("a word", "earliest".to_owned()),
            ("a number", "17".to_owned()),
            ("lower case", good.to_lowercase().replace('.', "v") + "x"),
            ("too short", good[..20].to_owned()),
            ("too long", format!("{good}0")),
            ("the number alone", good[..13].to_owned()),
            ("another digit", format!("{}W", &good[..20])),
            ("another separator", good.replace('.', "-")),
            ("a number past the largest", format!("8{}", &good[1..])),
            ("two cursors", format!("{good},{good}")),
            ("JSON", format!("{{\"$gt\":\"{good}\"}}")),
            ("not ASCII", format!("{}é", &good[..19])),
            ("many digits", "0".repeat(4_000)),
        ];
        let kind = |(name, cursor)| Kind {
            name,
            channel: "kept",
            cursor,
            outcome: Outcome::Malformed(&["invalid_cursor"]),
        };
        let mut kinds: Vec<Kind> = texts.map(kind).into();
        let outcome = Outcome::Malformed(&["414", "431", "body_too_large"]);
        kinds.push(Kind { name: "1 MiB", channel: "kept", cursor: "0".repeat(1 << 20), outcome });
        kinds
    }
}

async fn trimmed_away(target: &Target) {
    until(PATIENCE, "the channel to be trimmed", async || {
        let answer = http::ask(target, "GET", "/v1/history?channel=trimmed", None).await.unwrap().json();
        (answer["events"].as_array().unwrap().len() <= KEPT + KEPT / 16).then_some(())
    })
    .await;
}

/// Percent-encodes everything but letters, digits and the dot.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Gives the cursor and reads what comes before an event that is published afterwards.
async fn give(world: &World, way: Way, kind: &Kind) -> Seen {
    let stream = |transport, by_header| {
        let since = if by_header { kind.cursor.clone() } else { escaped(&kind.cursor) };
        let ask = Ask { by_header, ..Ask::of(&[kind.channel]).since(since) };
        streamed(world, transport, ask, kind)
    };
    match way {
        Way::SseSince => stream(Transport::Sse, false).await,
        Way::SseHeader => stream(Transport::Sse, true).await,
        Way::Ws => stream(Transport::Ws, false).await,
        Way::PollGet | Way::PollPost | Way::History => answered(world, way, kind).await,
    }
}

async fn streamed(world: &World, transport: Transport, ask: Ask, kind: &Kind) -> Seen {
    let mut seen = Seen::default();
    let mut stream = match Subscription::open(transport, &world.target, &ask).await {
        Ok(stream) => stream,
        Err(closed) => return Seen { refused: Some(refusal(&closed)), ..seen },
    };
    let mut marker = None;
    loop {
        match stream.next().await {
            Ok(Item::Control { name, data, .. }) if name == "$ready" => {
                let resumed = data.contains("\"resumed\":true");
                let known = matches!(kind.outcome, Outcome::Exact(_) | Outcome::Expired);
                assert_eq!(resumed, known, "{}: {data}", kind.name);
                marker = Some(publish(&mut Lane::new(&world.target), &[kind.channel]).await[0]);
            }
            Ok(Item::Control { name, data, .. }) if name == "$reset" => seen.resets.push(parse(&data)),
            Ok(Item::Event { data, .. }) => {
                let id: Cursor = parse(&data)["id"].as_str().unwrap().parse().unwrap();
                if Some(id) == marker {
                    return seen;
                }
                seen.events.push(id);
            }
            Ok(Item::Position(_) | Item::Life) => {}
            Ok(Item::Control { name, data, .. }) => seen.refused = Some(format!("{name} {data}")),
            Err(closed) => {
                seen.refused.get_or_insert_with(|| refusal(&closed));
                return seen;
            }
        }
    }
}

fn refusal(closed: &Closed) -> String {
    match closed {
        Closed::Refused { status, code } => said(*status, code),
        other => format!("{other:?}"),
    }
}

/// The code; the status where the HTTP library has refused before there was a request.
fn said(status: u16, code: &str) -> String {
    if code.is_empty() { status.to_string() } else { code.to_owned() }
}

fn parse(data: &str) -> Value {
    serde_json::from_str(data).unwrap()
}

async fn answered(world: &World, way: Way, kind: &Kind) -> Seen {
    let mut seen = Seen::default();
    let mut after = kind.cursor.clone();
    let mut marker = None;
    loop {
        let answer = match ask_once(world, way, kind.channel, &after).await {
            Ok(answer) => answer,
            Err(code) => return Seen { refused: Some(code), ..seen },
        };
        seen.resets.extend(answer["resets"].as_array().unwrap().iter().cloned());
        for event in answer["events"].as_array().unwrap() {
            let id: Cursor = event["id"].as_str().unwrap().parse().unwrap();
            if Some(id) == marker {
                return seen;
            }
            seen.events.push(id);
        }
        after = answer["cursor"].as_str().unwrap().to_owned();
        if marker.is_none() {
            marker = Some(publish(&mut Lane::new(&world.target), &[kind.channel]).await[0]);
        }
    }
}

async fn ask_once(world: &World, way: Way, channel: &str, after: &str) -> Result<Value, String> {
    let path = match way {
        Way::PollGet => format!("/v1/poll?channel={channel}&wait=0&after={}", escaped(after)),
        Way::History => format!("/v1/history?channel={channel}&limit=7&after={}", escaped(after)),
        _ => "/v1/poll".to_owned(),
    };
    let body = json!({"channel": [channel], "wait": 0, "after": after}).to_string();
    let (method, body) = if way == Way::PollPost { ("POST", Some(body.as_str())) } else { ("GET", None) };
    let mut connection = Connection::open(world.target.address).await.unwrap();
    // What is refused early may be answered before all of it is taken.
    let _ = connection.send(&request(&world.target, method, &path, "connection: close\r\n", body)).await;
    let answer = connection.answer().await.unwrap();
    if answer.status() == 200 { Ok(answer.json()) } else { Err(said(answer.status(), &answer.code())) }
}

/// What is wrong with what was seen, if anything.
fn fault(world: &World, way: Way, kind: &Kind, seen: &Seen, head: Seq) -> Option<String> {
    let through = |reset: &Value| reset["through"].as_str().unwrap().parse::<Cursor>().unwrap();
    let named =
        |reset: &Value, reason: &str| reset["reason"] == reason && reset["channels"] == json!([kind.channel]);
    let right = match &kind.outcome {
        Outcome::Exact(events) => seen.refused.is_none() && seen.resets.is_empty() && seen.events == *events,
        Outcome::Expired => {
            let [reset] = &seen.resets[..] else { return Some(format!("{seen:?}")) };
            let through = through(reset);
            let rest: Vec<_> = world.trimmed.iter().filter(|id| id.seq > through.seq).copied().collect();
            named(reset, "expired") && rest.len() >= KEPT && seen.events == rest
        }
        // A browser cannot help what it sends: to Last-Event-ID no text is malformed.
        Outcome::Malformed(codes) if way != Way::SseHeader || codes.len() > 1 => {
            let refused = seen.refused.as_deref().unwrap_or_default();
            let closed = way == Way::Ws && refused.starts_with("$end") && refused.contains("\"never\"");
            seen.resets.is_empty() && seen.events.is_empty() && (closed || codes.contains(&refused))
        }
        Outcome::Unknown | Outcome::Malformed(_) => {
            let [reset] = &seen.resets[..] else { return Some(format!("{seen:?}")) };
            let through = through(reset);
            seen.events.is_empty() && named(reset, "unknown") && through.seq == head
        }
    };
    (!right).then(|| format!("{seen:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_cursor_is_ever_answered_with_a_part() {
    let mut world = World::make().await;
    let kinds = world.kinds();
    let (mut cells, mut faults) = (0, Vec::new());
    let mut head = world.head();
    for kind in &kinds {
        for way in WAYS {
            let seen = within(PATIENCE, kind.name, give(&world, way, kind)).await;
            cells += 1;
            if let Some(fault) = fault(&world, way, &exact_now(kind, &world), &seen, head) {
                faults.push(format!("{} by {way:?}: {fault}", kind.name));
            }
            head = note_marker(&mut world).await.max(head);
        }
    }
    report(format!("cursors: {cells} cells of {} kinds and {} ways", kinds.len(), WAYS.len()));
    assert!(cells >= CELLS);
    assert!(faults.is_empty(), "{} of {cells} cells are wrong:\n{}", faults.len(), faults.join("\n"));
    drop(world.server);
}

/// The markers of earlier cells are events like others.
fn exact_now(kind: &Kind, world: &World) -> Kind {
    let outcome = match &kind.outcome {
        Outcome::Exact(_) => {
            let cursor: Cursor = kind.cursor.parse().unwrap();
            Outcome::Exact(world.kept.iter().filter(|id| id.seq > cursor.seq).copied().collect())
        }
        other => other.clone(),
    };
    Kind { outcome, cursor: kind.cursor.clone(), ..*kind }
}

/// Takes in what the last cell has published; the head.
async fn note_marker(world: &mut World) -> Seq {
    let mut lane = Lane::new(&world.target);
    for (channel, known) in [("kept", &mut world.kept), ("trimmed", &mut world.trimmed)] {
        let after = known.last().unwrap().to_string();
        let read = tidings_acceptance::poll::history(&world.target, &[channel], Some(&after)).await;
        known.extend(read.iter().map(|event| event["id"].as_str().unwrap().parse::<Cursor>().unwrap()));
    }
    publish(&mut lane, &["elsewhere"]).await[0].seq
}
