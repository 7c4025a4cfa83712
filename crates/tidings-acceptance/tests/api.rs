//! Every route's refusals: the right status, the stable code, the shape of a problem; and beside each its twin, the
//! same request made right, that succeeds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use tidings_acceptance::http::{Answer, Connection};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Figures, Server, ServerOptions, Subscription, Target, Transport, report};

/// A request, put together by hand.
#[derive(Debug, Clone)]
struct Call {
    method: &'static str,
    path: String,
    headers: Vec<String>,
    body: Option<String>,
}

impl Call {
    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None }
    }

    fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    fn post(path: impl Into<String>, body: &(impl ToString + ?Sized)) -> Self {
        Self { body: Some(body.to_string()), ..Self::new("POST", path) }
    }

    fn publish(body: &(impl ToString + ?Sized)) -> Self {
        Self::post("/v1/publish", body)
    }

    fn with(mut self, header: impl Into<String>) -> Self {
        self.headers.push(header.into());
        self
    }

    fn by(self, target: &Target) -> Self {
        self.with(format!("authorization: Bearer {}", target.key))
    }

    async fn make(&self, target: &Target) -> Answer {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.method, self.path, target.address
        );
        self.headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
        if let Some(body) = &self.body {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(self.body.as_deref().unwrap_or_default());
        let mut connection = Connection::open(target.address).await.unwrap();
        connection.exchange(text.as_bytes()).await.unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

/// A refusal and its twin.
struct Case {
    name: String,
    call: Call,
    status: u16,
    code: &'static str,
    at: Option<String>,
    twin: Call,
}

fn case(name: impl Into<String>, call: Call, (status, code): (u16, &'static str), twin: Call) -> Case {
    Case { name: name.into(), call, status, code, at: None, twin }
}

impl Case {
    fn at(self, at: impl Into<String>) -> Self {
        Self { at: Some(at.into()), ..self }
    }

    async fn check(&self, target: &Target) {
        let answer = self.call.make(target).await;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let name = &self.name;
        assert_eq!((answer.status(), answer.code().as_str()), (self.status, self.code), "{name}: {said}");
        assert_eq!(answer.head.header("content-type"), Some("application/problem+json"), "{name}");
        assert_eq!(answer.head.header("cache-control"), Some("no-store"), "{name}");
        let problem = answer.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: {said}");
        }
        assert_eq!(problem["status"], self.status, "{name}");
        if let Some(at) = &self.at {
            assert_eq!(problem["at"], at.as_str(), "{name}: {said}");
        }
        match self.status {
            401 => assert!(answer.head.header("www-authenticate").is_some(), "{name}"),
            405 => assert!(answer.head.header("allow").is_some(), "{name}: RFC 9110, 15.5.6"),
            429 | 503 if self.code != "idempotency_quota" => {
                assert!(answer.head.header("retry-after").is_some(), "{name}");
            }
            _ => {}
        }
        let twin = self.twin.make(target).await;
        assert!(
            twin.status() < 300,
            "the twin of {name}: {} {}",
            twin.status(),
            String::from_utf8_lossy(&twin.body)
        );
    }
}

async fn check_all(name: &str, cases: &[Case], target: &Target) {
    for case in cases {
        case.check(target).await;
    }
    report(format!("api: {} refusals of {name}, each with its twin", cases.len()));
}

fn good() -> Value {
    json!({"channel": "a", "type": "t", "data": 1})
}

/// The good event with a member of another value.
fn event(member: &str, value: Value) -> Value {
    let mut event = good();
    event[member] = value;
    event
}

const UNAUTHENTICATED: (u16, &str) = (401, "unauthenticated");

#[tokio::test]
async fn credentials_are_asked_for_by_every_route() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let other = server.key("other", &["publish:*", "subscribe:*"]).await;
    let mut stream = Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap();
    let session = session_of(&mut stream).await;
    let routes = [
        Call::publish(&good()),
        Call::get("/v1/poll?channel=a"),
        Call::post("/v1/poll", &json!({"channel": ["a"]})),
        Call::get("/v1/history?channel=a"),
        Call::post("/v1/tickets", &json!({"channels": ["a"]})),
        Call::post(format!("/v1/sessions/{session}/subscriptions"), &json!({"add": [{"channel": "b"}]})),
        Call::post(format!("/v1/sessions/{session}/credential"), &""),
        Call::new("HEAD", "/v1/history?channel=a"),
    ];
    let mut cases = Vec::new();
    for route in routes.iter().filter(|route| route.method != "HEAD") {
        let (name, twin) = (format!("{} {}", route.method, route.path), route.clone().by(&master));
        let bad = [
            ("nothing", vec![]),
            ("another key", vec!["authorization: Bearer tdk_wrong".to_owned()]),
            ("another scheme", vec![format!("authorization: Basic {}", master.key)]),
            ("no key", vec!["authorization: Bearer ".to_owned()]),
            (
                "two of them",
                vec![format!("authorization: Bearer {}", master.key), format!("x-api-key: {}", other.key)],
            ),
            (
                "one of them twice",
                vec![format!("x-api-key: {}", master.key), format!("x-api-key: {}", master.key)],
            ),
            ("a long one", vec![format!("x-api-key: {}", "x".repeat(5_000))]),
        ];
        for (why, headers) in bad {
            let call = Call { headers, ..route.clone() };
            cases.push(case(format!("{name} with {why}"), call, UNAUTHENTICATED, twin.clone()));
        }
    }
    check_all("credentials", &cases, &master).await;
    for header in [format!("x-api-key: {}", master.key), format!("authorization: bearer {}", master.key)] {
        for route in &routes {
            if route.method == "HEAD" {
                continue;
            }
            assert!(route.clone().with(&header).make(&master).await.status() < 300, "{route:?} by {header}");
        }
    }
    // Anybody may ask how the server is.
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json"] {
        assert_eq!(Call::get(path).make(&master).await.status(), 200, "{path}");
    }
}

