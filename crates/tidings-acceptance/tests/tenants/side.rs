//! Two tenants on one server, alike but for a word in all that is secret.

use serde_json::{Value, json};
use tidings_acceptance::issuer::Issuer;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::token_key::TokenKey;
use tidings_acceptance::{Ask, Call, Server, ServerOptions, Subscription, Target, Transport, User};

/// What both have casts of.
pub(crate) const SHARED: [&str; 2] = ["shared_1", "shared_2"];

/// One tenant and all that is its own.
pub(crate) struct Side {
    pub(crate) tenant: &'static str,
    /// A word that stands in all its data and in no request of the other.
    pub(crate) mark: &'static str,
    pub(crate) admin: User,
    pub(crate) member: User,
    /// The admin's key: the right credential for everything here.
    pub(crate) key: Target,
    pub(crate) service: Target,
    pub(crate) cookie: Target,
    pub(crate) member_cookie: Target,
    pub(crate) token: Target,
    /// A cast whose id the other has none of, and a channel.
    pub(crate) only: String,
    pub(crate) only_channel: String,
    /// An open stream of the admin's, and its cookie session.
    pub(crate) session: String,
    pub(crate) cookie_session: String,
    /// Positions in its log.
    pub(crate) cursors: Vec<String>,
    /// What the other must never be told.
    pub(crate) secrets: Vec<String>,
    pub(crate) _stream: Subscription,
}

/// Both, and the server.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) north: Side,
    pub(crate) south: Side,
    pub(crate) issuers: [Issuer; 2],
}

impl World {
    pub(crate) async fn make() -> Self {
        let issuer = |name, tenant| Issuer { name, tenant, key: TokenKey::es256(), kid: Some("k1") };
        let issuers = [issuer("n", "north"), issuer("s", "south")];
        let configured: Value = issuers.iter().map(Issuer::configuration).collect();
        let options = ServerOptions::unlimited()
            .set("auth.issuers", &configured.to_string())
            .set("auth.user_grants", "publish:*,subscribe:*");
        let server = Server::start(options).await;
        let north = Side::make(&server, "north", "kestrel", "aaaaaaaa", &issuers[0]).await;
        let south = Side::make(&server, "south", "walrus", "bbbbbbbb", &issuers[1]).await;
        Self { server, north, south, issuers }
    }
}

impl Side {
    async fn make(
        server: &Server,
        tenant: &'static str,
        mark: &'static str,
        own: &str,
        issuer: &Issuer,
    ) -> Self {
        server.json(&["tenant", "add", tenant]).await;
        let (admin, key) = Self::user(server, tenant, &format!("pat@{mark}.example"), "admin").await;
        let (member, _) = Self::user(server, tenant, &format!("sam@{mark}.example"), "member").await;
        let grants = ["--grant", "publish:*", "--grant", "subscribe:*"];
        let service = [&["key", "create", "--tenant", tenant, "--name", "service"][..], &grants].concat();
        let service = server.json(&service).await["key"].as_str().unwrap().to_owned();
        let cookie = admin.sign_in(server.address()).await;
        let sessions = Call::get("/auth/sessions").by(&cookie).make(server.address()).await.json();
        let cookie_session = sessions["items"][0]["id"].as_str().unwrap().to_owned();
        let (stream, session) = Self::stream(&key).await;
        let target = |text: &str| Target::new(server.address(), text);
        let mut side = Self {
            tenant,
            mark,
            member_cookie: member.sign_in(server.address()).await,
            token: target(&issuer.token("7")),
            service: target(&service),
            only: format!("only_{own}"),
            only_channel: format!("private:{own}"),
            cursors: Vec::new(),
            secrets: Vec::new(),
            _stream: stream,
            admin,
            member,
            key,
            cookie,
            session,
            cookie_session,
        };
        side.plant().await;
        side.secrets = side.keep_secret();
        side
    }

