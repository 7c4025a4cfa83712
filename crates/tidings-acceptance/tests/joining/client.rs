//! A client as PROTOCOL.md wants it ("Changing a live stream", "What a client keeps"), which keeps count of itself.
//!
//! For each channel it holds a stretch of the log: everything of the channel after `from` up to `to`. It drops an event
//! only where a stretch of one of the event's channels has it. While a channel is being added, its stretch grows with
//! what comes between `$subscribed` and `$joined`, and the `since` it was asked with is kept.

use std::collections::{BTreeMap, HashSet};

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use serde_json::{Value, json};
use tidings_acceptance::http::ask;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::{Ask, Subscription, Target, Transport};
use tidings_protocol::{Cursor, Seq};
use tokio::task::JoinHandle;

use super::source::{BUSY, RARE, Source};

/// A cursor that no log knows.
const UNKNOWN: &str = "0000000000001.VVVVVVV";

/// When the connection is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// After so many items.
    After(usize),
    /// So many items after a `$subscribed`.
    AfterSubscribed(usize),
}

/// What a client came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) cuts: usize,
    /// Between `$subscribed` and `$joined`.
    pub(crate) cuts_between: usize,
    pub(crate) backfilled: usize,
    pub(crate) dropped: usize,
    pub(crate) applied: usize,
}

/// Everything after `from` up to `to` is held.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Seq,
    to: Seq,
}

/// A channel that is being added: with which `since`, and what came so far.
#[derive(Debug)]
struct Pending {
    since: Option<String>,
    held: Option<Stretch>,
}

pub(crate) struct Joiner<'a> {
    transport: Transport,
    target: &'a Target,
    source: &'a Source,
    stream: Option<Subscription>,
    session: String,
    cursor: Option<Cursor>,
    /// The first opening's `since`.
    since: Option<Cursor>,
    joined: BTreeMap<&'static str, Option<Stretch>>,
    pending: BTreeMap<&'static str, Pending>,
    /// The channels between `$subscribed` and `$joined`.
    group: Option<Vec<&'static str>>,
    had: HashSet<Seq>,
    asked: Vec<JoinHandle<()>>,
    pub(crate) tally: Tally,
}

fn known(name: &str) -> &'static str {
    BUSY.into_iter().chain([RARE]).find(|known| *known == name).unwrap()
}

fn names(list: &Value) -> Vec<&'static str> {
    list.as_array().unwrap().iter().map(|name| known(name.as_str().unwrap())).collect()
}

fn cursor_of(value: &Value) -> Cursor {
    value.as_str().unwrap().parse().unwrap()
}

