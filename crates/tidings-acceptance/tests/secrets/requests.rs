//! Requests with a secret in every place where one is put, by right and by mistake.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use tidings_acceptance::issuer::Issuer;
use tidings_acceptance::routes::{self, Things};
use tidings_acceptance::subscription::Item;
use tidings_acceptance::token_key::{TokenKey, mac};
use tidings_acceptance::{Ask, Call, Reply, Server, ServerOptions, Subscription, Target, Transport, User};

use crate::KEPT;
use crate::canaries::Canaries;
use crate::h2;

/// The server, and what was sent to it.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) canaries: Canaries,
    /// How many answers were looked through.
    pub(crate) answers: usize,
    admin: User,
    key: Target,
    cookie: Target,
    token: String,
    webhook: String,
    things: Things,
    rounds: usize,
    _stream: Subscription,
}

impl Stage {
    pub(crate) async fn make() -> Self {
        let mut canaries = Canaries::default();
        let (hs, github) =
            (canaries.fresh("an issuer's secret"), canaries.fresh("the configured webhook secret"));
        let issuer = Issuer { name: "hs", tenant: "default", key: TokenKey::hs256(&hs), kid: None };
        let options = ServerOptions::unlimited()
            .set("auth.issuers", &json!([issuer.configuration()]).to_string())
            .set("auth.user_grants", "publish:*,subscribe:*")
            .set("webhooks.github.secret", &github)
            .variable("TIDINGS_LOG", "trace");
        let server = Server::start(options).await;
        let admin = User::add(&server, "admin@secrets.example", &["--role", "admin"]).await;
        canaries.watch("a drawn password", &admin.password);
        let (_, key) = admin.key(&server, "its").await;
        canaries.watch("an API key", &key.key);
        let cookie = admin.sign_in(server.address()).await;
        canaries.watch("a cookie", cookie.key.trim_start_matches("tidings_session="));
        let token = issuer.token("somebody");
        canaries.watch("a token's signature", token.rsplit('.').next().unwrap());
        let webhook = server.json(&["webhook", "add", "--tenant", "default", "--generate"]).await;
        let webhook = webhook["secret"].as_str().unwrap_or_else(|| panic!("{webhook}")).to_owned();
        canaries.watch(KEPT, &webhook);
        let mut stream = Subscription::open(Transport::Sse, &key, &Ask::of(&["a"])).await.unwrap();
        let Item::Control { data, .. } = stream.next().await.unwrap() else {
            panic!("a control comes first")
        };
        let ready: Value = serde_json::from_str(&data).unwrap();
        let things = Things {
            channel: "a".to_owned(),
            session: ready["session"].as_str().unwrap().to_owned(),
            cast: "kept".to_owned(),
            doomed: String::new(),
            unborn: String::new(),
        };
        let stage = Self {
            server,
            canaries,
            answers: 0,
            admin,
            key,
            cookie,
            token,
            webhook,
            things,
            rounds: 0,
            _stream: stream,
        };
        let made = Call::post("/api/casts", &json!({"id": "kept"}))
            .by(&stage.key)
            .make(stage.server.address())
            .await;
        assert_eq!(made.status, 201, "{}", made.told());
        stage
    }

    /// Makes the call; nothing secret may be in the answer.
    async fn make_call(&mut self, call: &Call) -> Reply {
        let reply = call.make(self.server.address()).await;
        self.answers += 1;
        let seen = [&reply.head_text[..], &reply.body, format!("{:?}", reply.close).as_bytes()].concat();
        self.canaries.assert_none(&call.name(), &seen);
        reply
    }

    /// Every route, with things of its own.
    async fn routes(&mut self) -> Vec<(&'static str, Call)> {
        self.rounds += 1;
        self.things.doomed = format!("doomed_{}", self.rounds);
        self.things.unborn = format!("unborn_{}", self.rounds);
        let made = Call::post("/api/casts", &json!({"id": self.things.doomed})).by(&self.key);
        assert_eq!(self.make_call(&made).await.status, 201);
        routes::all(&self.things)
    }

