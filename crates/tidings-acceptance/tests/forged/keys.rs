//! API keys.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::json;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Call, ServerOptions, report};

use crate::near::near;
use crate::world::{Sent, World, queried, sent};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys() {
    let mut world = World::start(ServerOptions::unlimited()).await;
    let user = world.admin("keys").await;
    let (good_id, good) = user.key(&world.server, "good").await;
    let (revoked_id, revoked) = user.key(&world.server, "revoked").await;
    let brief = ["key", "create", "--name", "brief", "--user", &user.email, "--expires", "1s"];
    let brief = world.server.json(&brief).await["key"].as_str().unwrap().to_owned();
    let gone = world.admin("gone").await;
    let (_, disabled) = gone.key(&world.server, "disabled").await;
    let (_stream, session) = world.stream(&good).await;
    let key = good.key.to_string();
    let ticket = Call::post("/v1/tickets", &json!({"channels": ["a"]})).by(&good);
    let ticket = ticket.make(world.server.address()).await.json()["ticket"].as_str().unwrap().to_owned();
    let cookie = user.sign_in(world.server.address()).await.key.to_string();
    let cookie = cookie.strip_prefix("tidings_session=").unwrap().to_owned();

    // Those that will have ended were good.
    for text in [&*revoked.key, &*disabled.key] {
        let line = format!("authorization: Bearer {text}");
        assert!(Call::get("/auth/me").line(line).make(world.server.address()).await.is_good());
    }
    world.server.json(&["key", "revoke", &revoked_id]).await;
    world.server.json(&["user", "disable", &gone.email]).await;
    until(Duration::from_secs(4), "the brief key to end", async || {
        let me = Call::get("/auth/me").line(format!("authorization: Bearer {brief}"));
        (me.make(world.server.address()).await.status == 401).then_some(())
    })
    .await;

    let mut twins = 0;
    let bearer = format!("authorization: Bearer {key}");
    let x_api_key = format!("x-api-key: {key}");
    for good in [
        sent("bearer", &[&bearer]),
        sent("scheme in capitals", &[&format!("authorization: BEARER {key}")]),
        sent("x-api-key", &[&x_api_key]),
        sent("both, the same", &[&bearer, &x_api_key]),
        sent("beside a cookie that is not good", &[&bearer, "cookie: tidings_session=tds_forged"]),
    ] {
        twins += world.all_accept(&good, &session).await;
    }
    let mut bad = vec![
        sent("none", &[]),
        sent("revoked", &[&format!("authorization: Bearer {}", revoked.key)]),
        sent("revoked as x-api-key", &[&format!("x-api-key: {}", revoked.key)]),
        sent("expired", &[&format!("authorization: Bearer {brief}")]),
        sent("of a disabled user", &[&format!("authorization: Bearer {}", disabled.key)]),
        sent("a key's id", &[&format!("authorization: Bearer {good_id}")]),
        sent("a ticket", &[&format!("authorization: Bearer {ticket}")]),
        sent("a ticket as x-api-key", &[&format!("x-api-key: {ticket}")]),
        sent("a cookie's value", &[&format!("authorization: Bearer {cookie}")]),
        sent("a cookie's value as x-api-key", &[&format!("x-api-key: {cookie}")]),
    ];
    bad.extend(misplaced(&key));
    for (what, text) in near(&key) {
        bad.push(sent(format!("{what}, bearer"), &[&format!("authorization: Bearer {text}")]));
        if !text.starts_with([' ', '\t']) {
            bad.push(sent(format!("{what}, x-api-key"), &[&format!("x-api-key: {text}")]));
        }
    }
    let count = world.none_accepts(&bad, &session).await;
    assert!(
        Call::get("/auth/me")
            .line(format!("cookie: tidings_session={cookie}"))
            .make(world.server.address())
            .await
            .is_good()
    );
    world.ends_all(&sent("bearer", &[&bearer])).await;
    report(format!(
        "forged: {} forged, ended or misplaced keys: {count}, 0 accepted; {twins} twins accepted",
        bad.len()
    ));
}

/// A good key where it does not count.
fn misplaced(key: &str) -> Vec<Sent> {
    let (bearer, x_api_key) = (format!("authorization: Bearer {key}"), format!("x-api-key: {key}"));
    let basic = |text: String| format!("authorization: Basic {}", BASE64.encode(text.as_bytes()));
    let mut all = vec![
        sent("twice in Authorization", &[&bearer, &bearer]),
        sent("twice in x-api-key", &[&x_api_key, &x_api_key]),
        sent("beside another in x-api-key", &[&bearer, "x-api-key: tdk_another"]),
        sent("behind another in Authorization", &["authorization: Bearer tdk_another", &x_api_key]),
        sent("beside an empty x-api-key", &[&bearer, "x-api-key:"]),
        sent("beside Basic", &[&basic("a:b".to_owned()), &x_api_key]),
        sent("in Basic as the user", &[&basic(format!("{key}:"))]),
        sent("in Basic as the password", &[&basic(format!("user:{key}"))]),
        sent("in Basic, bare", &[&format!("authorization: Basic {key}")]),
        sent("in Digest", &[&format!("authorization: Digest {key}")]),
        sent("in Token", &[&format!("authorization: Token {key}")]),
        sent("without a scheme", &[&format!("authorization: {key}")]),
        sent("without a space", &[&format!("authorization: Bearer{key}")]),
        sent("with a colon", &[&format!("authorization: Bearer:{key}")]),
        sent("with a tab", &[&format!("authorization: Bearer\t{key}")]),
        sent("with its scheme twice", &[&format!("authorization: Bearer Bearer {key}")]),
        sent("with its scheme in x-api-key", &[&format!("x-api-key: Bearer {key}")]),
        sent("as the cookie", &[&format!("cookie: tidings_session={key}")]),
        sent("as a cookie of its own", &[&format!("cookie: api_key={key}; authorization={key}")]),
        sent("in the user agent", &[&format!("user-agent: {key}")]),
        sent("as a WebSocket's protocol", &[&format!("sec-websocket-protocol: bearer, {key}")]),
    ];
    for name in [
        "proxy-authorization",
        "x-authorization",
        "authentication",
        "api-key",
        "x-auth-token",
        "x-access-token",
        "x-forwarded-authorization",
        "authorization2",
        "x_api_key",
    ] {
        all.push(sent(format!("in {name}"), &[&format!("{name}: {key}"), &format!("{name}: Bearer {key}")]));
    }
    for name in ["x-forwarded-user", "x-remote-user", "remote-user", "x-user-id", "x-tenant", "x-role"] {
        all.push(sent(
            format!("in {name}, and admin"),
            &[&format!("{name}: admin"), &format!("{name}: {key}")],
        ));
    }
    for name in ["key", "api_key", "apikey", "x-api-key", "token", "access_token", "authorization", "ticket"]
    {
        all.push(queried(format!("{name}={key}")));
    }
    all.push(queried(format!("authorization=Bearer%20{key}")));
    all
}
