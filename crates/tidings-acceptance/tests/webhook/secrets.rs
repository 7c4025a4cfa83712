//! Whose a delivery is: the secret that verifies says so, and nothing else.

use serde_json::json;
use tidings_acceptance::{Call, ServerOptions, User, report};

use crate::hub::{Hub, in_progress, secret, signed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_names_the_tenant() {
    let hub = Hub::make().await;
    let run = hub.bound().await;
    let body = json!({"id": run.cast, "workflowRunId": run.id});
    let made = Call::post("/api/casts", &body).by(&hub.south.key).make(hub.server.address()).await;
    assert_eq!(made.status, 201, "{}", made.told());
    let north = hub.state(&hub.north, &run.cast).await;
    // The other tenant's secret, however the request names the first.
    let hostile = signed(&hub.south.secret, &hub.id(), in_progress(&run));
    let hostile = hostile.query("tenant=north").line("x-tenant: north").by(&hub.north.key);
    hub.deliver(&hostile).await;
    assert_eq!(hub.state(&hub.north, &run.cast).await, north);
    assert_eq!(hub.state(&hub.south, &run.cast).await.cast["status"], "running", "its own is meant");
    // The same delivery, by id and body, is another tenant's own.
    hub.deliver(&hub.delivery(in_progress(&run))).await;
    assert_eq!(hub.state(&hub.north, &run.cast).await.cast["status"], "running", "the twin");
    let rows = hub.server.json(&["audit", "--tenant", "north", "--action", "webhook.*"]).await;
    assert!(!rows.to_string().contains(&hub.south.webhook), "{rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_rotate_without_a_gap() {
    let options = ServerOptions::unlimited().set("webhooks.github.secret", "the secret of the configuration");
    let hub = Hub::make_with(options).await;
    let old = &hub.north;
    let (_, new) = secret(&hub.server, "north").await;
    assert_ne!(new, old.secret);
    for secret in [&old.secret, &new] {
        let run = hub.bound().await;
        hub.deliver(&signed(secret, &hub.id(), in_progress(&run))).await;
        assert_eq!(hub.state(old, &run.cast).await.cast["status"], "running", "two secrets hold at once");
    }
    // The same delivery under both is one.
    let (run, id) = (hub.bound().await, hub.id());
    for secret in [&old.secret, &new] {
        hub.deliver(&signed(secret, &id, in_progress(&run))).await;
    }
    assert_eq!(hub.state(old, &run.cast).await.events.len(), 2, "created, started");
    hub.server.json(&["webhook", "remove", &old.webhook]).await;
    let run = hub.bound().await;
    let hostile = signed(&old.secret, &hub.id(), in_progress(&run));
    let twin = signed(&new, &hub.id(), in_progress(&run));
    hub.has_no_effect("removed", &run, &hostile, 401, &twin).await;
    report("webhook: secrets rotated: both held, then the new one alone");

    // The configured secret is the tenant `default`'s.
    let owner = User::add(&hub.server, "owner@default.example", &["--role", "admin"]).await;
    let (_, key) = owner.key(&hub.server, "its").await;
    let made = Call::post("/api/casts", &json!({"id": "configured", "workflowRunId": 5})).by(&key);
    assert_eq!(made.make(hub.server.address()).await.status, 201);
    let run = crate::hub::Run { cast: "configured".to_owned(), id: 5 };
    hub.deliver(&signed("the secret of the configuration", &hub.id(), in_progress(&run))).await;
    let cast = Call::get("/api/casts/configured").by(&key).make(hub.server.address()).await.json();
    assert_eq!(cast["status"], "running");
}

#[tokio::test]
async fn one_secret_in_two_tenants_is_refused() {
    let configured = "the secret of the configuration";
    let hub = Hub::make_with(ServerOptions::unlimited().set("webhooks.github.secret", configured)).await;
    let file = hub.server.scratch().join("secret");
    std::fs::write(&file, &hub.north.secret).unwrap();
    let file = file.to_str().unwrap();
    let told = hub.server.fails(&["webhook", "add", "--tenant", "south", "--secret-file", file]).await;
    assert!(!told.is_empty() && !told.contains(&hub.north.secret), "{told}");
    // The configured one is the tenant `default`'s: the next start would refuse to begin.
    std::fs::write(file, configured).unwrap();
    let told = hub.server.fails(&["webhook", "add", "--tenant", "south", "--secret-file", file]).await;
    assert!(told.contains("webhooks.github.secret") && !told.contains(configured), "{told}");
    std::fs::write(file, "another secret, long enough for this").unwrap();
    hub.server.json(&["webhook", "add", "--tenant", "south", "--secret-file", file]).await;
    assert_ne!(hub.north.owner.id, hub.south.owner.id);
}