async fn session_of(stream: &mut Subscription) -> String {
    let Item::Control { data, .. } = stream.next().await.unwrap() else { panic!("$ready comes first") };
    let data: Value = serde_json::from_str(&data).unwrap();
    data["session"].as_str().unwrap().to_owned()
}

fn malformed_events() -> Vec<(&'static str, Value, (u16, &'static str), &'static str)> {
    let (body, channel, kind) = ((400, "invalid_body"), (400, "invalid_channel"), (400, "invalid_type"));
    let deep = |levels: usize| {
        serde_json::from_str(&format!("{}{}", "[".repeat(levels), "]".repeat(levels))).unwrap()
    };
    let many: Vec<String> = (0..9).map(|n| format!("c{n}")).collect();
    vec![
        ("no channel", json!({"type": "t", "data": 1}), body, "/channel"),
        ("no type", json!({"channel": "a", "data": 1}), body, "/type"),
        ("no data", json!({"channel": "a", "type": "t"}), body, "/data"),
        ("a pattern", event("channel", json!("a:*")), channel, "/channel"),
        ("an empty channel", event("channel", json!("")), channel, "/channel"),
        ("a long channel", event("channel", json!("x".repeat(201))), channel, "/channel"),
        ("an empty segment", event("channel", json!("a::b")), channel, "/channel"),
        ("nine further channels", event("also", json!(many)), channel, "/also"),
        ("a bad further channel", event("also", json!(["b", "?"])), channel, "/also/1"),
        ("a control's name", event("type", json!("$ready")), kind, "/type"),
        ("a long type", event("type", json!("x".repeat(101))), kind, "/type"),
        ("the type error", event("type", json!("error")), (400, "reserved_type"), "/type"),
        ("the type open", event("type", json!("open")), (400, "reserved_type"), "/type"),
        ("a bad category", event("category", json!("lower")), kind, "/category"),
        ("a long category", event("category", json!("X".repeat(41))), kind, "/category"),
        ("a long key", event("key", json!("x".repeat(201))), body, "/key"),
        ("an empty key", event("key", json!("")), body, "/key"),
        ("a long actor", event("actor", json!("x".repeat(201))), body, "/actor"),
        ("a long mutation id", event("mutationId", json!("x".repeat(201))), body, "/mutationId"),
        ("a long idempotency key", event("idempotencyKey", json!("x".repeat(256))), body, "/idempotencyKey"),
        ("a large version", event("version", json!(1_u64 << 53)), body, "/version"),
        ("data too deep", event("data", deep(65)), (400, "invalid_data"), "/data"),
        ("data too large", event("data", json!("x".repeat(64 * 1024 - 1))), (413, "body_too_large"), "/data"),
    ]
}

