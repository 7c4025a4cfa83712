//! JSON Web Tokens of four issuers, a key of each kind.

use serde_json::{Value, json};
use tidings_acceptance::call::make_all;
use tidings_acceptance::issuer::Issuer;
use tidings_acceptance::token_key::TokenKey;
use tidings_acceptance::{Call, ServerOptions, Target, report};

use crate::world::{Refused, Sent, World, assert_refused, sent};

/// A header's value ends where its white space begins (RFC 9110, 5.5), and cannot hold a line's end.
fn can_be_sent(token: &str) -> bool {
    !token.ends_with([' ', '\t']) && !token.contains(['\n', '\r', '\0'])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens() {
    let issuer = |name, key, kid| Issuer { name, tenant: "default", key, kid };
    let issuers = [
        issuer("es", TokenKey::es256(), Some("k1")),
        issuer("hs", TokenKey::hs256("the secret of hs"), None),
        issuer("ed", TokenKey::ed_dsa(), Some("k1")),
        issuer("rs", TokenKey::rs256(), None),
    ];
    let configured: Value = issuers.iter().map(Issuer::configuration).collect();
    let options = ServerOptions::unlimited().set("auth.issuers", &configured.to_string());
    let mut world = World::start(options).await;
    let address = world.server.address();
    let (mut refused, mut twin_count) = (Refused::default(), 0);
    for (index, issuer) in issuers.iter().enumerate() {
        let (name, forger) = (issuer.name, issuer.forger("root"));
        for (twin, token) in forger.twins() {
            let line = format!("authorization: Bearer {token}");
            let reply = Call::get("/v1/poll?channel=a").line(&line).make(address).await;
            assert!(reply.is_good(), "{name}, {twin}: {}", reply.told());
            let reply =
                Call::get("/v1/poll?channel=a").line(format!("x-api-key: {token}")).make(address).await;
            assert!(reply.is_good(), "{name}, {twin} as x-api-key: {}", reply.told());
            twin_count += 2;
        }
        let good = forger.with_claims(&json!({}));
        let (_stream, session) = world.stream(&Target::new(address, &good)).await;
        let good = sent(name, &[&format!("authorization: Bearer {good}")]);
        twin_count += world.all_accept(&good, &session).await;
        let forged = forger.forged();
        assert!(forged.len() >= 60);
        let forged: Vec<_> = forged.into_iter().filter(|(_, token)| can_be_sent(token)).collect();
        let lines = forged.iter().map(|(what, token)| {
            sent(format!("{name}, {what}"), &[&format!("authorization: Bearer {token}")])
        });
        let lines: Vec<Sent> = lines.collect();
        if index == 0 {
            refused += world.none_accepts(&lines, &session).await;
            world.ends_all(&good).await;
        } else {
            let poll = Call::get("/v1/poll?channel=a");
            let calls: Vec<Call> = lines.iter().map(|sent| sent.on(&poll)).collect();
            for (sent, (_, reply)) in lines.iter().zip(make_all(address, calls).await) {
                refused += assert_refused(&sent.name, &reply);
            }
        }
    }
    report(format!("forged: tokens: {refused}, 0 accepted; {twin_count} twins accepted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_on_an_open_websocket() {
    let issuer = Issuer { name: "es", tenant: "default", key: TokenKey::es256(), kid: None };
    let issuers = json!([issuer.configuration()]).to_string();
    let world = World::start(ServerOptions::unlimited().set("auth.issuers", &issuers)).await;
    let forger = issuer.forger("root");
    let good = forger.with_claims(&json!({}));
    let target = Target::new(world.server.address(), &good);
    let mut forged: Vec<String> = forger.forged().into_iter().map(|(_, token)| token).collect();
    forged.extend([world.master.key.to_string(), "tdk_".to_owned(), format!("Bearer {good}")]);
    // A good token of somebody else is no credential for this stream.
    forged.push(forger.with_claims(&json!({"sub": "another"})));
    forged.retain(|token| token.len() < 60_000);
    let auth = |token: &str| json!({"op": "auth", "ref": 1, "token": token});
    let call = forged
        .iter()
        .fold(Call::socket("/v1/ws?channel=a").by(&target), |call, token| call.saying(auth(token)));
    let reply = call.make(world.server.address()).await;
    assert!(reply.is_good() && reply.close.is_none(), "{}", reply.told());
    let text = String::from_utf8(reply.body).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused = answers.iter().filter(|answer| !answer["error"].is_null()).count();
    assert_eq!(refused, forged.len(), "{text}");
    assert!(answers.iter().all(|answer| answer["ok"].is_null()), "{text}");
    let twin = Call::socket("/v1/ws?channel=a").by(&target).saying(auth(&good));
    let twin = twin.make(world.server.address()).await;
    assert!(twin.has("\"ok\":{}"), "{}", twin.told());
    report(format!("forged: {refused} tokens on an open WebSocket refused, its twin accepted"));
}
