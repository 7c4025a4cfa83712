//! One stream for several casts, for all of a user's, for everything: they begin with the states of those that were
//! named, and none ends with a cast.

use std::collections::HashSet;

use serde_json::json;
use tidings_acceptance::casts::{create, mention, told};
use tidings_acceptance::{Frame, within};

use crate::{PATIENCE, World, last_id, names};

async fn finish(world: &World, id: &str) {
    told(&world.helper, id, "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
}

/// Whether a frame is the `complete` of this cast.
fn completes(frame: &Frame, id: &str) -> bool {
    frame.name == "complete" && frame.data["castId"] == id
}

/// The casts that frames speak of.
fn casts(frames: &[Frame]) -> HashSet<String> {
    let ids = frames.iter().filter(|frame| !frame.is_control());
    ids.map(|frame| frame.data["castId"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&str]) -> HashSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test]
async fn several_begin_with_their_states_and_outlive_them() {
    let world = World::make().await;
    for id in ["a", "b", "c", "d"] {
        mention(&world.helper, id, &world.ann_user.id).await;
    }
    told(&world.helper, "b", "STARTED", json!({})).await;
    told(&world.helper, "b", "PROGRESS_UPDATE", json!({"progress": 70})).await;
    finish(&world, "c").await;
    let path = "/api/casts/events?castId=a&castId=b&castId=c";
    let mut stream = world.open(&world.ann, path).await;
    let state = stream.until(|frame| completes(frame, "c")).await;
    assert_eq!(names(&state), ["$ready", "status", "status", "progress", "status", "complete"]);
    assert_eq!(casts(&state), set(&["a", "b", "c"]));
    let statuses: Vec<_> = state.iter().filter_map(|frame| frame.data["status"].as_str()).collect();
    assert_eq!(statuses, ["queued", "running", "succeeded", "succeeded"]);
    // All of them end, and another goes on: nothing of it, and no end.
    told(&world.helper, "d", "STARTED", json!({})).await;
    finish(&world, "a").await;
    finish(&world, "b").await;
    let live = within(PATIENCE, "both ends", stream.until(|frame| completes(frame, "b"))).await;
    assert_eq!(names(&live), ["status", "complete", "status", "complete"]);
    assert_eq!(casts(&live), set(&["a", "b"]));
    // What was missed, after a cursor, without the states.
    let mut again = world.open(&world.ann, &format!("{path}&since={}", last_id(&state))).await;
    let missed = within(PATIENCE, "both ends", again.until(|frame| completes(frame, "b"))).await;
    assert_eq!(missed[1..], live[..]);
    // Both are still there.
    mention(&world.helper, "e", &world.ann_user.id).await;
    for stream in [&mut stream, &mut again] {
        assert!(tokio::time::timeout(std::time::Duration::from_millis(300), stream.next()).await.is_err());
    }
}

#[tokio::test]
async fn ones_own_come_and_nobody_elses() {
    let world = World::make().await;
    mention(&world.helper, "anns", &world.ann_user.id).await;
    mention(&world.helper, "bens", &world.ben_user.id).await;
    let mut mine = world.open(&world.ann, "/api/casts/events").await;
    assert_eq!(mine.event().await.name, "$ready");
    let mut said = world.open(&world.ann, "/api/casts/events?scope=mine&type=complete").await;
    assert_eq!(said.event().await.name, "$ready");
    finish(&world, "bens").await;
    create(&world.ben, &json!({"id": "bens2"})).await;
    create(&world.ann, &json!({"id": "new"})).await;
    finish(&world, "anns").await;
    finish(&world, "new").await;
    let frames = within(PATIENCE, "the new one's end", mine.until(|frame| completes(frame, "new"))).await;
    assert_eq!(names(&frames), ["status", "status", "complete", "status", "complete"]);
    assert_eq!(casts(&frames), set(&["anns", "new"]));
    let frames = within(PATIENCE, "the new one's end", said.until(|frame| completes(frame, "new"))).await;
    assert_eq!(names(&frames), ["complete", "complete"]);
    // From the start: what there was before, too.
    let mut all = world.open(&world.ann, "/api/casts/events?since=start").await;
    let frames = within(PATIENCE, "the new one's end", all.until(|frame| completes(frame, "new"))).await;
    assert_eq!(casts(&frames), set(&["anns", "new"]));
    assert_eq!(frames.iter().filter(|frame| frame.name == "status").count(), 4);
    // A service key has none of its own.
    assert_eq!(world.refusal(&world.helper, "/api/casts/events").await.0, 400);
}

#[tokio::test]
async fn everything_is_for_admins() {
    let world = World::make().await;
    let narrow = world.server.key("narrow", &["subscribe:cast:a", "publish:*"]).await;
    let path = "/api/casts/events?scope=all";
    let mut all = world.open(&world.admin, path).await;
    let mut service = world.open(&world.helper, path).await;
    for stream in [&mut all, &mut service] {
        assert_eq!(stream.event().await.name, "$ready");
    }
    for who in [&world.ann, &world.ben, &narrow] {
        assert_eq!(world.refusal(who, path).await, (403, "forbidden".to_owned()));
    }
    assert_eq!(world.refusal(&world.nobody(), path).await.0, 401);
    assert_eq!(world.refusal(&world.admin, "/api/casts/events?scope=some").await.0, 400);
    mention(&world.helper, "anns", &world.ann_user.id).await;
    mention(&world.helper, "bens", &world.ben_user.id).await;
    finish(&world, "anns").await;
    finish(&world, "bens").await;
    for stream in [&mut all, &mut service] {
        let frames = within(PATIENCE, "Ben's end", stream.until(|frame| completes(frame, "bens"))).await;
        assert_eq!(casts(&frames), set(&["anns", "bens"]));
        assert_eq!(names(&frames).len(), 6);
    }
    // A native event for the tenant's other channels is none of theirs.
    mention(&world.helper, "last", &world.ann_user.id).await;
    assert_eq!(all.event().await.data["castId"], "last");
}
