//! Casts on the native interface: `cast:{id}`, `user:{id}:casts`, `cast:*`, who may read them, and that nobody but the
//! app writes there.

use serde_json::{Value, json};
use tidings_acceptance::casts::{good, mention, send, told};
use tidings_acceptance::poll::history;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::{Ask, Subscription, Target, Transport, report};

use crate::World;

/// Whether a subscription is let in.
async fn may(target: &Target, transport: Transport, channel: &str) -> bool {
    let refusal = match Subscription::open(transport, target, &Ask::of(&[channel])).await {
        Ok(mut stream) => match stream.next().await.unwrap() {
            Item::Control { name, .. } if name == "$ready" => return true,
            Item::Control { name, .. } if name == "$end" => stream.next().await.unwrap_err(),
            other => panic!("{other:?}"),
        },
        Err(refusal) => refusal,
    };
    match refusal {
        Closed::Refused { status: 403, code } => assert_eq!(code, "forbidden_channel"),
        Closed::Ended(Some(4403)) => {}
        other => panic!("{channel}: {other:?}"),
    }
    false
}

#[tokio::test]
async fn whoever_may_read_the_record_reads_its_channel() {
    let world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let anns = format!("user:{}:casts", world.ann_user.id);
    let (_, anns_key) = world.ann_user.key(&world.server, "anns key").await;
    let narrow = world.server.key("narrow", &["subscribe:cast:x"]).await;
    let blind = world.server.key("blind", &["publish:*"]).await;
    let rights: [(&str, &Target, [bool; 5]); 7] = [
        ("the owner", &world.ann, [true, false, true, false, false]),
        ("the owner's key", &anns_key, [true, false, true, false, false]),
        ("another member", &world.ben, [false, false, false, false, false]),
        ("an admin", &world.admin, [true, true, true, true, true]),
        ("a service key", &world.helper, [true, true, true, true, true]),
        ("a service key for one", &narrow, [true, false, false, false, false]),
        ("a service key for none", &blind, [false, false, false, false, false]),
    ];
    let mut asked = 0;
    for (who, target, expected) in rights {
        for (channel, expected) in ["cast:x", "cast:none", &anns, "cast:*", "*"].into_iter().zip(expected) {
            for transport in Transport::ALL {
                assert_eq!(
                    may(target, transport, channel).await,
                    expected,
                    "{who}: {channel} by {transport:?}"
                );
                asked += 1;
            }
            let answer = send(target, "GET", &format!("/v1/history?channel={channel}"), "", None).await;
            assert_eq!(answer.status(), if expected { 200 } else { 403 }, "{who}: {channel}");
            asked += 1;
        }
    }
    report(format!("casts: {asked} native subscriptions were let in or refused as they should"));
}

#[tokio::test]
async fn native_events_say_what_the_frames_say() {
    let world = World::make().await;
    let anns = format!("user:{}:casts", world.ann_user.id);
    let mut stream = Subscription::open(Transport::Ws, &world.ann, &Ask::of(&[&anns])).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Item::Control { .. }));
    mention(&world.helper, "x", &world.ann_user.id).await;
    told(&world.helper, "x", "STARTED", json!({})).await;
    told(&world.helper, "x", "PROGRESS_UPDATE", json!({"progress": 5, "message": "m"})).await;
    told(&world.helper, "x", "ARTIFACT_READY", json!({"artifactUrl": "https://files.example.test/a"})).await;
    told(&world.helper, "x", "COMPLETED", json!({"duration": 3, "costCents": 4})).await;
    let mut events = Vec::new();
    while events.len() < 5 {
        if let Item::Event { data, .. } = stream.next().await.unwrap() {
            events.push(serde_json::from_str::<Value>(&data).unwrap());
        }
    }
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["STATUS_CHANGED", "STARTED", "PROGRESS_UPDATE", "ARTIFACT_READY", "COMPLETED"]);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["channel"], "cast:x");
        assert_eq!(event["also"], json!([anns]));
        assert_eq!(event["version"], index + 1);
        assert_eq!(event["data"]["castId"], "x");
        assert_eq!(event.get("terminal"), (index == 4).then_some(&json!(true)));
    }
    assert_eq!(events[2]["data"]["progress"], 5);
    assert_eq!(events[4]["data"]["costCents"], 4);
    // The same on the cast's own channel and for admins.
    assert_eq!(history(&world.ann, &["cast:x"], None).await, events);
    assert_eq!(history(&world.admin, &["cast:*"], None).await, events);
    // The stream lives on: only the cast has ended.
    mention(&world.helper, "y", &world.ann_user.id).await;
    assert!(matches!(stream.next().await.unwrap(), Item::Event { data, .. } if data.contains("cast:y")));
}

#[tokio::test]
async fn nobody_publishes_there_but_the_app() {
    let world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let master = world.server.master().await;
    let anns = format!("user:{}:casts", world.ann_user.id);
    let mut refused = 0;
    for channel in ["cast:x", "cast:none", "cast:x:log", "cast:*", anns.as_str()] {
        let event = json!({"channel": channel, "type": "t", "data": 1});
        let also = json!({"channel": "free", "also": [channel], "type": "t", "data": 1});
        for body in
            [event.clone(), also, json!({"events": [{"channel": "free", "type": "t", "data": 1}, event]})]
        {
            let answer = send(&master, "POST", "/v1/publish", "", Some(&body)).await;
            let code = answer.code();
            let is_pattern = channel.ends_with('*');
            assert_eq!(code, if is_pattern { "invalid_channel" } else { "reserved_channel" }, "{body}");
            refused += 1;
        }
    }
    // By WebSocket neither.
    let mut stream = Subscription::open(Transport::Ws, &master, &Ask::of(&["free"])).await.unwrap();
    let Subscription::Ws(socket) = &mut stream else { panic!("a WebSocket") };
    let events = json!([{"channel": "cast:x", "type": "t", "data": 1}]);
    socket.send(&json!({"op": "publish", "ref": 1, "events": events})).await.unwrap();
    assert_eq!(socket.answer().await.unwrap()["error"]["code"], "reserved_channel");
    // The twins: next door.
    for channel in ["cast", "casts:x", "user:x", "user:x:other", "free"] {
        Lane::new(&master).expect(&json!({"channel": channel, "type": "t", "data": 1})).await;
    }
    assert_eq!(history(&world.helper, &["cast:x"], None).await.len(), 1);
    assert_eq!(
        history(&world.helper, &["free"], None).await.len(),
        1,
        "a batch is published whole or not at all"
    );
    assert_eq!(good(&send(&world.ann, "GET", "/api/casts/x", "", None).await)["version"], 1);
    report(format!("casts: {refused} publishes to the casts' channels were refused"));
}
