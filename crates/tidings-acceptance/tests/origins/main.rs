//! What a page of another origin can do with a browser's cookie: nothing. Each refusal has its twins, the same request
//! without `Origin`, from the server's own pages, and from those that are listed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod wrong;

use serde_json::json;
use tidings_acceptance::call::make_all;
use tidings_acceptance::routes::{self, Things};
use tidings_acceptance::subscription::Item;
use tidings_acceptance::{
    Ask, Call, Reply, Server, ServerOptions, Subscription, Target, Transport, User, report,
};

use wrong::wrong;

const LISTED: [&str; 2] = ["https://app.example", "https://studio.example:8443"];

/// What only reads: a page of another origin may ask, and cannot see the answer.
const READS: [&str; 4] = ["GET /auth/me", "GET /auth/sessions", "GET /api/casts", "GET /api/casts/…"];

struct World {
    server: Server,
    admin: User,
    cookie: Target,
    key: Target,
    /// Open as long as the world is.
    _stream: Subscription,
    session: String,
}

impl World {
    async fn make() -> Self {
        let options = ServerOptions::unlimited()
            .set("cors.origins", &LISTED.join(","))
            .set("auth.user_grants", "publish:*,subscribe:*");
        let server = Server::start(options).await;
        let admin = User::add(&server, "admin@origins.example", &["--role", "admin"]).await;
        let cookie = admin.sign_in(server.address()).await;
        let (_, key) = admin.key(&server, "its").await;
        let mut stream = Subscription::open(Transport::Sse, &key, &Ask::of(&["a"])).await.unwrap();
        let Item::Control { data, .. } = stream.next().await.unwrap() else {
            panic!("a control comes first")
        };
        let ready: serde_json::Value = serde_json::from_str(&data).unwrap();
        let session = ready["session"].as_str().unwrap().to_owned();
        Self { server, admin, cookie, key, _stream: stream, session }
    }

    /// Things of their own for each round.
    async fn things(&self, round: &str) -> Things {
        let things = Things {
            channel: "a".to_owned(),
            session: self.session.clone(),
            cast: format!("kept_{round}"),
            doomed: format!("doomed_{round}"),
            unborn: format!("unborn_{round}"),
        };
        for id in [&things.cast, &things.doomed] {
            let made = Call::post("/api/casts", &json!({"id": id})).by(&self.key);
            assert_eq!(made.make(self.server.address()).await.status, 201);
        }
        things
    }

    /// What uses the cookie for more than reading, without it.
    async fn actions(&self, round: &str) -> Vec<(&'static str, Call)> {
        let all = routes::all(&self.things(round).await);
        let mut actions: Vec<_> = all.into_iter().filter(|(name, _)| !READS.contains(name)).collect();
        let several = Call::get(format!("/api/casts/events?castId=kept_{round}"));
        actions.push(("GET /api/casts/events?castId=…", several));
        actions
    }

    fn login(&self) -> Call {
        Call::post("/auth/login", &json!({"email": self.admin.email, "password": self.admin.password}))
    }

    async fn head(&self) -> String {
        let poll = Call::get("/v1/poll?channel=*").by(&self.key).make(self.server.address()).await;
        poll.json()["cursor"].as_str().unwrap().to_owned()
    }
}

fn with(call: Call, lines: &[Vec<u8>]) -> Call {
    lines.iter().fold(call, Call::line)
}

