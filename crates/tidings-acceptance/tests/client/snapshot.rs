//! A record and what happens to it from there on, as one call: nothing is missing at the seam, and nothing is told twice.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tidings_acceptance::casts::mention;
use tidings_acceptance::fault_proxy::{Fault, FaultProxy, Strikes};
use tidings_acceptance::{Server, ServerOptions, Target, report, within};
use tidings_client::subscriber::{NoSnapshot, Options};
use tidings_client::{Cast, Credential, Publisher, Subscriber, Update};

use crate::{PATIENCE, draft, following, publishing};

const CASTS: usize = 20;

fn number(id: usize) -> (String, String) {
    (format!("/api/casts/seam{id}"), format!("cast:seam{id}"))
}

/// Tells of a cast's progress until it ends.
async fn tell(publisher: Publisher, id: usize) {
    let id = format!("seam{id}");
    publisher.publish_cast_started(&id, "shop|42", SystemTime::UNIX_EPOCH).await.unwrap();
    for step in 1..60 {
        publisher.publish_cast_progress(&id, "shop|42", f64::from(step), None).await.unwrap();
    }
    publisher.publish_cast_failed(&id, "shop|42", "out of memory").await.unwrap();
}

/// The version of the snapshot, those that are told of from there on to the end, and how many were left out.
async fn versions(target: Target, id: usize) -> (u64, Vec<u64>, u64) {
    let (path, channel) = number(id);
    tokio::time::sleep(Duration::from_millis(u64::try_from(id).unwrap() * 7)).await;
    let (cast, mut subscriber): (Cast, _) =
        Subscriber::snapshot(&path, following(&target, &[&channel])).await.unwrap();
    let (mut versions, mut left_out) = (Vec::new(), 0);
    // One that has ended before it was read is told of no more.
    let mut has_ended = cast.status.is_end();
    while !has_ended {
        match within(PATIENCE, "an event of the cast", subscriber.next()).await.unwrap().unwrap() {
            Update::Event(event) => {
                versions.push(event.version.unwrap());
                has_ended = event.terminal;
            }
            // Progress that waits for one connection may be left out in favour of the next.
            Update::Lagged { skipped, .. } => left_out += skipped,
            other => panic!("{other:?}"),
        }
    }
    (cast.version, versions, left_out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_where_the_record_was_read() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let publisher = Publisher::new(publishing(&target)).unwrap();
    for id in 0..CASTS {
        mention(&target, &format!("seam{id}"), "shop|42").await;
    }
    let telling: Vec<_> = (0..CASTS).map(|id| tokio::spawn(tell(publisher.clone(), id))).collect();
    let reading: Vec<_> = (0..CASTS).map(|id| tokio::spawn(versions(target.clone(), id))).collect();
    let (mut between, mut events) = (0, 0);
    for reading in reading {
        let (read, versions, left_out) = within(PATIENCE, "a cast to end", reading).await.unwrap();
        assert!(versions.iter().all(|version| *version > read), "{read}, then {versions:?}");
        assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
        let told = u64::try_from(versions.len()).unwrap() + left_out;
        assert_eq!((told, versions.last().unwrap_or(&read)), (62 - read, &62), "from {read}: {versions:?}");
        between += usize::from((2..62).contains(&read));
        events += versions.len();
    }
    for telling in telling {
        telling.await.unwrap();
    }
    report(format!(
        "client: {CASTS} casts read while they changed, {between} in the middle; {events} events after"
    ));
    assert!(between > 0, "no snapshot was taken in the middle");
}

#[tokio::test]
async fn what_fails_for_the_moment_is_tried_again_and_the_rest_is_said() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    mention(&target, "once", "shop|42").await;
    let strikes = Arc::<Strikes>::default();
    let proxy = FaultProxy::of_requests(server.address(), &strikes).await;
    let options = |target: &Target| Options {
        open_timeout: Duration::from_millis(500),
        ..following(target, &["cast:once"])
    };
    let behind = target.at(proxy.address());
    for fault in [Fault::Cut, Fault::HalfEvent, Fault::HangInHeaders, Fault::Status500, Fault::AnswerCut] {
        proxy.arm(Some(fault));
        let (cast, _): (Cast, _) = Subscriber::snapshot("/api/casts/once", options(&behind)).await.unwrap();
        assert_eq!((cast.id.as_str(), proxy.armed()), ("once", None), "{fault}");
    }
    // A fresh credential that is refused is not fetched again.
    let key = target.key.to_string();
    let renewed = Credential::renewed(move || {
        let key = key.clone();
        async move { Ok(key) }
    });
    for credential in [renewed, Credential::fixed(&*target.key)] {
        proxy.arm(Some(Fault::Status401));
        let options = Options { credential, ..options(&behind) };
        let read = Subscriber::snapshot::<Cast>("/api/casts/once", options).await;
        assert!(
            matches!(&read, Err(NoSnapshot::NotRead(trouble)) if trouble.refusal().unwrap().status == 401)
        );
    }
    let missing = Subscriber::snapshot::<Cast>("/api/casts/nobody", options(&target)).await.unwrap_err();
    assert!(
        matches!(&missing, NoSnapshot::NotRead(trouble) if trouble.refusal().unwrap().code == "not_found")
    );
    let history = "/v1/history?channel=a";
    let no_cursor = Subscriber::snapshot::<Value>(history, options(&target)).await.unwrap_err();
    assert!(matches!(no_cursor, NoSnapshot::NoCursor), "{no_cursor:?}");
    let other = Subscriber::snapshot::<Vec<Cast>>("/api/casts/once", options(&target)).await.unwrap_err();
    assert!(matches!(other, NoSnapshot::Misunderstood(_)), "{other:?}");
    // A list is followed as a record is.
    let all = Options { channels: vec!["cast:*".to_owned()], ..options(&target) };
    let (list, mut subscriber): (Value, _) = Subscriber::snapshot("/api/casts", all).await.unwrap();
    assert_eq!(list["items"][0]["id"], "once");
    let publisher = Publisher::new(publishing(&target)).unwrap();
    publisher.publish(draft("elsewhere", 1)).await.unwrap();
    publisher.publish_cast_event("once", "note", &json!({}), None).await.unwrap();
    let update = within(PATIENCE, "the note", subscriber.next()).await.unwrap().unwrap();
    assert!(matches!(&update, Update::Event(event) if event.kind == "note"), "{update:?}");
}