    async fn user(server: &Server, tenant: &str, email: &str, role: &str) -> (User, Target) {
        let user = User::add(server, email, &["--tenant", tenant, "--role", role]).await;
        let (_, key) = user.key(server, &format!("{role}'s")).await;
        (user, key)
    }

    async fn stream(target: &Target) -> (Subscription, String) {
        let mut stream = Subscription::open(Transport::Sse, target, &Ask::of(&["news"])).await.unwrap();
        let Item::Control { data, .. } = stream.next().await.unwrap() else {
            panic!("a control comes first")
        };
        let ready: Value = serde_json::from_str(&data).unwrap();
        (stream, ready["session"].as_str().unwrap().to_owned())
    }

    /// Casts and events that say the word.
    async fn plant(&mut self) {
        let (mark, address) = (self.mark, self.key.address);
        for id in SHARED.into_iter().chain(["shared_done", &self.only]) {
            let body =
                json!({"id": id, "message": mark, "repository": format!("{mark}/repo"), "workflowRunId": 7});
            let made = Call::post("/api/casts", &body).by(&self.key).line("idempotency-key: same-key");
            let made = if id == SHARED[0] { made } else { Call::post("/api/casts", &body).by(&self.key) };
            let reply = made.make(address).await;
            assert_eq!(reply.status, 201, "{}", reply.told());
            let data = json!({"progress": 10, "message": mark});
            let told = Call::post(
                format!("/api/casts/{id}/events"),
                &json!({"type": "PROGRESS_UPDATE", "data": data}),
            );
            assert!(told.by(&self.service).make(address).await.is_good());
        }
        let done = Call::new("POST", "/api/casts/shared_done/cancel").by(&self.key).make(address).await;
        assert!(done.is_good(), "{}", done.told());
        for channel in ["news", "shared:1", &self.only_channel] {
            let event = json!({
                "channel": channel, "type": mark, "data": {"word": mark}, "actor": mark, "key": mark,
                "mutationId": mark, "category": mark.to_uppercase(), "idempotencyKey": "same-key",
            });
            let reply = Call::post("/v1/publish", &event).by(&self.service).make(address).await;
            let id = reply.json()["events"][0]["id"]
                .as_str()
                .unwrap_or_else(|| panic!("{}", reply.told()))
                .to_owned();
            self.cursors.push(id);
        }
        // Casts are listed under others' names, too.
        let theirs = json!({"id": "members", "userId": self.member.id, "message": mark});
        assert_eq!(Call::post("/api/casts", &theirs).by(&self.key).make(address).await.status, 201);
    }

    fn keep_secret(&self) -> Vec<String> {
        let mut secrets = vec![self.mark.to_owned(), self.admin.id.clone(), self.member.id.clone()];
        secrets
            .extend([&self.session, &self.cookie_session, &self.only, &self.only_channel].map(Clone::clone));
        secrets.extend(self.cursors.iter().cloned());
        for target in [&self.key, &self.service, &self.cookie, &self.member_cookie, &self.token] {
            secrets.push(target.key.trim_start_matches("tidings_session=").to_owned());
        }
        secrets
    }

    /// Every kind of credential, by name.
    pub(crate) fn credentials(&self) -> [(&'static str, &Target); 5] {
        [
            ("an admin's cookie", &self.cookie),
            ("a member's cookie", &self.member_cookie),
            ("a service key", &self.service),
            ("an admin's key", &self.key),
            ("a token", &self.token),
        ]
    }

    /// The end of its log, and all its casts: what nobody else may change.
    pub(crate) async fn state(&self) -> (Value, Value) {
        let poll = Call::get("/v1/poll?channel=*").by(&self.key).make(self.key.address).await.json();
        let casts = Call::get("/api/casts").by(&self.key).make(self.key.address).await.json();
        assert!(
            poll["cursor"].is_string() && casts["items"].as_array().is_some_and(|items| items.len() >= 5)
        );
        (poll["cursor"].clone(), casts)
    }
}