fn assert_wrong_origin(reply: &Reply, what: &str) {
    assert!(!reply.is_good(), "{what}: {}", reply.told());
    let told = (reply.status, reply.code());
    match reply.status {
        101 => {
            assert_eq!(reply.close.as_ref().map(|(code, _)| *code), Some(4403), "{what}: {}", reply.told())
        }
        403 if reply.body.is_empty() => return,
        status => assert_eq!(status, 403, "{what}: {}", reply.told()),
    }
    assert_eq!(told.1, "wrong_origin", "{what}: {}", reply.told());
    for name in ["access-control-allow-origin", "access-control-allow-credentials", "set-cookie"] {
        assert_eq!(reply.header(name), None, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_can_do_nothing_with_the_cookie() {
    let world = World::make().await;
    let address = world.server.address();
    let mut actions: Vec<(&str, Call)> =
        world.actions("w").await.into_iter().map(|(name, call)| (name, call.by(&world.cookie))).collect();
    actions.push(("POST /auth/login", world.login()));
    actions.push(("POST /auth/logout", Call::new("POST", "/auth/logout").by(&world.cookie)));
    actions.push(("DELETE /auth/sessions", Call::new("DELETE", "/auth/sessions").by(&world.cookie)));
    let origins = wrong(address.port());
    assert!(origins.len() >= 24);
    let before = world.head().await;
    let mut names = Vec::new();
    let mut calls = Vec::new();
    for (action, call) in &actions {
        for (origin, lines) in &origins {
            names.push(format!("{action} from {origin}"));
            calls.push(with(call.clone(), lines));
        }
    }
    let sent = calls.len();
    for (name, (_, reply)) in names.iter().zip(make_all(address, calls).await) {
        assert_wrong_origin(&reply, name);
    }
    // Nothing came of any of it.
    assert_eq!(world.head().await, before);
    let me = Call::get("/auth/me").by(&world.cookie).make(address).await;
    assert_eq!(me.status, 200, "still signed in");
    report(format!(
        "origins: {sent} requests with the cookie from {} wrong origins, 0 accepted",
        origins.len()
    ));
    let twins = twins(&world).await;
    report(format!("origins: {twins} twins without Origin, from own and listed pages, all accepted"));
}

/// The same from right pages, and from programs.
async fn twins(world: &World) -> usize {
    let address = world.server.address();
    let own = format!("origin: http://{address}");
    let listed = LISTED.map(|origin| format!("origin: {origin}"));
    let cross = vec![listed[0].clone(), "sec-fetch-site: cross-site".to_owned()];
    let rounds: [(&str, Vec<String>, Option<&str>); 7] = [
        ("absent", vec![], None),
        ("same", vec!["sec-fetch-site: same-origin".to_owned()], None),
        ("none", vec!["sec-fetch-site: none".to_owned()], None),
        ("own", vec![own], None),
        ("one", vec![listed[0].clone()], Some(LISTED[0])),
        ("two", vec![listed[1].clone()], Some(LISTED[1])),
        ("cross", cross, Some(LISTED[0])),
    ];
    let mut count = 0;
    for (round, lines, allowed) in rounds {
        let lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
        for (name, call) in world.actions(round).await {
            let reply = with(call.by(&world.cookie), &lines).make(address).await;
            assert!(reply.is_good(), "{name}, {round}: {}", reply.told());
            assert_cors(&reply, allowed, &format!("{name}, {round}"));
            count += 1;
        }
        let reply = with(world.login(), &lines).make(address).await;
        assert_eq!(reply.status, 200, "{round}: {}", reply.told());
        assert_cors(&reply, allowed, round);
        let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let line = format!("cookie: {cookie}");
        let out = with(Call::new("POST", "/auth/logout").line(&line), &lines).make(address).await;
        assert_eq!(out.status, 204, "{round}: {}", out.told());
        let me = Call::get("/auth/me").line(&line).make(address).await;
        assert_eq!(me.status, 401, "{round}: signed out");
        count += 2;
    }
    count
}

/// Exactly what lets the page that asked read the answer (Fetch standard, "CORS protocol"), or nothing at all.
fn assert_cors(reply: &Reply, allowed: Option<&str>, what: &str) {
    if reply.status == 101 {
        return;
    }
    assert_eq!(reply.header("access-control-allow-origin"), allowed, "{what}");
    let credentials = allowed.map(|_| "true");
    assert_eq!(reply.header("access-control-allow-credentials"), credentials, "{what}");
    let varies = reply.header("vary").unwrap_or_default().to_ascii_lowercase();
    assert!(varies.split(',').any(|name| name.trim() == "origin"), "{what}: Vary: {varies}");
    let exposed: Option<Vec<String>> = reply.header("access-control-expose-headers").map(|names| {
        let mut names: Vec<String> = names.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        names.sort();
        names
    });
    let expected = allowed.map(|_| ["etag", "retry-after", "tidings-cursor"].map(str::to_owned).to_vec());
    assert_eq!(exposed, expected, "{what}");
}

#[tokio::test]
async fn a_header_that_no_browser_adds_by_itself_is_good_from_everywhere_but_for_websockets() {
    let world = World::make().await;
    let address = world.server.address();
    let mut accepted = 0;
    for (index, origin) in ["https://evil.example", "null", "file://"].into_iter().enumerate() {
        for (name, call) in world.actions(&index.to_string()).await {
            let reply = call.by(&world.key).line(format!("origin: {origin}")).make(address).await;
            if name == "GET /v1/ws" {
                assert_wrong_origin(&reply, name);
                continue;
            }
            assert!(reply.is_good(), "{name} from {origin}: {}", reply.told());
            assert_eq!(reply.header("access-control-allow-origin"), None, "{name} from {origin}");
            accepted += 1;
        }
    }
    report(format!(
        "origins: {accepted} requests with a header from other origins accepted, their answers not readable there"
    ));
}

#[tokio::test]
async fn preflights_are_answered_for_listed_origins_alone() {
    let world = World::make().await;
    let address = world.server.address();
    let asking = |origin: &[Vec<u8>], path: &str| {
        let call = Call::new("OPTIONS", path).line("access-control-request-method: PATCH");
        with(call, origin).line("access-control-request-headers: content-type,if-match")
    };
    let mut refused = 0;
    for path in ["/v1/publish", "/auth/login", "/api/casts/x", "/api/casts/x/events", "/v1/events"] {
        for (name, lines) in wrong(address.port()) {
            let reply = asking(&lines, path).make(address).await;
            for header in ["origin", "credentials", "methods", "headers"] {
                let header = format!("access-control-allow-{header}");
                assert_eq!(reply.header(&header), None, "{path} from {name}");
            }
            refused += 1;
        }
        for origin in LISTED {
            let reply = asking(&[format!("origin: {origin}").into()], path).make(address).await;
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, Some(origin)));
            assert!(reply.header("access-control-allow-methods").unwrap().contains("PATCH"));
            let mut headers: Vec<_> =
                reply.header("access-control-allow-headers").unwrap().split(',').map(str::trim).collect();
            headers.sort_unstable();
            let expected = [
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "last-event-id",
                "x-api-key",
            ];
            assert_eq!(headers, expected);
        }
    }
    report(format!("origins: {refused} preflights from wrong origins allowed nothing"));
}

#[tokio::test]
async fn with_a_public_url_the_host_that_a_request_names_counts_for_nothing() {
    let options = ServerOptions::unlimited().set("public_url", "https://live.example");
    let server = Server::start(options).await;
    let user = User::add(&server, "member@origins.example", &[]).await;
    let address = server.address();
    let login = Call::post("/auth/login", &json!({"email": user.email, "password": user.password}));
    let reply = login.clone().line("origin: https://live.example").make(address).await;
    assert_eq!(reply.status, 200, "{}", reply.told());
    let set = reply.header("set-cookie").unwrap();
    assert!(
        set.starts_with("__Host-tidings_session=") && set.contains("; Secure"),
        "browsers reach it over TLS"
    );
    let cookie = format!("cookie: {}", set.split(';').next().unwrap());
    let create = |id: &str| Call::post("/api/casts", &json!({"id": id})).line(&cookie);
    let spoofed = [
        format!("http://{address}"),
        format!("https://{address}"),
        "http://evil.example".to_owned(),
        "https://evil.example".to_owned(),
        "http://live.example".to_owned(),
        "https://live.example:443".to_owned(),
        "https://live.example/".to_owned(),
    ];
    for origin in &spoofed {
        let host = origin.split("//").nth(1).unwrap();
        for call in [login.clone(), create("never"), Call::socket("/v1/ws").line(&cookie)] {
            let line = format!("origin: {origin}");
            assert_wrong_origin(&call.clone().line(&line).make(address).await, origin);
            let forwarded = call.host(host).line("x-forwarded-proto: https").line(line);
            assert_wrong_origin(&forwarded.make(address).await, origin);
        }
    }
    let twin = create("made").line("origin: https://live.example").make(address).await;
    assert_eq!(twin.status, 201, "{}", twin.told());
    let twin = Call::socket("/v1/ws").line(&cookie).line("origin: https://live.example").make(address).await;
    assert!(twin.is_good(), "{}", twin.told());
    report(format!("origins: {} spoofed hosts refused under a public URL", spoofed.len() * 6));
}