    async fn ticket(&mut self) -> String {
        let call = Call::post("/v1/tickets", &json!({"channels": ["a"]})).by(&self.key);
        let reply = call.make(self.server.address()).await;
        let ticket = reply.json()["ticket"].as_str().unwrap_or_else(|| panic!("{}", reply.told())).to_owned();
        self.canaries.watch("a ticket", &ticket);
        ticket
    }

    /// Good credentials everywhere.
    pub(crate) async fn good(&mut self) {
        let lines = [self.key.credential(), format!("x-api-key: {}", self.key.key), self.cookie.credential()];
        for line in &lines {
            for (route, call) in self.routes().await {
                let reply = self.make_call(&call.line(line)).await;
                assert!(reply.is_good(), "{route}: {}", reply.told());
            }
        }
        let bearer = format!("authorization: Bearer {}", self.token);
        assert!(self.make_call(&Call::get("/auth/me").line(&bearer)).await.is_good());
        for path in ["/v1/events?channel=a", "/v1/poll?channel=a", "/v1/history?channel=a"] {
            let ticket = self.ticket().await;
            let call = Call::get(path).query(&format!("ticket={ticket}"));
            assert!(self.make_call(&call).await.is_good());
            assert_eq!(self.make_call(&call).await.status, 401, "spent");
        }
        let ticket = self.ticket().await;
        let call = Call::socket("/v1/ws?channel=a").query(&format!("ticket={ticket}"));
        assert!(self.make_call(&call).await.is_good());
        assert!(!self.make_call(&call).await.is_good(), "spent");
        let auth = json!({"op": "auth", "ref": 1, "token": &*self.key.key});
        let call = Call::socket("/v1/ws").by(&self.key).saying(auth);
        assert!(self.make_call(&call).await.has("\"ok\""));
        let login = json!({"email": self.admin.email, "password": self.admin.password});
        let login = Call::post("/auth/login", &login).make(self.server.address()).await;
        let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        self.canaries.watch("another cookie", cookie.trim_start_matches("tidings_session="));
        let out = Call::new("POST", "/auth/logout").line(format!("cookie: {cookie}"));
        assert_eq!(self.make_call(&out).await.status, 204);
        let control = self.canaries.fresh_control();
        let shown = Call::get("/v1/events?channel=a").by(&self.key).line(format!("user-agent: {control}"));
        assert!(self.make_call(&shown).await.is_good());
    }

    /// Secrets that are not good, in every header and parameter, on every route.
    pub(crate) async fn bad_headers(&mut self) {
        for (route, call) in self.routes().await {
            for place in PLACES {
                let canary = self.canaries.fresh(&format!("{place} of {route}"));
                let basic = BASE64.encode(format!("user:{canary}").as_bytes());
                let line = place.replace("{basic}", &basic).replace("{}", &canary);
                let call = match line.strip_prefix('?') {
                    Some(parameter) => call.clone().query(parameter),
                    None => call.clone().line(line),
                };
                let reply = self.make_call(&call).await;
                assert!(!reply.is_good(), "{route}, {place}: {}", reply.told());
                // The same beside a good credential, where it is ignored or makes the request contradict itself.
                self.make_call(&call.by(&self.key)).await;
            }
            let canary = self.canaries.fresh(&format!("a header that is no text, of {route}"));
            let line = [b"authorization: Bearer ", canary.as_bytes(), b"\xff"].concat();
            self.make_call(&call.line(line)).await;
        }
        let parts: Vec<&str> = self.token.split('.').collect();
        let (header, claims) = (parts[0].to_owned(), parts[1].to_owned());
        for (what, token) in [
            ("a token's signature", "{header}.{claims}.{}"),
            ("a token's claims", "{header}.{}.{}"),
            ("a token's header", "{}.{claims}.AAAA"),
        ] {
            let canary = self.canaries.fresh(what);
            let token =
                token.replace("{header}", &header).replace("{claims}", &claims).replace("{}", &canary);
            let call = Call::get("/auth/me").line(format!("authorization: Bearer {token}"));
            assert_eq!(self.make_call(&call).await.status, 401);
        }
    }

