//! A server with secrets of two tenants, casts with runs, and GitHub, which tells of these.

use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tidings_acceptance::token_key::mac;
use tidings_acceptance::{Call, Reply, Server, ServerOptions, Target, User};

const ROUTE: &str = "/api/webhooks/github";

/// GitHub's own payloads: a run by `repository_dispatch`, asked for and ended well; another, by `workflow_dispatch`.
pub(crate) const REQUESTED: &str = include_str!("../../../tidings-apps/tests/github/requested.json");
pub(crate) const SUCCESS: &str = include_str!("../../../tidings-apps/tests/github/completed-success.json");
pub(crate) const DISPATCHED: &str =
    include_str!("../../../tidings-apps/tests/github/completed-workflow-dispatch.json");

/// The repository of these.
pub(crate) const REPOSITORY: &str = "octo-org/octo-repo";

/// A tenant with a webhook.
pub(crate) struct Side {
    pub(crate) secret: String,
    pub(crate) webhook: String,
    pub(crate) owner: User,
    pub(crate) key: Target,
}

pub(crate) struct Hub {
    pub(crate) server: Server,
    pub(crate) north: Side,
    pub(crate) south: Side,
    drawn: AtomicU64,
}

/// A cast and the run that carries it out.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) cast: String,
    pub(crate) id: u64,
}

/// What a cast is and what was told of it.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) cast: Value,
    pub(crate) events: Vec<Value>,
}

impl Hub {
    pub(crate) async fn make() -> Self {
        Self::make_with(ServerOptions::unlimited()).await
    }

    pub(crate) async fn make_with(options: ServerOptions) -> Self {
        let server = Server::start(options).await;
        let north = Side::make(&server, "north").await;
        let south = Side::make(&server, "south").await;
        Self { server, north, south, drawn: AtomicU64::new(1_000) }
    }

    fn next(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// A cast that knows its run.
    pub(crate) async fn bound(&self) -> Run {
        let run = Run { cast: format!("cast_{}", self.next()), id: self.next() };
        self.create(&run.cast, &json!({"workflowRunId": run.id, "repository": REPOSITORY})).await;
        run
    }

    /// A cast that knows its repository, and a run that nothing knows of.
    pub(crate) async fn unbound(&self) -> Run {
        let run = Run { cast: format!("cast_{}", self.next()), id: self.next() };
        self.create(&run.cast, &json!({"repository": REPOSITORY})).await;
        run
    }

    pub(crate) async fn create(&self, id: &str, more: &Value) {
        let mut body = json!({"id": id});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = Call::post("/api/casts", &body).by(&self.north.key).make(self.server.address()).await;
        assert_eq!(made.status, 201, "{}", made.told());
    }

    pub(crate) async fn state(&self, side: &Side, cast: &str) -> State {
        let address = self.server.address();
        let read = Call::get(format!("/api/casts/{cast}")).by(&side.key).make(address).await;
        assert!(read.is_good(), "{}", read.told());
        let history = Call::get(format!("/v1/history?channel=cast:{cast}")).by(&side.key).make(address).await;
        let events =
            history.json()["events"].as_array().unwrap_or_else(|| panic!("{}", history.told())).clone();
        State { cast: read.json(), events }
    }

    pub(crate) fn id(&self) -> String {
        format!("72d3162e-cc78-11e3-81ab-{:012}", self.next())
    }

    /// A delivery as GitHub makes it, to the first tenant.
    pub(crate) fn delivery(&self, body: impl AsRef<[u8]>) -> Call {
        signed(&self.north.secret, &self.id(), body)
    }

    /// Makes a delivery that is to be answered 202.
    pub(crate) async fn deliver(&self, call: &Call) -> Reply {
        let reply = call.make(self.server.address()).await;
        assert_eq!(reply.status, 202, "{}: {}", call.name(), reply.told());
        reply
    }

    /// The delivery has no effect on the cast, whether it is refused (with this status) or not; then its twin starts it.
    pub(crate) async fn has_no_effect(
        &self,
        name: &str,
        run: &Run,
        hostile: &Call,
        status: u16,
        twin: &Call,
    ) {
        let before = self.state(&self.north, &run.cast).await;
        let reply = hostile.make(self.server.address()).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.told());
        assert_eq!(self.state(&self.north, &run.cast).await, before, "{name} had an effect");
        self.deliver(twin).await;
        let after = self.state(&self.north, &run.cast).await;
        assert_eq!(after.cast["status"], "running", "the twin of {name}: {}", after.cast);
        let told: Vec<_> =
            after.events[before.events.len()..].iter().map(|event| event["type"].clone()).collect();
        assert_eq!(told, ["STARTED"], "the twin of {name}");
        assert_eq!(
            after.cast["version"].as_u64(),
            before.cast["version"].as_u64().map(|version| version + 1)
        );
    }
}

