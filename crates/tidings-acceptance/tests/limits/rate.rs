//! Openings a minute: by address without a valid credential, by user, by key.

use serde_json::json;
use tidings_acceptance::casts::{mention, send};
use tidings_acceptance::{Server, ServerOptions, Target, User, report};

use crate::opening::{Way, open, open_with};

/// The documents' own limits, for as many streams as there may be.
fn options() -> ServerOptions {
    ServerOptions::default()
        .set("limits.streams_per_user", "0")
        .set("auth.user_grants", "subscribe:live,publish:live")
}

/// What a browser sends that comes back.
const BACK: &str = "last-event-id: 0000000000001.0000000\r\n";

#[tokio::test]
async fn twenty_without_a_credential_then_too_many_before_unauthenticated() {
    for proxied in [false, true] {
        let server =
            Server::start(options().set("behind_proxy", if proxied { "true" } else { "false" })).await;
        let address = server.address();
        let from = |n: usize| format!("x-forwarded-for: 203.0.113.{n}\r\n");
        let wrong = ["", "tdk_invented", "tidings_session=tds_invented", "a.b.c"];
        let mut counted = 0;
        for n in 0..20 {
            let target = Target::new(address, wrong[n % wrong.len()]);
            // What a client says of its own address counts for nothing, unless there is a proxy to say it.
            let said = if proxied { from(1) } else { from(n) };
            let way = if proxied { Way::Sse } else { Way::nth(n) };
            let refused = open_with(way, &target, &said).await.unwrap_err();
            assert!(refused.is_unauthenticated(), "{n}: {refused:?}");
            counted += 1;
        }
        let nobody = Target::new(address, "");
        for way in Way::ALL.into_iter().filter(|way| !proxied || *way != Way::WebSocket) {
            for key in wrong {
                let refused = open_with(way, &Target::new(address, key), &from(1)).await.unwrap_err();
                assert!(refused.is_too_many("rate_limited"), "{way:?} with {key:?}: {refused:?}");
            }
        }
        let refused = open_with(Way::Sse, &nobody, &format!("{}{BACK}", from(1))).await.unwrap_err();
        assert!(refused.is_too_many("rate_limited"), "{refused:?}");
        // Whoever shows a valid one is not their neighbour's keeper.
        let master = server.master().await;
        drop(open_with(Way::Sse, &master, &from(1)).await.unwrap());
        if proxied {
            // Another address has its own count; the last one named is the proxy's word, and the others are not.
            let other = open_with(Way::Sse, &nobody, &from(2)).await.unwrap_err();
            assert!(other.is_unauthenticated(), "{other:?}");
            let tricks = "x-forwarded-for: 203.0.113.77, 203.0.113.1\r\n";
            let tricked = open_with(Way::Sse, &nobody, tricks).await.unwrap_err();
            assert!(tricked.is_too_many("rate_limited"), "{tricked:?}");
            let tricks = "x-forwarded-for: 203.0.113.78\r\nx-forwarded-for: 203.0.113.1\r\n";
            let tricked = open_with(Way::Sse, &nobody, tricks).await.unwrap_err();
            assert!(tricked.is_too_many("rate_limited"), "{tricked:?}");
            let twin = "x-forwarded-for: 203.0.113.1, 203.0.113.77\r\n";
            assert!(open_with(Way::Sse, &nobody, twin).await.unwrap_err().is_unauthenticated());
        }
        report(format!("limits: {counted} without a credential, then too many (behind a proxy: {proxied})"));
    }
}

/// Opens one after the other until it is refused; how many were let in.
async fn until_refused(target: &Target) -> usize {
    for count in 0..200 {
        let way = Way::nth(count);
        match open(way, target).await {
            Ok(stream) => drop(stream),
            Err(refused) => {
                assert!(refused.is_too_many("rate_limited"), "{refused:?}");
                return count;
            }
        }
    }
    panic!("200 were let in");
}

/// Every way is refused now; what continues, and what publishes, is not.
async fn is_at_its_limit(target: &Target) {
    for way in Way::ALL {
        assert!(open(way, target).await.unwrap_err().is_too_many("rate_limited"), "{way:?}");
    }
    let refused = open_with(Way::Sse, target, BACK).await.unwrap_err();
    assert!(matches!(refused, crate::opening::Refused::Ended(..)), "{refused:?}");
    let event = json!({"channel": "live", "type": "t", "data": 1});
    for _ in 0..150 {
        assert_eq!(send(target, "POST", "/v1/publish", "", Some(&event)).await.status(), 200);
    }
    let page = send(target, "GET", "/v1/history?channel=live&limit=1", "", None).await.json();
    let mut cursor = page["cursor"].as_str().unwrap().to_owned();
    for _ in 0..120 {
        let path = format!("/v1/poll?channel=live&wait=0&after={cursor}");
        let answer = send(target, "GET", &path, "", None).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        cursor = answer.json()["cursor"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn a_hundred_for_a_user_over_all_its_sessions() {
    let server = Server::start(options()).await;
    let address = server.address();
    let ann = User::add(&server, "ann@example.test", &[]).await;
    mention(&server.master().await, "live", &ann.id).await;
    let ben = User::add(&server, "ben@example.test", &[]).await.sign_in(address).await;
    let (first, second) = (ann.sign_in(address).await, ann.sign_in(address).await);
    for _ in 0..30 {
        drop(open(Way::Sse, &second).await.unwrap());
    }
    let count = until_refused(&first).await;
    // One place comes back every 0.6 s.
    assert!((70..=80).contains(&count), "{count}");
    is_at_its_limit(&second).await;
    drop(open(Way::Sse, &ben).await.unwrap());
    let (_, key) = ann.key(&server, "anns").await;
    drop(open(Way::Sse, &key).await.expect("a key has a count of its own"));
    report(format!("limits: a user opened {} streams, then too many", count + 30));
}

#[tokio::test]
async fn sixty_for_a_key() {
    let server = Server::start(options()).await;
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let (_, anns) = ann.key(&server, "anns").await;
    let master = server.master().await;
    mention(&master, "live", &ann.id).await;
    for target in [master, anns] {
        let count = until_refused(&target).await;
        // One place comes back every second.
        assert!((60..=65).contains(&count), "{count}");
        is_at_its_limit(&target).await;
    }
    let other = server.key("other", &["subscribe:*"]).await;
    drop(open(Way::Sse, &other).await.unwrap());
    report("limits: a service key and a user's key opened 60 streams each, then too many");
}