    pub(crate) async fn bad_bodies(&mut self) {
        let email = self.admin.email.clone();
        for body in LOGINS {
            let canary = self.canaries.fresh(&format!("the password in {body}"));
            let body = body.replace("EMAIL", &email).replace("{}", &canary);
            let reply = self.make_call(&Call::new("POST", "/auth/login").bytes(body)).await;
            assert!((400..500).contains(&reply.status), "{}", reply.told());
        }
        for (route, body) in BODIES {
            for credential in [true, false] {
                let canary = self.canaries.fresh(&format!("{body} of {route}"));
                let call = Call::new("POST", *route).bytes(body.replace("{}", &canary));
                let call = if credential { call.by(&self.key) } else { call };
                self.make_call(&call).await;
            }
        }
    }

    pub(crate) async fn bad_messages(&mut self) {
        for token in [
            json!("{}"),
            json!(["{}"]),
            json!({"token": "{}"}),
            json!("tdk_{}"),
            json!("a.b.{}"),
            json!("Bearer {}"),
        ] {
            for name in ["token", "Token", "password"] {
                let canary = self.canaries.fresh(&format!("{name}: {token} in the WebSocket's auth"));
                let mut op = json!({"op": "auth", "ref": 1});
                op[name] = serde_json::from_str(&token.to_string().replace("{}", &canary)).unwrap();
                let reply = self.make_call(&Call::socket("/v1/ws").by(&self.key).saying(op)).await;
                assert!(reply.has("\"error\""), "{}", reply.told());
            }
        }
        let canary = self.canaries.fresh("an op of the WebSocket that there is not");
        let op = json!({"op": "login", "ref": 1, "password": canary, "token": canary});
        self.make_call(&Call::socket("/v1/ws").by(&self.key).saying(op)).await;
    }

    pub(crate) async fn bad_deliveries(&mut self) {
        let body = json!({"action": "requested", "workflow_run": {"id": 1}}).to_string();
        let delivery = |signature: &str| {
            let call = Call::new("POST", "/api/webhooks/github")
                .bytes(body.clone())
                .line("x-github-event: workflow_run");
            call.line("x-github-delivery: 1").line(format!("x-hub-signature-256: {signature}"))
        };
        let signature = HEXLOWER.encode(&mac(self.webhook.as_bytes(), body.as_bytes()));
        self.canaries.watch("a delivery's signature", &signature);
        let good = delivery(&format!("sha256={signature}"));
        assert_eq!(self.make_call(&good).await.status, 202);
        for form in ["sha256={}", "sha256={}{}", "{}", "sha1={}", "Bearer {}"] {
            let canary = self.canaries.fresh(&format!("a delivery's signature, {form}"));
            assert_eq!(self.make_call(&delivery(&form.replace("{}", &canary))).await.status, 401);
        }
        for line in [
            "x-hub-signature: sha1={}",
            "x-github-token: {}",
            "x-gitlab-token: {}",
            "authorization: Bearer {}",
        ] {
            let canary = self.canaries.fresh(&format!("a delivery's {line}"));
            self.make_call(&delivery("sha256=00").line(line.replace("{}", &canary))).await;
        }
        let canary = self.canaries.fresh("a delivery's ?secret=");
        self.make_call(&good.query(&format!("secret={canary}"))).await;
    }

