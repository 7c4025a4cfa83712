//! State and stream are one (G5): whoever opens while a cast changes has each change exactly once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use tidings_acceptance::casts::{mention, told};
use tidings_acceptance::report::random;
use tidings_acceptance::{Frame, Frames, report, within};
use tokio::time::sleep;

use crate::{PATIENCE, World, end};

const READERS: usize = 200;
const CHANGES: u32 = 200;

/// The number that an artifact carries: no two changes have the same.
fn number(frame: &Frame) -> Option<u32> {
    (frame.name == "artifact")
        .then(|| frame.data["artifactUrl"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opens_while_it_changes_misses_nothing_and_has_nothing_twice() {
    let world = Arc::new(World::make().await);
    let mut random = random("seam");
    mention(&world.helper, "x", &world.ann_user.id).await;
    told(&world.helper, "x", "STARTED", json!({})).await;
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            for n in 1..=CHANGES {
                let url = format!("https://files.example.test/{n}");
                told(&world.helper, "x", "ARTIFACT_READY", json!({ "artifactUrl": url })).await;
                sleep(Duration::from_millis(5)).await;
            }
            told(&world.helper, "x", "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
        })
    };
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (world, wait) = (world.clone(), Duration::from_millis(random.random_range(0..1_200)));
            tokio::spawn(async move {
                sleep(wait).await;
                let path = "/api/casts/x/events?type=artifact&type=status&type=complete";
                let mut stream = Frames::open(&world.helper, path, "").await.expect("a stream");
                stream.rest().await
            })
        })
        .collect();
    within(PATIENCE * 3, "the writer", writer).await.unwrap();
    let (mut within_changes, mut followed) = (0, 0);
    for reader in readers {
        let frames = within(PATIENCE, "a reader", reader).await.unwrap();
        assert_eq!(end(&frames)["reason"], "terminal_state");
        let numbers: Vec<u32> = frames.iter().filter_map(number).collect();
        // State first: the latest number, if there was one; then each that follows.
        let first = numbers.first().copied().unwrap_or(CHANGES + 1);
        let expected: Vec<u32> = (first..=CHANGES).collect();
        assert_eq!(numbers, expected, "{frames:?}");
        // One that opened before the first change has a state without an artifact, and all of them.
        let statuses: Vec<&str> = frames
            .iter()
            .filter(|frame| frame.name == "status")
            .map(|frame| frame.data["status"].as_str().unwrap())
            .collect();
        let is_late = first > CHANGES;
        assert_eq!(statuses, if is_late { &["succeeded"][..] } else { &["running", "succeeded"] });
        within_changes += usize::from(first > 1 && !is_late);
        followed += numbers.len();
    }
    report(format!(
        "casts: {within_changes} of {READERS} opened while it changed; {followed} changes followed"
    ));
    assert!(within_changes > READERS / 4, "the readers came while it changed");
}

/// What a client knows of each cast, frame by frame.
fn known(frames: &[Frame]) -> HashMap<(String, String), Value> {
    let told = frames.iter().filter(|frame| !frame.is_control());
    told.map(|frame| {
        let cast = frame.data["castId"].as_str().unwrap().to_owned();
        ((cast, frame.name.clone()), frame.data.clone())
    })
    .collect()
}

/// Cut off after any of its frames, a client comes back with the id that it has, if it has one, and is told the rest.
#[tokio::test]
async fn an_id_is_given_only_once_the_state_before_it_was() {
    let world = World::make().await;
    for id in ["live", "other", "ended"] {
        mention(&world.helper, id, &world.ann_user.id).await;
        told(&world.helper, id, "STARTED", json!({})).await;
        told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 50})).await;
        told(&world.helper, id, "ARTIFACT_READY", json!({"artifactUrl": "https://files.example.test/a"}))
            .await;
    }
    told(&world.helper, "ended", "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
    let mut cuts = 0;
    for (path, count) in [
        ("/api/casts/live/events", 4),
        ("/api/casts/ended/events", 4),
        ("/api/casts/events?castId=live&castId=other&castId=ended", 9),
    ] {
        for back in ["", "last-event-id: 0000000000002.0000000\r\n"] {
            // One more: `$reset`.
            let count = if back.is_empty() { count } else { count + 1 };
            let mut whole = world.open_with(&world.ann, path, back).await;
            let mut frames = Vec::new();
            while frames.len() < count {
                frames.push(whole.event().await);
            }
            for cut in 0..count {
                let id = frames[..cut].iter().rev().find_map(|frame| frame.id.as_ref());
                let back = id.map_or(back.to_owned(), |id| format!("last-event-id: {id}\r\n"));
                let mut seen = frames[..cut].to_vec();
                if let Ok(mut again) = Frames::open(&world.ann, path, &back).await {
                    let more = async {
                        while known(&seen) != known(&frames) {
                            seen.push(again.event().await);
                        }
                    };
                    within(PATIENCE, &format!("the rest of {path} after {:?}", &frames[..cut]), more).await;
                }
                assert_eq!(known(&seen), known(&frames), "{path} after {:?}", &frames[..cut]);
                cuts += 1;
            }
        }
    }
    report(format!("casts: streams were cut in {cuts} places of their state, and told the rest"));
}
