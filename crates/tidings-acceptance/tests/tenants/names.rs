//! Names that both have are each tenant's own: of casts, channels, keys, idempotency keys, and in tokens.

use serde_json::json;
use tidings_acceptance::{Call, report};

use crate::side::{SHARED, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_each_tenants_own() {
    let world = World::make().await;
    let (north, south) = (&world.north, &world.south);
    let address = north.key.address;
    // The same idempotency keys were used on both sides, for other bodies: each event and cast is there.
    for side in [north, south] {
        let history = Call::get("/v1/history?channel=news").by(&side.service).make(address).await;
        assert!(history.holds(side.mark), "{}", history.told());
        for id in SHARED {
            let cast = Call::get(format!("/api/casts/{id}")).by(&side.key).make(address).await.json();
            assert_eq!(
                (cast["message"].as_str(), cast["userId"].as_str()),
                (Some(side.mark), Some(&*side.admin.id))
            );
        }
    }
    // A cast of the one can be made by the other, and is another cast.
    let made = Call::post("/api/casts", &json!({"id": north.only})).by(&south.key).make(address).await;
    assert_eq!(made.status, 201, "{}", made.told());
    let changed = Call::new("PATCH", format!("/api/casts/{}", north.only)).json(&json!({"status": "failed"}));
    assert!(changed.by(&south.key).make(address).await.is_good());
    let theirs = Call::get(format!("/api/casts/{}", north.only)).by(&north.key).make(address).await.json();
    assert_eq!((&theirs["status"], &theirs["message"]), (&json!("queued"), &json!(north.mark)));
    // A channel that ended in one has not in the other.
    let end = json!({"channel": "shared:1", "type": "t", "data": {"terminal": true}, "terminal": true});
    assert!(Call::post("/v1/publish", &end).by(&south.service).make(address).await.is_good());
    let event = json!({"channel": "shared:1", "type": "t", "data": 1});
    let ended = Call::post("/v1/publish", &event).by(&south.service).make(address).await;
    assert_eq!(ended.code(), "channel_ended");
    assert!(Call::post("/v1/publish", &event).by(&north.service).make(address).await.is_good());
    // Whoever names the other's user as an owner names a stranger within its own tenant.
    let before = north.state().await;
    let stray = json!({"id": "stray", "userId": north.admin.id});
    assert_eq!(Call::post("/api/casts", &stray).by(&south.key).make(address).await.status, 201);
    assert_eq!(north.state().await, before);
    report("tenants: casts, channels and idempotency keys of the same names are apart");
}

#[tokio::test]
async fn a_token_is_good_in_its_issuers_tenant_alone() {
    let world = World::make().await;
    let address = world.server.address();
    let [north, south] = &world.issuers;
    let ask = async |token: &str| {
        let line = format!("authorization: Bearer {token}");
        Call::get("/auth/me").line(line).make(address).await
    };
    let mut forged = 0;
    for (issuer, other) in [(north, south), (south, north)] {
        let forger = issuer.forger("7");
        for claims in [
            json!({"tenant": other.tenant}),
            json!({"tidings": {"role": "admin", "tenant": other.tenant}}),
            json!({"sub": format!("{}|7", other.name)}),
            json!({"org_id": other.tenant, "azp": other.url()}),
        ] {
            let me = ask(&forger.with_claims(&claims)).await;
            assert_eq!(me.json()["user"]["tenant"], issuer.tenant, "{claims}: {}", me.told());
            let id = me.json()["user"]["id"].as_str().unwrap().to_owned();
            assert!(id.starts_with(&format!("{}|", issuer.name)), "{id}");
        }
        // The other's name over this one's signature: the same `kid`, the same `sub`.
        for claims in [
            json!({"iss": other.url()}),
            json!({"iss": [issuer.url(), other.url()]}),
            json!({"iss": format!("{}/", other.url())}),
        ] {
            let refused = ask(&forger.with_claims(&claims)).await;
            assert_eq!(refused.status, 401, "{claims}: {}", refused.told());
            forged += 1;
        }
        let twin = ask(&other.token("7")).await;
        assert_eq!(twin.json()["user"]["tenant"], other.tenant);
    }
    report(format!(
        "tenants: {forged} tokens of one issuer in the other's name refused; no claim names a tenant"
    ));
}