    /// What is no request that a route ever sees.
    pub(crate) async fn malformed(&mut self) {
        let long = "x".repeat(9_000);
        let very_long = "x".repeat(200_000);
        for (what, call) in [
            ("a query that is too long", Call::get(format!("/v1/events?ticket={{}}&channel={long}"))),
            (
                "a head that is too large",
                Call::get("/v1/events").line("authorization: Bearer {}").line(format!("a: {very_long}")),
            ),
            (
                "an address that there is not",
                Call::get("/v2/nothing?ticket={}").line("authorization: Bearer {}"),
            ),
            ("a method that there is not", Call::new("BREW", "/v1/events?ticket={}").line("x-api-key: {}")),
            ("a header line without a name", Call::get("/v1/events").line(": Bearer {}")),
            (
                "a header with a space before its colon",
                Call::get("/v1/events").line("authorization : Bearer {}"),
            ),
            ("a bare carriage return", Call::get("/v1/events").line("authorization: Bearer {}\rx: y")),
            ("two lengths", Call::post("/auth/login", &json!({"password": "{}"})).line("content-length: 3")),
            (
                "a bad encoding",
                Call::post("/auth/login", &json!({"password": "{}"})).line("transfer-encoding: odd"),
            ),
            ("a query that is no UTF-8", Call::get("/v1/events?ticket=%ff{}&channel=a")),
            ("a ticket twice", Call::get("/v1/events?ticket={}&ticket={}")),
        ] {
            let canary = self.canaries.fresh(what);
            let call = call.map_text(|text| text.replace("{}", &canary));
            let reply = self.make_call(&call).await;
            assert!(!reply.is_good(), "{what}: {}", reply.told());
        }
    }

    pub(crate) async fn over_http2(&mut self) {
        let fresh = |canaries: &mut Canaries, name: &str| canaries.fresh(&format!("{name} over HTTP/2"));
        let canaries = &mut self.canaries;
        let events = || "/v1/events?channel=a".to_owned();
        let login = format!(
            "{{\"email\":\"{}\",\"password\":\"{}\"}}",
            self.admin.email,
            fresh(canaries, "a password")
        );
        let asked: Vec<h2::Asked> = vec![
            ("GET", events(), vec![("authorization", format!("Bearer {}", self.key.key))], String::new()),
            ("GET", events(), vec![("cookie", self.cookie.key.to_string())], String::new()),
            ("GET", events(), vec![("authorization", format!("Bearer {}", self.token))], String::new()),
            (
                "GET",
                events(),
                vec![("authorization", format!("Bearer {}", fresh(canaries, "a key")))],
                String::new(),
            ),
            ("GET", events(), vec![("x-api-key", fresh(canaries, "an x-api-key"))], String::new()),
            (
                "GET",
                events(),
                vec![("cookie", format!("tidings_session=tds_{}", fresh(canaries, "a cookie")))],
                String::new(),
            ),
            ("GET", format!("/v1/events?ticket={}", fresh(canaries, "a ticket")), vec![], String::new()),
            ("POST", "/auth/login".to_owned(), vec![], login),
            (
                "POST",
                "/api/webhooks/github".to_owned(),
                vec![
                    ("x-hub-signature-256", format!("sha256={}", fresh(canaries, "a signature"))),
                    ("x-github-delivery", "2".to_owned()),
                    ("x-github-event", "workflow_run".to_owned()),
                ],
                "{}".to_owned(),
            ),
        ];
        let statuses = [200, 200, 200, 401, 401, 401, 401, 401, 401];
        let answers = h2::ask(self.server.address(), asked).await;
        for ((status, seen), expected) in answers.iter().zip(statuses) {
            assert_eq!(*status, expected, "{}", String::from_utf8_lossy(seen));
            self.canaries.assert_none("an answer over HTTP/2", seen);
        }
        self.answers += answers.len();
    }

