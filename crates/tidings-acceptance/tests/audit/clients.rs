//! Clients that know what became of their stream, and when.

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::casts::{mention, send, told};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Frames, Server, ServerOptions, Subscription, Target, Transport, User, within};
use tokio::time::Instant;

use crate::PATIENCE;

/// How long a cast's stream lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3);
/// What the server's clock may see later than the client's, and what it may take to see that a client has gone.
const SLACK: Duration = Duration::from_millis(1_000);

/// Whoever opens streams.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) target: Target,
    /// As the audit log calls it.
    pub(crate) name: String,
}

/// What the client knows of its stream.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// What stands before the actions.
    pub(crate) prefix: &'static str,
    pub(crate) user: String,
    pub(crate) resource: String,
    pub(crate) reason: &'static str,
    pub(crate) messages: u64,
    /// Between these is how long it was open, in milliseconds.
    pub(crate) open_for: (u64, u64),
}

/// The server, its users and its keys.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) helper: Target,
    pub(crate) users: Vec<User>,
    /// The users, signed in, then service keys.
    pub(crate) all: Vec<Who>,
}

impl World {
    pub(crate) async fn make() -> Self {
        let options = ServerOptions::new()
            .set("auth.user_grants", "subscribe:live:*")
            .set("limits.streams_per_user", "0")
            .set("limits.logins_per_minute", "0")
            .set("limits.connects_per_minute.session", "0")
            .set("stream.casts_lifetime", &format!("{}s", LIFETIME.as_secs()));
        let server = Server::start(options).await;
        let helper = server.master().await;
        let (mut users, mut all) = (Vec::new(), Vec::new());
        for n in 0..4 {
            let user = User::add(&server, &format!("user{n}@example.test"), &[]).await;
            all.push(Who { target: user.sign_in(server.address()).await, name: user.id.clone() });
            users.push(user);
        }
        let mut world = Self { server, helper, users, all };
        for n in 0..3 {
            let who = world.key(&format!("service{n}")).await.1;
            world.all.push(who);
        }
        world
    }

    /// A service key that reads everything: its id, and who it is.
    pub(crate) async fn key(&self, name: &str) -> (String, Who) {
        let made = self.server.json(&["key", "create", "--name", name, "--grant", "subscribe:*"]).await;
        let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
        let who = Who { target: Target::new(self.server.address(), key), name: format!("key:{id}") };
        (id.to_owned(), who)
    }

    /// Makes a cast that `who` may read.
    pub(crate) async fn cast(&self, id: &str, who: &Who) {
        let owner = if who.name.starts_with("key:") { &self.users[0].id } else { &who.name };
        mention(&self.helper, id, owner).await;
    }
}

/// An open stream of any kind.
pub(crate) enum Stream {
    Cast(Box<Frames>),
    Native(Box<Subscription>),
}

/// An open stream, and what is known of it.
pub(crate) struct Client {
    stream: Stream,
    prefix: &'static str,
    user: String,
    resource: String,
    asked: Instant,
    ready: Instant,
    /// When it was known to be open, last.
    alive: Instant,
    messages: u64,
}

impl Client {
    /// Opens the stream of a cast, or of a channel by a transport, up to its `$ready`.
    pub(crate) async fn open(who: &Who, resource: &str, transport: Option<Transport>) -> Self {
        let asked = Instant::now();
        let (stream, prefix) = match transport {
            None => {
                let path = format!("/api/casts/{resource}/events");
                let opened = within(PATIENCE, "a stream", Frames::open(&who.target, &path, "")).await;
                let mut frames =
                    opened.unwrap_or_else(|answer| panic!("{} {}", answer.status(), answer.json()));
                assert_eq!(frames.event().await.name, "$ready");
                (Stream::Cast(Box::new(frames)), "cast.sse")
            }
            Some(transport) => {
                let ask = Ask::of(&[resource]);
                let opened = Subscription::open(transport, &who.target, &ask);
                let mut native = within(PATIENCE, "a stream", opened).await.unwrap();
                assert!(
                    matches!(native.next().await.unwrap(), Item::Control { name, .. } if name == "$ready")
                );
                let prefix = if transport == Transport::Ws { "stream.ws" } else { "stream.sse" };
                (Stream::Native(Box::new(native)), prefix)
            }
        };
        let (user, resource) = (who.name.clone(), resource.to_owned());
        let ready = Instant::now();
        Self { stream, prefix, user, resource, asked, ready, alive: ready, messages: 0 }
    }

