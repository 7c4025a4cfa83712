//! A credential that is about to end is said to be, and a fresh one of the same principal keeps the stream.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::casts::send;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Server, Subscription, Target, Transport, User, report, within};
use tokio::time::{Instant, sleep};

use crate::causes::{options, token};
use crate::{PATIENCE, wall_millis};

const LIFE: u64 = 4;

/// The next control of this name.
async fn control(stream: &mut Subscription, name: &str) -> Value {
    loop {
        match stream.next().await {
            Ok(Item::Control { name: found, data, .. }) if found == name => {
                return serde_json::from_str(&data).unwrap();
            }
            Ok(Item::Control { name, .. }) => {
                assert!(["$ready", "$expiring"].contains(&name.as_str()), "{name}")
            }
            Ok(_) => {}
            Err(closed) => panic!("waiting for {name}: {closed:?}"),
        }
    }
}

/// Presents a credential for a stream; whether it was taken.
async fn renew(stream: &mut Subscription, session: &str, fresh: &Target) -> bool {
    match stream {
        Subscription::Ws(socket) => {
            let auth = json!({"op": "auth", "ref": 1, "token": &*fresh.key});
            socket.send(&auth).await.unwrap();
            socket.answer().await.unwrap().get("ok").is_some()
        }
        _ => {
            let path = format!("/v1/sessions/{session}/credential");
            let status = send(fresh, "POST", &path, "", None).await.status();
            assert!([204, 401, 404].contains(&status), "{status}");
            status == 204
        }
    }
}

#[tokio::test]
async fn a_fresh_credential_keeps_the_stream_and_no_other_does() {
    let server = Server::start(options()).await;
    let address = server.address();
    let ann = User::add(&server, "ann@example.test", &["--role", "admin"]).await.sign_in(address).await;
    let began = Instant::now();
    for transport in [Transport::Sse, Transport::Ws] {
        let open = async || {
            let short = token(address, "joe", LIFE);
            let mut stream = Subscription::open(transport, &short, &Ask::of(&["live:a"])).await.unwrap();
            let ready = control(&mut stream, "$ready").await;
            (stream, ready["session"].as_str().unwrap().to_owned())
        };
        let wall = wall_millis();
        let (mut renewed, session) = open().await;
        let (mut left, left_session) = open().await;
        let expiring = within(PATIENCE, "$expiring", control(&mut renewed, "$expiring")).await;
        assert!(expiring["at"].is_string(), "{expiring}");
        // Others' credentials, and those that are none, keep nothing.
        for (who, bad) in [
            ("another subject", token(address, "jim", 60)),
            ("another user", ann.clone()),
            ("nobody", Target::new(address, "invented")),
        ] {
            let is_cookie = bad.key.starts_with("tidings_session=");
            if transport == Transport::Ws && is_cookie {
                continue;
            }
            assert!(!renew(&mut left, &left_session, &bad).await, "{transport:?}: {who}");
        }
        assert!(renew(&mut renewed, &session, &token(address, "joe", 60)).await, "{transport:?}");
        let end = within(PATIENCE, "the end", control(&mut left, "$end")).await;
        assert_eq!(end, json!({"reason": "expired", "retry": "auth"}));
        // Tokens have whole seconds.
        assert!(wall_millis() >= wall + (i64::try_from(LIFE).unwrap() - 1) * 1_000, "not before its time");
        assert!(matches!(left.next().await, Err(Closed::Ended(None | Some(4002)))));
        // The other lives beyond it.
        sleep(Duration::from_millis(1_200)).await;
        let mut lane = tidings_acceptance::publish::Lane::new(
            &server.key(&format!("{transport:?}"), &["publish:*"]).await,
        );
        let id = lane.expect(&json!({"channel": "live:a", "type": "t", "data": 1})).await[0];
        let event = within(PATIENCE, "an event on the kept stream", async {
            loop {
                match renewed.next().await.unwrap() {
                    Item::Event { id, .. } => return id,
                    Item::Control { name, .. } => assert_ne!(name, "$end"),
                    _ => {}
                }
            }
        })
        .await;
        assert_eq!(event, Some(id));
    }
    report(format!("now: renewed streams outlived their first credential ({:.1?})", began.elapsed()));
}