/// The longest and largest that is taken of each.
fn at_the_limits() -> Value {
    let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(64), "]".repeat(64))).unwrap();
    let also: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    json!({"channel": "x".repeat(200), "also": also, "type": "x".repeat(100), "category": "X".repeat(40),
        "key": "x".repeat(200), "actor": "x".repeat(200), "mutationId": "x".repeat(200),
        "idempotencyKey": "x".repeat(255), "version": (1_u64 << 53) - 1, "data": deep})
}

#[tokio::test]
async fn publish_refuses_what_is_malformed() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let twin = Call::publish(&good()).by(&master);
    let mut cases = Vec::new();
    for (name, event, refusal, at) in malformed_events() {
        let alone = Call::publish(&event).by(&master);
        cases.push(case(name, alone, refusal, Call::publish(&at_the_limits()).by(&master)).at(at));
        let batch = Call::publish(&json!({"events": [good(), event]})).by(&master);
        cases.push(
            case(format!("{name}, in a batch"), batch, refusal, twin.clone()).at(format!("/events/1{at}")),
        );
    }
    for (name, body) in [
        ("no body", ""),
        ("no JSON", "{"),
        ("a string", "\"a\""),
        ("a number for a channel", r#"{"channel":1,"type":"t","data":1}"#),
        ("a string for events", r#"{"events":"x"}"#),
        ("an event that is none", r#"{"events":[1]}"#),
        ("two values", r#"{"channel":"a","type":"t","data":1}{}"#),
        ("not UTF-8", "{\"channel\":\"a\",\"type\":\"t\",\"data\":\"\u{0}\"}"),
    ] {
        cases.push(case(name, Call::publish(body).by(&master), (400, "invalid_body"), twin.clone()));
    }
    let batch = |count: usize| Call::publish(&json!({"events": vec![good(); count]})).by(&master);
    cases.push(case("no event", batch(0), (400, "too_many_events"), batch(1)).at("/events"));
    cases.push(case("101 events", batch(101), (400, "too_many_events"), batch(100)).at("/events"));
    let keyed = |key: &str| event("idempotencyKey", json!(key));
    let twice = Call::publish(&json!({"events": [keyed("once"), keyed("once")]})).by(&master);
    let once = Call::publish(&json!({"events": [keyed("once"), keyed("other")]})).by(&master);
    cases.push(
        case("a key twice", twice, (400, "idempotency_key_repeated"), once).at("/events/1/idempotencyKey"),
    );
    check_all("malformed publishes", &cases, &master).await;
    // All or none: of the batches that were refused nothing is there.
    let history = tidings_acceptance::poll::history(&master, &["a"], None).await;
    let expected = cases.iter().filter(|case| case.twin.body.as_deref() == twin.body.as_deref()).count();
    assert_eq!(history.len(), expected + 1 + 100 + 2);
}

/// Members have names: their values in some order are no request.
#[tokio::test]
async fn an_array_is_no_body_of_any_route() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let mut stream = Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap();
    let change = format!("/v1/sessions/{}/subscriptions", session_of(&mut stream).await);
    let event = json!(["a", null, "t", 1, null, null, null, null, null, null, null]);
    let twin = Call::publish(&good()).by(&master);
    let mut cases = Vec::new();
    for (route, body) in [
        ("/v1/publish", json!([])),
        ("/v1/publish", json!([[good()]])),
        ("/v1/publish", event.clone()),
        ("/v1/publish", json!({ "events": [event] })),
        ("/v1/poll", json!([])),
        ("/v1/poll", json!([["a"], [], [], null, 0, 1])),
        ("/v1/tickets", json!([["a"], null])),
        (&change, json!([])),
        (&change, json!([[["b", null]], []])),
        (&change, json!({"add": [["b", null]]})),
    ] {
        cases.push(case(
            format!("{route} {body}"),
            Call::post(route, &body).by(&master),
            (400, "invalid_body"),
            twin.clone(),
        ));
    }
    check_all("arrays", &cases, &master).await;
}

#[tokio::test]
async fn publish_refuses_what_may_not_be() {
    let server = Server::start(ServerOptions::new().set("limits.idempotency_keys", "5")).await;
    let master = server.master().await;
    let narrow = server.key("narrow", &["publish:mine:*", "subscribe:*"]).await;
    let reader = server.key("reader", &["subscribe:*"]).await;
    let mine = |extra: Value| {
        let mut body = event("channel", json!("mine:1"));
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Call::publish(&body)
    };
    let twin = mine(json!({})).by(&narrow);
    let forbidden = (403, "forbidden_channel");
    let not_mine = Call::publish(&event("channel", json!("mine"))).by(&narrow);
    let also_not_mine = mine(json!({"also": ["mine:2", "theirs"]})).by(&narrow);
    let batch = json!({"events": [event("channel", json!("mine:1")), good()]});
    let cases = [
        case("another's channel", not_mine, forbidden, twin.clone()).at("mine"),
        case(
            "another's further channel",
            also_not_mine,
            forbidden,
            mine(json!({"also": ["mine:2"]})).by(&narrow),
        )
        .at("theirs"),
        case("another's channel in a batch", Call::publish(&batch).by(&narrow), forbidden, twin.clone()),
        case("a reader", mine(json!({})).by(&reader), forbidden, twin),
    ];
    check_all("publishes without the right", &cases, &master).await;

    let keyed = |channel: &str, key: &str, data: Value| {
        Call::publish(&json!({"channel": channel, "type": "t", "data": data, "idempotencyKey": key}))
            .by(&master)
    };
    assert_eq!(keyed("a", "k", json!(1)).make(&master).await.status(), 200);
    let end =
        Call::publish(&json!({"channel": "over", "type": "end", "data": null, "terminal": true})).by(&master);
    assert_eq!(end.make(&master).await.status(), 200);
    let after = Call::publish(&event("channel", json!("over"))).by(&master);
    let beside = Call::publish(&event("also", json!(["over"]))).by(&master);
    let fine = Call::publish(&good()).by(&master);
    let cases = [
        case(
            "another body",
            keyed("a", "k", json!(2)),
            (409, "idempotency_conflict"),
            keyed("a", "k", json!(1)),
        ),
        case("an ended channel", after, (409, "channel_ended"), fine.clone()),
        case("an ended further channel", beside, (409, "channel_ended"), fine),
    ];
    check_all("conflicts", &cases, &master).await;
    for n in 0..4 {
        assert_eq!(keyed("a", &format!("more{n}"), json!(1)).make(&master).await.status(), 200);
    }
    let quota = (429, "idempotency_quota");
    let cases = [case("a sixth key", keyed("a", "sixth", json!(1)), quota, keyed("a", "k", json!(1)))];
    check_all("quotas", &cases, &master).await;
    let once = keyed("a", "k", json!(1)).make(&master).await.json();
    assert_eq!(once["events"][0]["duplicate"], true);
}

const PARAMETER: (u16, &str) = (400, "invalid_parameter");
const CHANNEL: (u16, &str) = (400, "invalid_channel");
const KIND: (u16, &str) = (400, "invalid_type");
const CURSOR: (u16, &str) = (400, "invalid_cursor");
const TOO_MANY: (u16, &str) = (400, "too_many_channels");
const BODY: (u16, &str) = (400, "invalid_body");

/// Queries that no way of reading takes.
const QUERIES: [(&str, (u16, &str)); 9] = [
    ("channel=a:", CHANNEL),
    ("channel=%0A", CHANNEL),
    ("channel=", CHANNEL),
    ("channel=a&type=%24x", KIND),
    ("channel=a&category=x", KIND),
    ("channel=a&after=x", CURSOR),
    ("channel=a&after=start&after=start", PARAMETER),
    ("channel=a&heartbeat=loud", PARAMETER),
    ("channel=a&channel=b&channel=c&channel=d", TOO_MANY),
];

#[tokio::test]
async fn reading_refuses_what_is_malformed() {
    let server = Server::start(ServerOptions::new().set("limits.channels_per_session", "3")).await;
    let master = server.master().await;
    let cursor = Lane::new(&master).expect(&good()).await[0];
    let wide: String = (0..101).map(|n| format!("&type=t{n}")).collect();
    let wide = format!("channel=a{wide}");
    let mut cases = Vec::new();
    for path in ["/v1/poll", "/v1/history", "/v1/events"] {
        let twin = Call::get(format!("/v1/history?channel=a&wait=0&after={cursor}")).by(&master);
        let mut bad = QUERIES.to_vec();
        bad.push((&wide, PARAMETER));
        if path != "/v1/events" {
            bad.extend([
                ("", PARAMETER),
                ("channel=a&wait=soon", PARAMETER),
                ("channel=a&limit=-1", PARAMETER),
            ]);
        }
        for (query, refusal) in bad {
            let call = Call::get(format!("{path}?{query}")).by(&master);
            cases.push(case(format!("{path}?{query}"), call, refusal, twin.clone()));
        }
    }
    let twin = Call::post("/v1/poll", &json!({"channel": ["a"], "wait": 0, "after": cursor})).by(&master);
    for (body, refusal) in [
        (json!({"channel": "a"}), BODY),
        (json!(1), BODY),
        (json!({"channel": ["?"]}), CHANNEL),
        (json!({"channel": ["a"], "type": ["$x"]}), KIND),
        (json!({"channel": ["a"], "category": ["x"]}), KIND),
        (json!({"channel": ["a"], "after": "x"}), CURSOR),
        (json!({}), PARAMETER),
        (json!({"channel": ["a"], "wait": "1"}), BODY),
        (json!({"channel": ["a", "b", "c", "d"]}), TOO_MANY),
    ] {
        let call = Call::post("/v1/poll", &body).by(&master);
        cases.push(case(format!("poll by {body}"), call, refusal, twin.clone()));
    }
    check_all("reading", &cases, &master).await;
}

#[tokio::test]
async fn reading_refuses_what_is_forbidden() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let narrow = server.key("narrow", &["subscribe:mine:*"]).await;
    let cursor = Lane::new(&master).expect(&good()).await[0];
    let twin = Call::get(format!("/v1/history?channel=mine:1&after={cursor}")).by(&narrow);
    let mut cases = Vec::new();
    for path in ["/v1/poll", "/v1/history", "/v1/events"] {
        for pattern in ["mine", "*", "mi:*", "theirs:1"] {
            let call = Call::get(format!("{path}?channel=mine:1&channel={pattern}")).by(&narrow);
            let refused =
                case(format!("{path} of {pattern}"), call, (403, "forbidden_channel"), twin.clone());
            cases.push(refused.at(pattern));
        }
    }
    for pattern in ["mine", "*"] {
        for (path, member) in [("/v1/poll", "channel"), ("/v1/tickets", "channels")] {
            let call = Call::post(path, &json!({ member: ["mine:1", pattern] })).by(&narrow);
            let refused =
                case(format!("{path} by body of {pattern}"), call, (403, "forbidden_channel"), twin.clone());
            cases.push(refused.at(pattern));
        }
    }
    check_all("reading without the right", &cases, &master).await;
}

#[tokio::test]
async fn sessions_are_changed_by_their_owner_alone() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let other = server.key("other", &["publish:*", "subscribe:*"]).await;
    let mut stream = Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap();
    let session = session_of(&mut stream).await;
    let change =
        |session: &str, body: Value| Call::post(format!("/v1/sessions/{session}/subscriptions"), &body);
    let credential = |session: &str| Call::post(format!("/v1/sessions/{session}/credential"), &"");
    let add = json!({"add": [{"channel": "b"}], "remove": ["b"]});
    let (twin, unknown) = (change(&session, add.clone()).by(&master), (404, "session_unknown"));
    let mut cases = vec![
        case("another's session", change(&session, add.clone()).by(&other), unknown, twin.clone()),
        case(
            "another's credential",
            credential(&session).by(&other),
            unknown,
            credential(&session).by(&master),
        ),
    ];
    for name in ["nobody", "x", &session[1..], &format!("{session}a"), "%2e%2e", "aaaaaaaaaaaaaaaaaaaaaaaaaa"]
    {
        cases.push(case(name, change(name, add.clone()).by(&master), unknown, twin.clone()));
        cases.push(case(name, credential(name).by(&master), unknown, twin.clone()));
    }
    let many: Vec<Value> = (0..1_001).map(|n| json!({"channel": format!("c{n}")})).collect();
    for (body, code) in [
        (json!("b"), "invalid_body"),
        (json!({"add": "b"}), "invalid_body"),
        (json!({"add": [{}]}), "invalid_body"),
        (json!({"remove": ["?"]}), "invalid_channel"),
        (json!({"add": many}), "too_many_channels"),
    ] {
        let name = body.to_string().chars().take(40).collect::<String>();
        cases.push(case(name, change(&session, body).by(&master), (400, code), twin.clone()));
    }
    check_all("sessions", &cases, &master).await;
    // What is wrong with one entry is no fault of the others.
    let mixed = json!({"add": [{"channel": "?"}, {"channel": "c", "since": "x"}, {"channel": "d"}]});
    let answer = change(&session, mixed).by(&master).make(&master).await.json();
    let refused =
        json!([{"channel": "?", "code": "invalid_channel"}, {"channel": "c", "code": "invalid_cursor"}]);
    assert_eq!(answer, json!({"added": ["d"], "refused": refused}));
}