impl Side {
    async fn make(server: &Server, tenant: &'static str) -> Self {
        server.json(&["tenant", "add", tenant]).await;
        let email = format!("admin@{tenant}.example");
        let owner = User::add(server, &email, &["--tenant", tenant, "--role", "admin"]).await;
        let (_, key) = owner.key(server, "its").await;
        let (webhook, secret) = secret(server, tenant).await;
        Self { secret, webhook, owner, key }
    }
}

/// A further secret of the tenant, and its id.
pub(crate) async fn secret(server: &Server, tenant: &str) -> (String, String) {
    let made = server.json(&["webhook", "add", "--tenant", tenant, "--generate"]).await;
    let text = |member: &str| made[member].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (text("id"), text("secret"))
}

/// GitHub's payload of this run; `changes` are members of `workflow_run`.
pub(crate) fn payload(run: &Run, action: &str, changes: &Value) -> Value {
    let mut payload: Value = serde_json::from_str(SUCCESS).unwrap();
    payload["action"] = action.into();
    payload["workflow_run"]["id"] = run.id.into();
    payload["workflow_run"]["conclusion"] = Value::Null;
    for (name, value) in changes.as_object().unwrap() {
        payload["workflow_run"][name] = value.clone();
    }
    payload
}

/// The run has begun.
pub(crate) fn in_progress(run: &Run) -> String {
    payload(run, "in_progress", &json!({"status": "in_progress"})).to_string()
}

/// The run has ended.
pub(crate) fn completed(run: &Run, conclusion: &Value, attempt: u64) -> String {
    let changes = json!({"conclusion": conclusion, "status": "completed", "run_attempt": attempt});
    payload(run, "completed", &changes).to_string()
}

/// `X-Hub-Signature-256` of these bytes.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&mac(secret.as_bytes(), body)))
}

/// A delivery without the headers that are GitHub's own.
pub(crate) fn bare(body: impl AsRef<[u8]>) -> Call {
    let call = Call::new("POST", ROUTE).bytes(body.as_ref()).line("user-agent: GitHub-Hookshot/044aadd");
    call.line("content-type: application/json")
}

/// A delivery without a signature.
pub(crate) fn unsigned(id: &str, body: impl AsRef<[u8]>) -> Call {
    bare(body).line("x-github-event: workflow_run").line(format!("x-github-delivery: {id}"))
}

/// A whole delivery.
pub(crate) fn signed(secret: &str, id: &str, body: impl AsRef<[u8]>) -> Call {
    let line = format!("x-hub-signature-256: {}", signature(secret, body.as_ref()));
    unsigned(id, body).line(line)
}

/// A whole delivery of another event.
pub(crate) fn of_event(hub: &Hub, event: &str, body: impl AsRef<[u8]>) -> Call {
    let line = format!("x-hub-signature-256: {}", signature(&hub.north.secret, body.as_ref()));
    bare(body)
        .line(format!("x-github-event: {event}"))
        .line(format!("x-github-delivery: {}", hub.id()))
        .line(line)
}
