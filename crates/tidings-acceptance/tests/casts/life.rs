//! A cast's life on its stream: every frame in its exact form, for each of the three ends.

use std::process::Stdio;

use serde_json::{Value, json};
use tidings_acceptance::casts::{create, good, mention, send, told};
use tidings_acceptance::frames::redacted;
use tidings_acceptance::{Target, report, within};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::{PATIENCE, World, end, names};

/// Document 1's line.
struct Curl {
    child: Child,
    seen: String,
}

impl Curl {
    fn start(target: &Target, header: &str, id: &str) -> Self {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-N", "--noproxy", "*", "-H"]).arg(format!("{header}{}", target.key));
        curl.arg(format!("http://{}/api/casts/{id}/events", target.address));
        curl.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        Self { child: curl.spawn().expect("curl"), seen: String::new() }
    }

    /// Reads until the text has come, or all there is.
    async fn read_until(&mut self, text: Option<&str>) {
        let out = self.child.stdout.as_mut().unwrap();
        let reading = async {
            let mut bytes = [0; 4096];
            while text.is_none_or(|text| !self.seen.contains(text)) {
                let count = out.read(&mut bytes).await.unwrap();
                if count == 0 {
                    assert_eq!(text, None, "{}", self.seen);
                    break;
                }
                self.seen.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        };
        within(PATIENCE, text.unwrap_or("the end"), reading).await;
    }
}

#[tokio::test]
async fn curl_shows_a_life_with_either_header() {
    let world = World::make().await;
    let (_, key) = world.ann_user.key(&world.server, "anns").await;
    for (id, header) in [("bearer", "Authorization: Bearer "), ("x-api-key", "x-api-key: ")] {
        create(&world.ann, &json!({ "id": id })).await;
        let mut curl = Curl::start(&key, header, id);
        curl.read_until(Some(r#""status":"queued""#)).await;
        told(&world.helper, id, "STARTED", json!({})).await;
        curl.read_until(Some(r#""status":"running""#)).await;
        told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 50, "message": "Processing..."})).await;
        curl.read_until(Some("Processing...")).await;
        told(&world.helper, id, "ARTIFACT_READY", json!({"artifactUrl": "https://files.example.test/a"}))
            .await;
        curl.read_until(Some("https://files.example.test/a")).await;
        told(&world.helper, id, "COMPLETED", json!({"duration": 180_000, "costCents": 250})).await;
        curl.read_until(None).await;
        assert!(curl.child.wait().await.unwrap().success(), "the server ended it in order");
        let names: Vec<&str> = curl.seen.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        let life = ["$ready", "status", "status", "progress", "artifact", "status", "complete", "$end"];
        assert_eq!(names, life, "{}", curl.seen);
    }
    report("casts: two lives seen by curl, from queued to succeeded");
}

/// The frames of a cast that was created before and ends as `ending` makes it end.
async fn life(world: &World, id: &str, ending: impl AsyncFnOnce(&World)) -> String {
    create(&world.ann, &json!({ "id": id })).await;
    let mut stream = world.open(&world.ann, &format!("/api/casts/{id}/events")).await;
    stream.until(|frame| frame.name == "status").await;
    let started = json!({"startedAt": "2025-11-06T10:00:00Z"});
    told(&world.helper, id, "STARTED", started).await;
    told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 50, "message": "Processing..."})).await;
    // Of two that wait for the connection only the later one would be told.
    stream.until(|frame| frame.name == "progress").await;
    told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 60, "message": null})).await;
    ending(world).await;
    let frames = within(PATIENCE, "the end", stream.rest()).await;
    assert_eq!(*end(&frames), json!({"reason": "terminal_state", "retry": "never"}));
    let headers = ["content-type", "cache-control", "x-accel-buffering", "connection"];
    let headers = headers.map(|name| format!("{name}: {}\n", stream.head.header(name).unwrap_or("-")));
    format!("{}\n{}", headers.concat(), redacted(stream.text()))
}

#[tokio::test]
async fn frames_have_their_exact_form_whatever_the_end() {
    let world = World::make().await;
    let succeeded = life(&world, "good", async |world| {
        let artifact = json!({"artifactUrl": "https://files.example.test/a"});
        told(&world.helper, "good", "ARTIFACT_READY", artifact).await;
        let data = json!({"duration": 180_000, "costCents": 250, "finishedAt": "2025-11-06T10:03:00Z"});
        told(&world.helper, "good", "COMPLETED", data).await;
    });
    insta::assert_snapshot!("succeeded", succeeded.await);
    let failed = life(&world, "bad", async |world| {
        told(&world.helper, "bad", "FAILED", json!({"errorMessage": "no \"room\"\nleft"})).await;
    });
    insta::assert_snapshot!("failed", failed.await);
    let cancelled = life(&world, "ugly", async |world| {
        let cancelled = send(&world.ann, "POST", "/api/casts/ugly/cancel", "", None).await;
        assert_eq!(good(&cancelled)["status"], "cancelled");
    });
    insta::assert_snapshot!("cancelled", cancelled.await);
}

