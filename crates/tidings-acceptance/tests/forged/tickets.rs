//! Tickets.

use serde_json::{Value, json};
use tidings_acceptance::routes;
use tidings_acceptance::{Call, Reply, ServerOptions, Target, User, report};

use crate::near::near;
use crate::world::{Refused, World, assert_refused};

/// The routes that a ticket opens.
const BY_TICKET: [&str; 7] = [
    "GET /v1/events",
    "GET /v1/ws",
    "GET /v1/poll",
    "GET /v1/history",
    "GET /api/casts/…/events",
    "GET /api/casts/events",
    "HEAD /v1/events",
];

struct Ticketing {
    world: World,
    user: User,
    channels: Value,
}

impl Ticketing {
    async fn issue(&self, target: &Target, body: &Value) -> String {
        let reply = Call::post("/v1/tickets", body).by(target).make(self.world.server.address()).await;
        reply.json()["ticket"].as_str().unwrap_or_else(|| panic!("{}", reply.told())).to_owned()
    }

    async fn redeem(&self, call: &Call, ticket: &str, more: &[&str]) -> Reply {
        let call = more.iter().fold(call.clone().query(&format!("ticket={ticket}")), Call::line);
        call.make(self.world.server.address()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets() {
    let world = World::start(ServerOptions::unlimited().set("cors.origins", "https://page.example")).await;
    let user = world.admin("tickets").await;
    let mut stage = Ticketing { world, user, channels: Value::Null };
    let (_, key) = stage.user.key(&stage.world.server, "its").await;
    let (_stream, session) = stage.world.stream(&key).await;
    let things = stage.world.things(&session).await;
    let cast = format!("cast:{}", things.cast);
    stage.channels = json!(["a", cast, format!("user:{}:casts", stage.user.id)]);
    let all = routes::all(&things);
    let (mut refused, mut accepted) = (Refused::default(), 0);
    for (route, call) in &all {
        if !BY_TICKET.contains(route) {
            let ticket = stage.issue(&key, &json!({"channels": stage.channels})).await;
            refused += assert_refused(route, &stage.redeem(call, &ticket, &[]).await);
            continue;
        }
        accepted += good_tickets(&stage, &key, route, call, &mut refused).await;
        refused += bad_tickets(&stage, &key, route, call).await;
    }
    report(format!(
        "forged: tickets reused, void, narrowed or invented: {refused}, 0 accepted; {accepted} twins accepted"
    ));
}

async fn good_tickets(
    stage: &Ticketing,
    key: &Target,
    route: &str,
    call: &Call,
    refused: &mut Refused,
) -> usize {
    let page = "origin: https://page.example";
    for (body, lines) in [
        (json!({"channels": stage.channels}), vec![]),
        (json!({"channels": stage.channels}), vec![page]),
        (json!({"channels": stage.channels, "origin": "https://page.example"}), vec![page]),
    ] {
        let ticket = stage.issue(key, &body).await;
        let reply = stage.redeem(call, &ticket, &lines).await;
        assert!(reply.is_good(), "{route}, {body}: {}", reply.told());
        for again in [&lines[..], &["last-event-id: 0000000000001.0000001"], &[page]] {
            *refused +=
                assert_refused(&format!("{route}, used again"), &stage.redeem(call, &ticket, again).await);
        }
    }
    3
}

async fn bad_tickets(stage: &Ticketing, key: &Target, route: &str, call: &Call) -> Refused {
    let mut refused = Refused::default();
    // From another page than it is for, and spent by that.
    let bound = json!({"channels": stage.channels, "origin": "https://page.example"});
    for lines in [
        vec!["origin: https://other.example"],
        vec!["origin: null"],
        vec!["origin: https://page.example."],
        vec![],
    ] {
        let ticket = stage.issue(key, &bound).await;
        let reply = stage.redeem(call, &ticket, &lines).await;
        assert!(
            !reply.is_good() && (reply.status == 401 || route == "GET /v1/ws"),
            "{route}: {}",
            reply.told()
        );
        refused.unauthenticated += 1;
    }
    // For another channel.
    for other in ["b", "a:b", "cast:another", "aa"] {
        let ticket = stage.issue(key, &json!({"channels": [other]})).await;
        let reply = stage.redeem(call, &ticket, &[]).await;
        let told = (reply.status, reply.close.as_ref().map(|(code, _)| *code));
        assert!(told == (403, None) || told == (101, Some(4403)), "{route}, {other}: {}", reply.told());
        refused += assert_refused(route, &stage.redeem(call, &ticket, &[]).await);
    }
    // With the credential that asked for it.
    let (id, doomed) = stage.user.key(&stage.world.server, &format!("doomed of {route}")).await;
    let ticket = stage.issue(&doomed, &json!({"channels": stage.channels})).await;
    stage.world.server.json(&["key", "revoke", &id]).await;
    refused += assert_refused(&format!("{route}, key revoked"), &stage.redeem(call, &ticket, &[]).await);
    let cookie = stage.user.sign_in(stage.world.server.address()).await;
    let ticket = stage.issue(&cookie, &json!({"channels": stage.channels})).await;
    let out = Call::new("POST", "/auth/logout").by(&cookie).make(stage.world.server.address()).await;
    assert_eq!(out.status, 204);
    refused += assert_refused(&format!("{route}, signed out"), &stage.redeem(call, &ticket, &[]).await);
    // Nearly the text of one.
    let ticket = stage.issue(key, &json!({"channels": stage.channels})).await;
    for (what, text) in near(&ticket) {
        if what == "another kind's prefix" {
            continue;
        }
        let text = text.replace([' ', '\t'], "+").replace('%', "%25");
        let text = if what.ends_with("before") { format!("+{}", text.trim_start_matches('+')) } else { text };
        refused += assert_refused(&format!("{route}, {what}"), &stage.redeem(call, &text, &[]).await);
    }
    let twice = call.clone().query(&format!("ticket={ticket}"));
    let reply = stage.redeem(&twice, &ticket, &[]).await;
    assert!(!reply.is_good() && [400, 101].contains(&reply.status), "{route}: {}", reply.told());
    assert!(stage.redeem(call, &ticket, &[]).await.is_good(), "{route}: none of these has spent it");
    refused
}
