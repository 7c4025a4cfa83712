//! A server, and how a credential is put before every one of its routes.

use std::ops::AddAssign;

use serde_json::{Value, json};
use tidings_acceptance::call::make_all;
use tidings_acceptance::routes::{self, Things};
use tidings_acceptance::subscription::Item;
use tidings_acceptance::{Ask, Call, Reply, Server, ServerOptions, Subscription, Target, Transport, User};

/// A credential as it is sent: header lines, and a parameter of the query.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) name: String,
    lines: Vec<Vec<u8>>,
    query: Option<String>,
}

pub(crate) fn sent(name: impl Into<String>, lines: &[&str]) -> Sent {
    let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    Sent { name: name.into(), lines, query: None }
}

pub(crate) fn queried(parameter: String) -> Sent {
    Sent { name: format!("?{parameter}"), lines: Vec::new(), query: Some(parameter) }
}

impl Sent {
    pub(crate) fn on(&self, call: &Call) -> Call {
        let call = self.lines.iter().fold(call.clone(), Call::line);
        match &self.query {
            Some(parameter) => call.query(parameter),
            None => call,
        }
    }
}

pub(crate) struct World {
    pub(crate) server: Server,
    /// Reads and makes casts, whatever becomes of the others.
    pub(crate) master: Target,
    rounds: usize,
}

impl World {
    pub(crate) async fn start(options: ServerOptions) -> Self {
        let server = Server::start(options.set("auth.user_grants", "publish:*,subscribe:*")).await;
        let master = User::add(&server, "master@forged.example", &["--role", "admin"]).await;
        let (_, master) = master.key(&server, "master").await;
        Self { server, master, rounds: 0 }
    }

    pub(crate) async fn admin(&self, name: &str) -> User {
        User::add(&self.server, &format!("{name}@forged.example"), &["--role", "admin"]).await
    }

    /// A stream of the principal, and its session's id.
    pub(crate) async fn stream(&self, target: &Target) -> (Subscription, String) {
        let mut stream = Subscription::open(Transport::Sse, target, &Ask::of(&["a"])).await.unwrap();
        let Item::Control { data, .. } = stream.next().await.unwrap() else {
            panic!("a control comes first")
        };
        let ready: Value = serde_json::from_str(&data).unwrap();
        (stream, ready["session"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn things(&mut self, session: &str) -> Things {
        self.rounds += 1;
        let round = self.rounds;
        let things = Things {
            channel: "a".to_owned(),
            session: session.to_owned(),
            cast: format!("kept_{round}"),
            doomed: format!("doomed_{round}"),
            unborn: format!("unborn_{round}"),
        };
        for id in [&things.cast, &things.doomed] {
            let made = Call::post("/api/casts", &json!({"id": id})).by(&self.master);
            assert_eq!(made.make(self.server.address()).await.status, 201);
        }
        things
    }

    async fn head(&self) -> Value {
        let poll = Call::get("/v1/poll?channel=*").by(&self.master);
        poll.make(self.server.address()).await.json()["cursor"].take()
    }

    /// The credential is accepted by every route; how many there are.
    pub(crate) async fn all_accept(&mut self, good: &Sent, session: &str) -> usize {
        let all = routes::all(&self.things(session).await);
        for (route, call) in &all {
            let reply = good.on(call).make(self.server.address()).await;
            assert!(reply.is_good(), "{route}, {}: {}", good.name, reply.told());
        }
        all.len()
    }

    /// The twin of the one request that can be made but once: it signs the user out everywhere.
    pub(crate) async fn ends_all(&self, good: &Sent) {
        let reply = good.on(&end_all()).make(self.server.address()).await;
        assert_eq!(reply.status, 204, "{}", reply.told());
    }

    /// None of these is accepted by any route.
    pub(crate) async fn none_accepts(&mut self, bad: &[Sent], session: &str) -> Refused {
        let mut all = routes::all(&self.things(session).await);
        all.push(("DELETE /auth/sessions", end_all()));
        let before = self.head().await;
        let cases = bad.iter().flat_map(|bad| all.iter().map(move |(route, call)| (route, bad, call)));
        let (names, calls): (Vec<_>, Vec<_>) =
            cases.map(|(route, bad, call)| (format!("{route}, {}", bad.name), bad.on(call))).unzip();
        let mut refused = Refused::default();
        for (name, (_, reply)) in names.iter().zip(make_all(self.server.address(), calls).await) {
            refused += assert_refused(name, &reply);
        }
        assert_eq!(self.head().await, before, "something came of it");
        refused
    }
}

fn end_all() -> Call {
    Call::new("DELETE", "/auth/sessions")
}

/// How many requests were refused.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Refused {
    /// For want of a credential.
    pub(crate) unauthenticated: usize,
    /// For not being a request at all.
    pub(crate) malformed: usize,
}

impl AddAssign for Refused {
    fn add_assign(&mut self, more: Self) {
        self.unauthenticated += more.unauthenticated;
        self.malformed += more.malformed;
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unauthenticated, malformed } = self;
        write!(f, "{unauthenticated} refused as unauthenticated, {malformed} not taken as requests at all")
    }
}

/// Refused for want of a credential, or not understood as a request at all.
pub(crate) fn assert_refused(name: &str, reply: &Reply) -> Refused {
    assert!(!reply.is_good(), "{name}: {}", reply.told());
    match (reply.status, &reply.close) {
        // Closed without a word, or without reading on: the head is too large, or holds what no head may.
        (0 | 400 | 431, None) => return Refused { malformed: 1, ..Refused::default() },
        (101, Some((code, _))) => assert_eq!(*code, 4401, "{name}: {}", reply.told()),
        (status, _) => {
            assert_eq!(status, 401, "{name}: {}", reply.told());
            assert!(reply.header("www-authenticate").is_some(), "{name}: RFC 9110, 15.5.2");
        }
    }
    Refused { unauthenticated: 1, ..Refused::default() }
}