#[tokio::test]
async fn addresses_and_methods_that_are_none_are_refused() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let ok = Call::get("/healthz");
    let mut cases = Vec::new();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/publish/",
        "/v2/publish",
        "/v1/events/a",
        "/v1/sessions",
        "/v1/sessions/a",
        "//healthz",
        "/healthz/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            cases.push(case(
                format!("{method} {path}"),
                Call::new(method, path).by(&master),
                (404, "not_found"),
                ok.clone(),
            ));
        }
    }
    let routes = [
        ("/v1/publish", &["GET", "PUT", "DELETE", "PATCH"][..], Call::publish(&good()).by(&master)),
        ("/v1/events", &["POST", "PUT", "DELETE"], Call::get("/v1/history?channel=a").by(&master)),
        ("/v1/ws", &["POST", "PUT", "DELETE"], ok.clone()),
        ("/v1/poll", &["PUT", "DELETE"], Call::get("/v1/poll?channel=a").by(&master)),
        ("/v1/history", &["POST", "PUT"], Call::get("/v1/history?channel=a").by(&master)),
        ("/v1/tickets", &["GET", "DELETE"], Call::post("/v1/tickets", &json!({"channels": []})).by(&master)),
        ("/v1/sessions/x/subscriptions", &["GET", "PUT"], ok.clone()),
        ("/v1/sessions/x/credential", &["GET", "PUT"], ok.clone()),
        ("/healthz", &["POST", "DELETE"], ok.clone()),
        ("/metrics", &["POST"], Call::get("/metrics")),
    ];
    for (path, methods, twin) in routes {
        for method in methods {
            let call = Call::new(method, path).by(&master);
            cases.push(case(format!("{method} {path}"), call, (405, "method_not_allowed"), twin.clone()));
        }
    }
    let long = Call::get(format!("/v1/history?channel=a&x={}", "y".repeat(8 * 1024))).by(&master);
    let longest = Call::get(format!("/v1/history?channel=a&x={}", "y".repeat(8 * 1024 - 26))).by(&master);
    cases.push(case("a long address", long, (414, "uri_too_long"), longest));
    check_all("addresses and methods", &cases, &master).await;
}

