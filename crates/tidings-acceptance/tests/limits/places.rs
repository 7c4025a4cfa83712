//! Streams that are open at once: by user over all its credentials and transports, by service key where that is set.

use tidings_acceptance::casts::{mention, send};
use tidings_acceptance::{Server, ServerOptions, Target, User, report};

use crate::PATIENCE;
use crate::opening::{Open, Refused, Way, open, open_with, settled};

fn options() -> ServerOptions {
    let options = ServerOptions::new().set("auth.user_grants", "subscribe:live");
    options.set("limits.connects_per_minute.session", "0")
}

/// Opens as many as there is room for, up to `most`.
async fn fill(targets: &[&Target], most: usize) -> Vec<Open> {
    let mut streams = Vec::new();
    for count in 0..most {
        match open(Way::nth(count), targets[count % targets.len()]).await {
            Ok(stream) => streams.push(stream),
            Err(refused) => {
                assert!(refused.is_too_many("too_many_streams"), "{refused:?}");
                break;
            }
        }
    }
    streams
}

#[tokio::test]
async fn ten_for_a_user_whatever_it_shows_and_by_which_transport() {
    let server = Server::start(options()).await;
    let address = server.address();
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let ben = User::add(&server, "ben@example.test", &[]).await.sign_in(address).await;
    mention(&server.master().await, "live", &ann.id).await;
    let (first, second) = (ann.sign_in(address).await, ann.sign_in(address).await);
    let (_, key) = ann.key(&server, "anns").await;
    let all = [&first, &second, &key];
    let mut streams = fill(&all, 20).await;
    assert_eq!(streams.len(), 10);
    for target in all {
        for way in Way::ALL {
            let refused = open(way, target).await.unwrap_err();
            assert!(refused.is_too_many("too_many_streams"), "{way:?}: {refused:?}");
        }
        let back = "last-event-id: 0000000000001.0000000\r\n";
        let refused = open_with(Way::Sse, target, back).await.unwrap_err();
        assert!(matches!(refused, Refused::Ended(..)) && refused.is_too_many(""), "{refused:?}");
        // Asking without a stream is another matter.
        let answer = send(target, "GET", "/v1/poll?channel=live", "", None).await;
        assert_eq!(answer.status(), 200);
    }
    drop(open(Way::Sse, &ben).await.expect("others have places of their own"));
    // One that is given back can be taken.
    for _ in 0..5 {
        drop(streams.remove(0));
        settled(&first, 9, PATIENCE).await;
        streams.push(open(Way::WebSocket, &key).await.unwrap());
        assert!(open(Way::Sse, &second).await.unwrap_err().is_too_many("too_many_streams"));
    }
    drop(streams);
    settled(&first, 0, PATIENCE).await;
    assert_eq!(fill(&all, 20).await.len(), 10);
    report("limits: a user had 10 streams open over two sessions, a key and three kinds, twice");
}

#[tokio::test]
async fn a_service_key_has_as_many_as_is_said() {
    for (limit, expected) in [("0", 40), ("7", 7)] {
        let server = Server::start(options().set("limits.streams_per_key", limit)).await;
        let ann = User::add(&server, "ann@example.test", &[]).await;
        let (one, other) = (server.master().await, server.key("other", &["subscribe:*"]).await);
        mention(&one, "live", &ann.id).await;
        let streams = fill(&[&one], 40).await;
        assert_eq!(streams.len(), expected);
        drop(open(Way::Sse, &other).await.unwrap());
        // The user's own number is untouched by that of keys.
        let anns = ann.sign_in(server.address()).await;
        assert_eq!(fill(&[&anns], 40).await.len(), 10);
    }
}