    /// Takes what comes next; the reason where it is the end.
    async fn take(&mut self) -> Option<String> {
        let (name, data) = match &mut self.stream {
            Stream::Cast(frames) => {
                let frame = frames.event().await;
                (frame.name, frame.data)
            }
            Stream::Native(native) => match native.next().await.unwrap() {
                Item::Control { name, data, .. } => (name, serde_json::from_str(&data).unwrap()),
                Item::Event { .. } => ("event".to_owned(), json!(null)),
                _ => return None,
            },
        };
        if name.starts_with('$') {
            assert_eq!(name, "$end", "{data}");
            return Some(data["reason"].as_str().unwrap().to_owned());
        }
        self.messages += 1;
        None
    }

    /// Reads until so many messages have come.
    pub(crate) async fn has(&mut self, messages: u64) {
        let reading = async {
            while self.messages < messages {
                assert_eq!(self.take().await, None);
            }
        };
        within(PATIENCE, "messages", reading).await;
        self.alive = Instant::now();
    }

    /// Reads to the end, which has to be of this reason; the audit log's word for it may be another.
    pub(crate) async fn ends(mut self, reason: &str, audited: &'static str) -> Seen {
        let reading = async {
            loop {
                if let Some(found) = self.take().await {
                    return found;
                }
            }
        };
        assert_eq!(within(PATIENCE, reason, reading).await, reason);
        let told = Instant::now();
        let closing = async {
            match &mut self.stream {
                Stream::Cast(frames) => assert_eq!(frames.next().await.unwrap(), None),
                Stream::Native(native) => assert!(matches!(native.next().await, Err(Closed::Ended(_)))),
            }
        };
        within(PATIENCE, "the connection's end", closing).await;
        self.seen(audited, told)
    }

    /// Goes away.
    pub(crate) fn leaves(self) -> Seen {
        let now = Instant::now();
        Self { alive: now, ..self }.seen("client_disconnect", now)
    }

    fn seen(self, reason: &'static str, over: Instant) -> Seen {
        let least = if reason == "timeout" { LIFETIME } else { self.alive - self.ready };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let (least, most) = (millis(least), millis(over - self.asked + SLACK));
        Seen {
            prefix: self.prefix,
            user: self.user,
            resource: self.resource,
            reason,
            messages: self.messages,
            open_for: (least, most),
        }
    }
}

/// A cast's stream to its end.
pub(crate) async fn to_the_end(world: &World, n: usize) -> Seen {
    let (who, id) = (&world.all[n % world.all.len()], format!("end{n}"));
    world.cast(&id, who).await;
    let mut client = Client::open(who, &id, None).await;
    client.has(1).await;
    told(&world.helper, &id, "STARTED", json!({})).await;
    match n % 3 {
        0 => drop(told(&world.helper, &id, "COMPLETED", json!({"duration": 1, "costCents": 2})).await),
        1 => drop(told(&world.helper, &id, "FAILED", json!({"errorMessage": "no"})).await),
        _ => drop(send(&world.helper, "POST", &format!("/api/casts/{id}/cancel"), "", None).await),
    }
    client.ends("terminal_state", "terminal_state").await
}

/// A cast's stream that lives as long as it may.
pub(crate) async fn to_its_lifetime(world: &World, n: usize) -> Seen {
    let (who, id) = (&world.all[n % world.all.len()], format!("life{n}"));
    world.cast(&id, who).await;
    Client::open(who, &id, None).await.ends("lifetime", "timeout").await
}

/// A stream whose client leaves.
pub(crate) async fn until_it_leaves(world: &World, n: usize) -> Seen {
    let who = &world.all[n % world.all.len()];
    let transport = [None, Some(Transport::Sse), Some(Transport::Ws)][n % 3];
    let resource = if transport.is_some() { format!("live:{n}") } else { format!("left{n}") };
    if transport.is_none() {
        world.cast(&resource, who).await;
    }
    let mut client = Client::open(who, &resource, transport).await;
    if transport.is_none() {
        client.has(1).await;
        return client.leaves();
    }
    let event = json!({"channel": resource, "type": "t", "data": n});
    let events: Vec<_> = std::iter::repeat_n(event, n % 5).collect();
    if !events.is_empty() {
        Lane::new(&world.helper).expect(&json!({ "events": events })).await;
    }
    client.has((n % 5) as u64).await;
    client.leaves()
}