    /// Secrets that are handed to a running server by its administrator.
    pub(crate) async fn by_command_line(&mut self) {
        let file = self.server.scratch().join("secret");
        let path = file.to_str().unwrap().to_owned();
        let password = self.canaries.fresh("a password that was handed in");
        std::fs::write(&file, &password).unwrap();
        self.server.json(&["user", "add", "other@secrets.example", "--password-file", &path]).await;
        let password = self.canaries.fresh("a password that was changed");
        std::fs::write(&file, &password).unwrap();
        self.server.json(&["user", "password", "other@secrets.example", "--password-file", &path]).await;
        let login =
            Call::post("/auth/login", &json!({"email": "other@secrets.example", "password": password}));
        let reply = login.make(self.server.address()).await;
        let cookie = reply.header("set-cookie").unwrap_or_else(|| panic!("{}", reply.told()));
        self.canaries.watch("their cookie", cookie.split(['=', ';']).nth(1).unwrap());
        let made = self.server.json(&["key", "create", "--name", "later", "--grant", "subscribe:*"]).await;
        self.canaries.watch("a key that was revoked", made["key"].as_str().unwrap());
        self.server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
        let revoked = Call::get("/v1/poll").line(format!("x-api-key: {}", made["key"].as_str().unwrap()));
        assert_eq!(self.make_call(&revoked).await.status, 401);
    }
}

const PLACES: &[&str] = &[
    "authorization: Bearer {}",
    "authorization: Bearer tdk_{}",
    "authorization: Bearer tds_{}",
    "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.{}",
    "authorization: Basic {basic}",
    "authorization: Digest {}",
    "authorization: {}",
    "x-api-key: {}",
    "x-api-key: tdk_{}",
    "cookie: tidings_session={}",
    "cookie: tidings_session=tds_{}",
    "cookie: __Host-tidings_session=tds_{}",
    "cookie: other_session={}",
    "proxy-authorization: Bearer {}",
    "?ticket={}",
    "?ticket=tdt_{}",
    "?token={}",
    "?api_key={}",
    "?access_token={}",
    "?key={}",
    "?password={}",
];

const LOGINS: &[&str] = &[
    r#"{"email":"EMAIL","password":"{}"}"#,
    r#"{"email":"nobody@secrets.example","password":"{}"}"#,
    r#"{"email":"EMAIL","password":"{}""#,
    r#"{"email":"EMAIL","password":"{}"}}"#,
    r#"{"email":"EMAIL","password":["{}"]}"#,
    r#"{"email":"EMAIL","password":{"{}":1}}"#,
    r#"{"email":"EMAIL","passwort":"{}"}"#,
    r#"{"email":{"password":"{}"},"password":"x"}"#,
    r#"{"password":"{}"}"#,
    r#"{"password":"{}","password":"{}"}"#,
    r#"["EMAIL","{}"]"#,
    r#""{}""#,
    r#"{"email":"EMAIL","password":"{}\ud800"}"#,
    r#"{"email":"EMAIL","password":"{}\q"}"#,
    "email=EMAIL&password={}",
    "{}",
];

const BODIES: &[(&str, &str)] = &[
    ("/v1/tickets", r#"{"ticket":"{}","token":"{}"}"#),
    ("/v1/tickets", r#"{"channels":["a"],"token":"{}","password":"{}"}"#),
    ("/v1/tickets", r#"{"channels":{"token":"{}"}}"#),
    ("/v1/publish", r#"{"channel":"a","type":"t","data":1,"token":"{}","apiKey":"{}"}"#),
    ("/v1/publish", r#"{"authorization":"Bearer {}"}"#),
    ("/v1/publish", r#""Bearer {}""#),
    ("/v1/poll", r#"{"channel":["a"],"ticket":"{}"}"#),
    ("/v1/poll", r#"{"channel":["a"],"ticket":["{}"]}"#),
    ("/v1/poll", r#"{"channel":["a"],"token":"{}"}"#),
    ("/api/casts", r#"{"id":"kept","token":"{}","apiKey":"{}"}"#),
    ("/api/casts/kept/events", r#"{"token":"{}"}"#),
];