impl std::fmt::Debug for Joiner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Joiner");
        shown
            .field("transport", &self.transport)
            .field("session", &self.session)
            .field("cursor", &self.cursor);
        shown.field("joined", &self.joined).field("pending", &self.pending).field("group", &self.group);
        shown.field("asked", &self.asked).field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl<'a> Joiner<'a> {
    pub(crate) fn new(transport: Transport, target: &'a Target, source: &'a Source) -> Self {
        Self {
            transport,
            target,
            source,
            stream: None,
            session: String::new(),
            cursor: None,
            since: None,
            joined: BTreeMap::new(),
            pending: BTreeMap::new(),
            group: None,
            had: HashSet::new(),
            asked: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Chooses the channels of its first stream, and where they begin.
    pub(crate) fn begin(&mut self, rng: &mut StdRng) {
        let count = rng.random_range(1..=3);
        self.joined =
            BUSY.into_iter().choose_multiple(rng, count).into_iter().map(|name| (name, None)).collect();
        self.since = rng.random_bool(0.5).then(|| self.source.recent(rng));
    }

    /// Opens the stream with the cursor, then adds again what had not been joined.
    pub(crate) async fn open(&mut self, rng: &mut StdRng) {
        if self.stream.is_some() {
            return;
        }
        let channels: Vec<&str> = self.joined.keys().copied().collect();
        let mut ask = Ask::of(&channels);
        if let Some(since) = self.cursor.or(self.since) {
            ask = Ask { by_header: rng.random_bool(0.5), ..ask.since(since) };
        }
        self.stream = Some(Subscription::open(self.transport, self.target, &ask).await.unwrap());
        self.group = None;
        while self.session.is_empty() {
            self.step().await;
        }
        let again: Vec<_> = self.pending.keys().copied().collect();
        self.ask_for(&again).await;
    }

    /// Adds one to three channels, each beginning somewhere; perhaps one that is there, with an earlier `since`.
    pub(crate) async fn add_some(&mut self, rng: &mut StdRng) {
        let count = rng.random_range(1..=3);
        let free = BUSY.into_iter().chain([RARE]).filter(|name| !self.pending.contains_key(name));
        let mut added = Vec::new();
        for name in free.choose_multiple(rng, count) {
            let is_there = self.joined.contains_key(name);
            let since = match rng.random_range(0..4) {
                _ if is_there => match self.earlier(name, rng) {
                    Some(since) => Some(since.to_string()),
                    None => continue,
                },
                0 => None,
                1 => Some(UNKNOWN.to_owned()),
                _ if name == RARE => Some("start".to_owned()),
                _ => Some(self.source.recent(rng).to_string()),
            };
            self.pending.insert(name, Pending { since, held: None });
            added.push(name);
        }
        self.ask_for(&added).await;
    }

    fn earlier(&self, name: &str, rng: &mut StdRng) -> Option<Cursor> {
        let held = self.joined.get(name).copied().flatten()?;
        let since = self.source.recent(rng);
        (since.seq < held.from).then_some(since)
    }

    async fn ask_for(&mut self, names: &[&'static str]) {
        if names.is_empty() {
            return;
        }
        let entry = |name: &&str| match &self.pending[name].since {
            Some(since) => json!({"channel": name, "since": since}),
            None => json!({"channel": name}),
        };
        let add: Vec<Value> = names.iter().map(entry).collect();
        if let Some(Subscription::Ws(ws)) = &mut self.stream {
            ws.send(&json!({"op": "subscribe", "ref": names.join(" "), "add": add})).await.ok();
            return;
        }
        let path = format!("/v1/sessions/{}/subscriptions", self.session);
        let (target, names) = (self.target.clone(), names.to_vec());
        let body = json!({ "add": add }).to_string();
        self.asked.push(tokio::spawn(async move {
            let answer = ask(&target, "POST", &path, Some(&body)).await.unwrap();
            // The stream may have been cut meanwhile; else everything is added.
            if answer.status() != 404 {
                assert_eq!(answer.json(), json!({"added": names, "refused": []}), "{}", answer.status());
            }
        }));
    }

    pub(crate) async fn read(&mut self, items: usize) {
        for _ in 0..items {
            self.step().await;
        }
    }

    pub(crate) async fn read_and_cut(&mut self, cut: Cut) {
        match cut {
            Cut::After(items) => self.read(items).await,
            Cut::AfterSubscribed(items) => {
                while self.group.is_none() && !self.pending.is_empty() {
                    self.step().await;
                }
                for _ in 0..items {
                    // One more would tell that it has been joined: what came last is taken with the connection.
                    if self.group.is_some() {
                        self.step().await;
                    }
                }
            }
        }
        self.tally.cuts += 1;
        self.tally.cuts_between += usize::from(self.group.is_some());
        match self.stream.take() {
            Some(Subscription::Sse(sse)) => sse.reset(),
            Some(Subscription::Ws(ws)) => ws.reset(),
            _ => {}
        }
        self.session = String::new();
        for asked in self.asked.drain(..) {
            asked.await.expect("a change is refused nothing");
        }
    }

    pub(crate) async fn read_until_joined(&mut self) {
        while !self.pending.is_empty() {
            self.step().await;
        }
    }

    pub(crate) async fn read_past(&mut self, goal: Seq) {
        while self.cursor.is_none_or(|cursor| cursor.seq < goal) {
            self.step().await;
        }
        for asked in self.asked.drain(..) {
            asked.await.expect("a change is refused nothing");
        }
    }

    async fn step(&mut self) {
        let item = self.stream.as_mut().unwrap().next().await.expect("an open stream");
        if let Some(Subscription::Ws(ws)) = &mut self.stream {
            for answer in ws.answers.drain(..) {
                let names: Vec<&str> = answer["ref"].as_str().unwrap_or_default().split(' ').collect();
                assert_eq!(answer["ok"], json!({"added": names, "refused": []}), "{answer}");
            }
        }
        match item {
            Item::Event { id, data } => self.on_event(id, &serde_json::from_str(&data).unwrap()),
            Item::Control { name, id, data } => {
                self.on_control(&name, id, &serde_json::from_str(&data).unwrap());
            }
            Item::Position(id) => self.moved(id),
            Item::Life => {}
        }
    }

    fn moved(&mut self, id: Cursor) {
        assert!(self.group.is_none(), "an id between $subscribed and $joined: {id}");
        assert!(self.cursor.is_none_or(|cursor| cursor.seq <= id.seq), "{:?} then {id}", self.cursor);
        self.cursor = Some(id);
        for held in self.joined.values_mut() {
            let from = held.map_or(id.seq, |held| held.from);
            *held = Some(Stretch { from, to: id.seq });
        }
    }

    fn on_event(&mut self, id: Option<Cursor>, event: &Value) {
        let own = cursor_of(&event["id"]);
        let mut channels = vec![known(event["channel"].as_str().unwrap())];
        if event["also"].is_array() {
            channels.extend(names(&event["also"]));
        }
        match (&self.group, id) {
            (Some(group), None) => {
                assert!(channels.iter().any(|name| group.contains(name)), "{event} for {group:?}");
                self.tally.backfilled += 1;
            }
            (None, Some(id)) => {
                assert!(id == own && channels.iter().any(|name| self.joined.contains_key(name)), "{event}");
            }
            other => {
                panic!("an id where there must be none, or none where there must be one: {other:?} {event}")
            }
        }
        self.apply(own.seq, &channels);
        match id {
            Some(id) => self.moved(id),
            None => self.backfilled(own.seq),
        }
    }

    fn apply(&mut self, seq: Seq, channels: &[&'static str]) {
        let holds = |held: &Option<Stretch>| held.is_some_and(|held| held.from < seq && seq <= held.to);
        let held = channels.iter().any(|name| {
            self.joined.get(name).is_some_and(holds) || self.pending.get(name).is_some_and(|p| holds(&p.held))
        });
        if held {
            self.tally.dropped += 1;
            assert!(self.had.contains(&seq), "{seq} is dropped and was never had");
        } else {
            self.tally.applied += 1;
            assert!(self.had.insert(seq), "{seq} comes twice, and nothing held told so");
        }
    }

    fn backfilled(&mut self, seq: Seq) {
        for name in self.group.iter().flatten() {
            if let Some(held) = self.pending.get_mut(name).and_then(|pending| pending.held.as_mut()) {
                held.to = held.to.max(seq);
            }
        }
    }

    fn on_control(&mut self, name: &str, id: Option<Cursor>, data: &Value) {
        match name {
            "$ready" => {
                let asked = self.cursor.or(self.since);
                assert_eq!(
                    (data["resumed"].as_bool(), asked.is_none() || id == asked),
                    (Some(asked.is_some()), true)
                );
                data["session"].as_str().unwrap().clone_into(&mut self.session);
                self.moved(id.unwrap());
            }
            "$subscribed" => self.on_subscribed(id, data),
            "$joined" => self.on_joined(id, data),
            "$reset" => self.on_reset(id, data),
            other => panic!("{other} {data}"),
        }
    }

    fn on_subscribed(&mut self, id: Option<Cursor>, data: &Value) {
        assert_eq!((id, &self.group), (None, &None), "{data}");
        let (group, from) = (names(&data["channels"]), cursor_of(&data["from"]));
        for name in &group {
            let pending = self.pending.get_mut(name).expect("a channel that was asked for");
            match (&pending.since, &mut pending.held) {
                // What came of it before the connection was cut is still held.
                (Some(since), Some(held)) if since != UNKNOWN => assert_eq!(held.from, from.seq),
                (Some(since), None) if since != UNKNOWN && since != "start" => {
                    assert_eq!(*since, from.to_string())
                }
                _ => {}
            }
            let begins_anew = pending.since.as_deref().is_none_or(|since| since == UNKNOWN);
            if begins_anew || pending.held.is_none() {
                pending.held = Some(Stretch { from: from.seq, to: from.seq });
            }
        }
        self.group = Some(group);
    }

    fn on_reset(&mut self, id: Option<Cursor>, data: &Value) {
        let group = self.group.clone().expect("only an added channel has an unknown cursor");
        assert_eq!(
            (id, names(&data["channels"]), data["reason"].as_str()),
            (None, group.clone(), Some("unknown"))
        );
        let through = cursor_of(&data["through"]).seq;
        for name in group {
            let pending = self.pending.get_mut(name).unwrap();
            assert_eq!(pending.since.as_deref(), Some(UNKNOWN));
            pending.held = Some(Stretch { from: through, to: through });
        }
    }

    fn on_joined(&mut self, id: Option<Cursor>, data: &Value) {
        let group = self.group.take().expect("$subscribed before $joined");
        assert_eq!(names(&data["channels"]), group);
        // The id of a block that repeats the last one cannot be told from none.
        let at = id.or(self.cursor).unwrap();
        for name in group {
            let pending = self.pending.remove(name).unwrap();
            let from = pending.held.unwrap().from;
            let before = self.joined.get(name).copied().flatten();
            let from = before.map_or(from, |before| before.from.min(from));
            self.joined.insert(name, Some(Stretch { from, to: at.seq }));
        }
        self.moved(at);
    }

    /// Everything of each channel from where it began was had.
    pub(crate) fn check(&self, goal: Seq) {
        for (name, held) in &self.joined {
            let held = held.unwrap();
            assert!(held.to >= goal);
            let expected = self.source.on(name, held.from, goal);
            let lost: Vec<_> = expected.iter().filter(|seq| !self.had.contains(seq)).collect();
            assert!(
                lost.is_empty(),
                "{} of {} events of {name} are lost: {lost:?}",
                lost.len(),
                expected.len()
            );
        }
    }
}