#[tokio::test]
async fn a_body_is_read_whatever_its_type_says_and_unknown_members_are_ignored() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let mut stream = Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap();
    let session = session_of(&mut stream).await;
    let calls = [
        Call::publish(
            &json!({"channel": "a", "type": "t", "data": 1, "colour": "red", "$id": {"x": []}, "id": "mine", "time": 0}),
        ),
        Call::publish(
            &json!({"events": [{"channel": "a", "type": "t", "data": 1, "colour": 1}], "colour": 2}),
        ),
        Call::post("/v1/poll", &json!({"channel": ["a"], "wait": 0, "colour": "red", "ticket": 1})),
        Call::post("/v1/tickets", &json!({"channels": ["a"], "colour": "red"})),
        Call::post(
            format!("/v1/sessions/{session}/subscriptions"),
            &json!({"add": [{"channel": "b", "colour": 1}], "colour": 2}),
        ),
        Call::get("/v1/history?channel=a&colour=red&Channel=%00&"),
        Call::get("/v1/poll?channel=a&colour=red"),
    ];
    let types = [
        "",
        "content-type: text/plain",
        "content-type: application/xml",
        "content-type: ;;;",
        "content-type: application/json; charset=utf-16",
        "content-type: multipart/form-data",
        "content-type: \u{1}x",
    ];
    let mut made = 0;
    for call in &calls {
        for kind in types.iter().filter(|kind| !kind.contains('\u{1}')) {
            let call = if kind.is_empty() { call.clone() } else { call.clone().with(*kind) };
            let answer = call.by(&master).make(&master).await;
            assert_eq!(answer.status(), 200, "{kind}: {}", String::from_utf8_lossy(&answer.body));
            made += 1;
        }
    }
    report(format!("api: {made} requests under any type or none, with members that nobody knows"));
}