/// A life with two progress events, from its creation to success.
async fn live(world: &World, id: &str) {
    told(&world.helper, id, "STARTED", json!({})).await;
    told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 10})).await;
    told(&world.helper, id, "ARTIFACT_READY", json!({"artifactUrl": "https://files.example.test/b"})).await;
    told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 20})).await;
    told(&world.helper, id, "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
}

#[tokio::test]
async fn chosen_frames_come_alone_and_the_end_always() {
    let world = World::make().await;
    let choices: [(&str, &[&str]); 8] = [
        ("type=status", &["status", "status", "status"]),
        ("type=progress", &["progress", "progress"]),
        ("type=complete", &["complete"]),
        ("type=failed", &[]),
        ("type=artifact", &["artifact"]),
        ("type=status&type=progress", &["status", "status", "progress", "progress", "status"]),
        ("type=complete&type=artifact", &["artifact", "complete"]),
        ("", &["status", "status", "progress", "artifact", "progress", "status", "complete"]),
    ];
    for (index, (query, wanted)) in choices.into_iter().enumerate() {
        let id = format!("c{index}");
        mention(&world.helper, &id, &world.ann_user.id).await;
        let mut stream = world.open(&world.ann, &format!("/api/casts/{id}/events?{query}")).await;
        assert_eq!(stream.event().await.name, "$ready");
        live(&world, &id).await;
        let frames = within(PATIENCE, "the end", stream.rest()).await;
        assert_eq!(end(&frames)["reason"], "terminal_state", "{query}");
        let shown = names(&frames[..frames.len() - 1]);
        assert_eq!(shown, wanted, "{query}");
        // Only the last frame of an event that this stream is sent has the id.
        for pair in frames.windows(2).filter(|pair| pair[0].id.is_none()) {
            assert_eq!((pair[0].name.as_str(), pair[1].name.as_str()), ("status", "complete"), "{query}");
        }
        let ids: Vec<&String> = frames.iter().filter_map(|frame| frame.id.as_ref()).collect();
        assert!(ids.is_sorted(), "{query}: {ids:?}");
    }
}

#[tokio::test]
async fn batches_hold_the_same_frames_in_the_same_order() {
    let world = World::make().await;
    mention(&world.helper, "b", &world.ann_user.id).await;
    let mut batched = world.open(&world.ann, "/api/casts/b/events?batch=50").await;
    let mut plain = world.open(&world.ann, "/api/casts/b/events").await;
    told(&world.helper, "b", "STARTED", json!({})).await;
    for n in 0..60 {
        let artifact = json!({"artifactUrl": format!("https://files.example.test/{n}")});
        told(&world.helper, "b", "ARTIFACT_READY", artifact).await;
    }
    told(&world.helper, "b", "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
    let batched = within(PATIENCE, "the end", batched.rest()).await;
    let plain = within(PATIENCE, "the end", plain.rest()).await;
    assert_eq!(end(&batched), end(&plain));
    let mut shown = Vec::new();
    for frame in batched.iter().filter(|frame| !frame.is_control()) {
        assert_eq!(frame.name, "batch", "nothing comes beside the batches");
        let items = frame.data.as_array().unwrap();
        assert!(!items.is_empty());
        let last = items.last().unwrap()["id"].as_str();
        assert_eq!(frame.id.as_deref(), last, "a batch has the id of its last event");
        shown.extend(items.iter().map(|item| {
            let members: Vec<&String> = item.as_object().unwrap().keys().collect();
            assert!(members.iter().all(|name| ["id", "event", "data"].contains(&name.as_str())), "{item}");
            (item["event"].as_str().unwrap().to_owned(), item["id"].clone(), item["data"].clone())
        }));
    }
    let of = |id: &Option<String>| id.as_ref().map_or(Value::Null, |id| json!(id));
    let events = plain.iter().filter(|frame| !frame.is_control());
    let events: Vec<_> =
        events.map(|frame| (frame.name.clone(), of(&frame.id), frame.data.clone())).collect();
    assert_eq!(shown, events);
    let batches = batched.iter().filter(|frame| frame.name == "batch").count();
    report(format!("casts: {} frames came in {batches} batches", shown.len()));
    assert!(batches < shown.len());
}

#[tokio::test]
async fn the_longest_life_ends_with_a_word_and_costs_nothing() {
    let options = tidings_acceptance::ServerOptions::new().set("stream.casts_lifetime", "1s");
    let world = World::with(options).await;
    mention(&world.helper, "long", &world.ann_user.id).await;
    let mut stream = world.open(&world.ann, "/api/casts/long/events").await;
    let frames = within(PATIENCE, "the lifetime to be over", stream.rest()).await;
    assert_eq!(end(&frames)["reason"], "lifetime");
    assert_eq!(end(&frames)["retry"], "now");
    told(&world.helper, "long", "STARTED", json!({})).await;
    let header = format!("last-event-id: {}\r\n", crate::last_id(&frames));
    let mut again = world.open_with(&world.ann, "/api/casts/long/events", &header).await;
    let frames = again.until(|frame| frame.name == "status").await;
    assert_eq!(names(&frames), ["$ready", "status"]);
    assert_eq!(frames[0].data["resumed"], true);
    assert_eq!(frames[1].data["status"], "running");
}
