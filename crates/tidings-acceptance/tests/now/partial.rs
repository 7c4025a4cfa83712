//! A right that is lost to some channels: those end, the others go on.

use serde_json::{Value, json};
use tidings_acceptance::casts::send;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::{Ask, Server, ServerOptions, Subscription, Target, Transport, report, within};

use crate::AT_ONCE;

async fn control(stream: &mut Subscription) -> (String, Value) {
    loop {
        match stream.next().await.unwrap() {
            Item::Control { name, data, .. } => return (name, serde_json::from_str(&data).unwrap()),
            Item::Event { data, .. } => panic!("an event: {data}"),
            _ => {}
        }
    }
}

async fn number(stream: &mut Subscription) -> u64 {
    loop {
        match stream.next().await.unwrap() {
            Item::Event { data, .. } => {
                return serde_json::from_str::<Value>(&data).unwrap()["data"].as_u64().unwrap();
            }
            Item::Control { name, data, .. } => panic!("{name} {data}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn lost_channels_are_reset_and_the_others_go_on() {
    let server = Server::start(ServerOptions::new()).await;
    let master = server.master().await;
    let arguments =
        ["key", "create", "--name", "k", "--grant", "subscribe:keep:*", "--grant", "subscribe:lose:*"];
    let made = server.json(&arguments).await;
    let target = Target::new(server.address(), made["key"].as_str().unwrap());
    let mut streams = Vec::new();
    for transport in [Transport::Sse, Transport::Ws] {
        for _ in 0..5 {
            let ask = Ask::of(&["keep:a", "lose:a", "lose:b:*"]);
            let mut stream = Subscription::open(transport, &target, &ask).await.unwrap();
            assert_eq!(control(&mut stream).await.0, "$ready");
            streams.push(stream);
        }
    }
    let mut lane = Lane::new(&master);
    let mut publish = async |channel: &str, number: u64| {
        lane.expect(&json!({"channel": channel, "type": "t", "data": number})).await;
    };
    publish("lose:b:c", 1).await;
    publish("keep:a", 2).await;
    for stream in &mut streams {
        assert_eq!((number(stream).await, number(stream).await), (1, 2));
    }
    server.json(&["key", "ungrant", made["id"].as_str().unwrap(), "subscribe:lose:*"]).await;
    // From here on, nothing of what is lost.
    publish("lose:a", 3).await;
    publish("lose:b:c", 4).await;
    publish("keep:a", 5).await;
    let over = async {
        for stream in &mut streams {
            let (name, reset) = control(stream).await;
            assert_eq!(name, "$reset");
            let mut channels: Vec<&str> =
                reset["channels"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            channels.sort_unstable();
            assert_eq!(channels, ["lose:a", "lose:b:*"]);
            assert_eq!((&reset["reason"], &reset["through"]), (&json!("unauthorized"), &Value::Null));
            assert_eq!(number(stream).await, 5);
        }
    };
    within(AT_ONCE, "the resets", over).await;
    for (channel, status) in [("lose:a", 403), ("lose:b:*", 403), ("keep:a", 200)] {
        for path in ["/v1/history", "/v1/poll"] {
            let answer = send(&target, "GET", &format!("{path}?channel={channel}"), "", None).await;
            assert_eq!(answer.status(), status, "{path} of {channel}");
        }
    }
    report(format!("now: {} streams lost two of three channels and went on", streams.len()));
}