#[tokio::test]
async fn refusals_are_told_and_counted_by_code_whatever_they_come_by() {
    let server = Server::start(ServerOptions::new()).await;
    let (master, reader) = (server.master().await, server.key("reader", &["subscribe:a"]).await);
    let stranger = Target::new(master.address, "nobody");
    let refused = [
        (&master, "/v1/ws?channel=%3F", 4403, "ended_by_admin", "never", "invalid_channel"),
        (&reader, "/v1/ws?channel=b", 4403, "ended_by_admin", "never", "forbidden_channel"),
        (&stranger, "/v1/ws?channel=a", 4401, "expired", "auth", "unauthenticated"),
        (&master, "/v1/ws?channel=a&ticket=none", 4401, "expired", "auth", "ticket_spent"),
    ];
    for (who, path, close, reason, retry, code) in refused {
        let reply = tidings_acceptance::Call::socket(path).by(who).patient().make(who.address).await;
        assert_eq!(reply.close, Some((close, code.to_owned())), "{path}: {}", reply.told());
        let end = format!(r#"{{"reason":"{reason}","retry":"{retry}","code":"{code}"}}"#);
        assert!(reply.has(&end), "{path}: {}", reply.told());
    }
    let Subscription::Ws(mut socket) =
        Subscription::open(Transport::Ws, &reader, &Ask::of(&["a"])).await.unwrap()
    else {
        panic!("a WebSocket")
    };
    let publish = json!({"op": "publish", "ref": 1, "events": [good()]});
    for (request, code) in [(json!({"op": "dance"}), "invalid_body"), (publish, "forbidden_channel")] {
        socket.send(&request).await.unwrap();
        assert_eq!(socket.answer().await.unwrap()["error"]["code"], code);
    }
    for (call, status) in [
        (Call::get("/api/casts/one"), 401),
        (Call::get("/api/casts/another"), 401),
        (Call::new("DELETE", "/api/casts/one").by(&master), 405),
        (Call::publish("{}").by(&master), 400),
    ] {
        assert_eq!(call.make(&master).await.status(), status, "{call:?}");
    }
    let figures = Figures::read(master.address).await;
    for (code, route, count) in [
        ("invalid_channel", "/v1/ws", 1),
        ("forbidden_channel", "/v1/ws", 2),
        ("unauthenticated", "/v1/ws", 1),
        ("ticket_spent", "/v1/ws", 1),
        ("invalid_body", "/v1/ws", 1),
        ("unauthenticated", "/api/casts/{id}", 2),
        ("method_not_allowed", "/api/casts/{id}", 1),
        ("invalid_body", "/v1/publish", 1),
    ] {
        let row = format!("{{code=\"{code}\",route=\"{route}\"}}");
        assert_eq!(figures.sum("tidings_refusals_total", &row), count, "{row}");
    }
    assert_eq!(figures.sum("tidings_refusals_total", ""), 10);
    assert_eq!(figures.sum("tidings_streams_opened_total", "transport=\"ws\""), 1);
}

#[tokio::test]
async fn too_many_streams_and_too_many_in_a_minute_are_429() {
    let server = Server::start(ServerOptions::new().set("limits.streams_per_key", "2")).await;
    let master = server.master().await;
    let _first = Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap();
    let second = Subscription::open(Transport::Ws, &master, &Ask::of(&["a"])).await.unwrap();
    let call = Call::get("/v1/events?channel=a").by(&master);
    let history = Call::get("/v1/history?channel=a");
    let twin = history.clone().by(&master);
    check_all("streams", &[case("a third stream", call.clone(), (429, "too_many_streams"), twin)], &master)
        .await;
    assert_told_to_wait(&call, &master).await;
    // A WebSocket is opened all the same, to say why and when.
    let mut third = Subscription::open(Transport::Ws, &master, &Ask::of(&["a"])).await.unwrap();
    let Item::Control { name, id: None, data } = third.next().await.unwrap() else {
        panic!("no id in a refusal")
    };
    assert!(
        name == "$end"
            && data.contains("\"rate_limited\"")
            && data.contains("\"after\":")
            && data.contains("\"code\":\"too_many_streams\""),
        "{name} {data}"
    );
    assert!(matches!(third.next().await, Err(Closed::Ended(Some(4429)))));
    drop(second);
    tidings_acceptance::wait::until(std::time::Duration::from_secs(5), "room for another", async || {
        Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.ok()
    })
    .await;

    let limits = ServerOptions::new()
        .set("limits.connects_per_minute.api_key", "3")
        .set("limits.connects_per_minute.anonymous", "2");
    let server = Server::start(limits).await;
    let (master, other) = (server.master().await, server.key("other", &["subscribe:*"]).await);
    for _ in 0..3 {
        drop(Subscription::open(Transport::Sse, &master, &Ask::of(&["a"])).await.unwrap());
    }
    let call = Call::get("/v1/events?channel=a").by(&master);
    check_all(
        "streams a minute",
        &[case("a fourth", call.clone(), (429, "rate_limited"), history.by(&other))],
        &master,
    )
    .await;
    assert_told_to_wait(&call, &master).await;
    // Another key has its own count, and strangers theirs.
    drop(Subscription::open(Transport::Sse, &other, &Ask::of(&["a"])).await.unwrap());
    let stranger = Call::get("/v1/events?channel=a").with("x-api-key: wrong");
    let answers = [stranger.make(&master).await, stranger.make(&master).await, stranger.make(&master).await];
    assert_eq!(answers.map(|answer| answer.status()), [401, 401, 429]);
    drop(Subscription::open(Transport::Sse, &other, &Ask::of(&["a"])).await.unwrap());
}

/// A browser that comes back would give up at a 429: it gets a stream that says when to try again.
async fn assert_told_to_wait(call: &Call, target: &Target) {
    let answer = call.clone().with("last-event-id: 0000000000001.0000001").make(target).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(
        (answer.head.status, answer.head.header("content-type")),
        (200, Some("text/event-stream; charset=utf-8"))
    );
    assert!(
        text.contains("event: $end") && text.contains("\"rate_limited\"") && text.contains("retry: "),
        "{text}"
    );
    assert!(!text.contains("id:") && !text.contains("$ready") && text.contains("\"after\":"), "{text}");
}
