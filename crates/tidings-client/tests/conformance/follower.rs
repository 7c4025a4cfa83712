//! The application in a case: what the subscriber tells it, in the words of the cases.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_client::subscriber::{Channels, NotFollowed, Options, Since, State, Status};
use tidings_client::{Backoff, Credential, Event, Followed, Gap, Stopped, Subscriber, Told, Update};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::words::fill_text;

/// The status, and what changes the channels, where they can be changed.
type Begun = watch::Receiver<Option<(watch::Receiver<Status>, Option<Channels>)>>;

/// A subscriber and what it has told.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) told: mpsc::Receiver<Value>,
    /// The state once nothing follows.
    over: watch::Receiver<Option<&'static str>>,
    /// What there is once a subscriber is: a record may have to be read first.
    begun: Begun,
    task: JoinHandle<()>,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn credential(client: &Value) -> Credential {
    if client["renews"] != true {
        return Credential::fixed(client["credential"].as_str().unwrap_or("first"));
    }
    let names = Arc::new(std::sync::Mutex::new(vec!["fourth", "third", "second", "first"]));
    Credential::renewed(move || {
        let name = names.lock().unwrap().pop().unwrap_or("none");
        async move { Ok(name.to_owned()) }
    })
}

fn since(follow: &Value) -> Since {
    match follow["since"].as_str() {
        None | Some("now") => Since::Now,
        Some("start") => Since::Start,
        Some(cursor) => Since::Cursor(fill_text(cursor, "").parse().unwrap()),
    }
}

impl Follower {
    /// Follows more.
    pub(crate) fn add(&self, follow: &Value) {
        for channel in texts(&follow["channels"]) {
            self.channels().add(channel, since(follow)).unwrap();
        }
    }

    fn channels(&self) -> Channels {
        self.begun.borrow().as_ref().and_then(|(_, channels)| channels.clone()).unwrap()
    }

    /// Follows these no more.
    pub(crate) fn remove(&self, channels: &Value) {
        for channel in texts(channels) {
            self.channels().remove(channel).unwrap();
        }
    }

    /// Follows what a case says; `is_again`: a record that it follows is read again by itself.
    pub(crate) fn start(url: String, client: &Value, follow: &Value, is_again: bool) -> Self {
        let options = options(url, client, follow);
        let (out, told) = mpsc::channel(1_000);
        let ((ended, over), (begin, begun)) = (watch::channel(None), watch::channel(None));
        let record = follow["snapshot"].as_str().map(str::to_owned);
        let task = tokio::spawn(async move {
            let state = match record {
                Some(path) if is_again => {
                    let followed = Followed::open(&path, options).unwrap();
                    let _ = begin.send(Some((followed.status(), None)));
                    tell_again(followed, &out).await
                }
                Some(path) => {
                    let (record, subscriber) = Subscriber::snapshot::<Value>(&path, options).await.unwrap();
                    let _ = out.send(json!({"snapshot": record})).await;
                    let _ = begin.send(Some((subscriber.status(), Some(subscriber.channels()))));
                    tell(subscriber, &out).await
                }
                None => {
                    let subscriber = Subscriber::open(options).unwrap();
                    let _ = begin.send(Some((subscriber.status(), Some(subscriber.channels()))));
                    tell(subscriber, &out).await
                }
            };
            let _ = ended.send(Some(state));
            // Whoever looks at the state later still finds it.
            std::future::pending::<()>().await;
        });
        Self { told, over, begun, task }
    }

    /// The state in the words of the cases.
    pub(crate) fn state(&self) -> &'static str {
        let over = *self.over.borrow();
        let is_connected =
            |(status, _): &(watch::Receiver<Status>, _)| status.borrow().state == State::Connected;
        let is_connected = self.begun.borrow().as_ref().is_some_and(is_connected);
        over.unwrap_or(if is_connected { "connected" } else { "reconnecting" })
    }

    /// What it was told that it has not been asked for; null where a refusal names no channel.
    pub(crate) fn told(&mut self) -> Option<Value> {
        std::iter::from_fn(|| self.told.try_recv().ok()).find(|told| !told.is_null())
    }
}

fn options(url: String, client: &Value, follow: &Value) -> Options {
    let time = |name: &str, default: u64| Duration::from_millis(client[name].as_u64().unwrap_or(default));
    Options {
        url: Some(url),
        credential: credential(client),
        channels: texts(&follow["channels"]),
        types: texts(&follow["types"]),
        categories: texts(&follow["categories"]),
        since: since(follow),
        backoff: Backoff { first: time("backoff", 30), longest: time("backoff", 30) },
        silence: time("silence", 20_000),
        open_timeout: time("opening", 10_000),
        ..Options::default()
    }
}

/// Tells what comes until nothing follows; the state then.
async fn tell(mut subscriber: Subscriber, out: &mpsc::Sender<Value>) -> &'static str {
    let mut state = "closed";
    while let Some(update) = subscriber.next().await {
        let told = match update {
            Ok(update) => of_update(&update),
            Err(stopped) => {
                state = word(&stopped);
                refused(&stopped)
            }
        };
        let _ = out.send(told).await;
    }
    state
}

/// The same of a record that is read again by itself.
async fn tell_again(mut followed: Followed<Value>, out: &mpsc::Sender<Value>) -> &'static str {
    let mut state = "closed";
    while let Some(told) = followed.next().await {
        let told = match told {
            Ok(Told::Snapshot(record)) => json!({"snapshot": record}),
            Ok(Told::Update(update)) => of_update(&update),
            Err(NotFollowed::NoSnapshot(_)) => {
                state = "refused";
                Value::Null
            }
            Err(NotFollowed::Stopped(stopped)) => {
                state = word(&stopped);
                refused(&stopped)
            }
        };
        let _ = out.send(told).await;
    }
    state
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn word(stopped: &Stopped) -> &'static str {
    match stopped {
        Stopped::Ended { reason } if !["expired", "signed_out", "revoked"].contains(&reason.as_str()) => {
            "closed"
        }
        _ => "refused",
    }
}

/// Where a channel is refused, that; else null.
fn refused(stopped: &Stopped) -> Value {
    match stopped {
        Stopped::Refused(refusal) if refusal.code.ends_with("_channel") && refusal.at.is_some() => {
            json!({"refused": {"channel": refusal.at, "code": refusal.code}})
        }
        _ => Value::Null,
    }
}

/// Null where no case asks for it.
fn of_update(update: &Update) -> Value {
    match update {
        Update::Event(event) => json!({"event": of_event(event)}),
        Update::Gap(gap) => json!({"gap": of_gap(gap)}),
        Update::Refused { channel, code } => json!({"refused": {"channel": channel, "code": code}}),
        Update::Lagged { .. } | Update::Joined { .. } => Value::Null,
    }
}

fn of_gap(gap: &Gap) -> Value {
    json!({"reason": gap.reason, "channels": gap.channels, "through": gap.through})
}

fn of_event(event: &Event) -> Value {
    let data: Value = event.read().unwrap();
    let mut told = json!({"id": event.id, "channel": event.channel, "type": event.kind, "time": event.time, "data": data});
    let more = [
        ("also", (!event.also.is_empty()).then(|| json!(event.also))),
        ("category", event.category.clone().map(Value::from)),
        ("actor", event.actor.clone().map(Value::from)),
        ("version", event.version.map(Value::from)),
        ("mutationId", event.mutation_id.clone().map(Value::from)),
        ("terminal", event.terminal.then_some(Value::Bool(true))),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}
