//! What other backends tell of casts that they keep themselves, by a service key.

use serde_json::{Value, json};
use tidings_acceptance::casts::{good, mention, read, send, tell, told};
use tidings_acceptance::poll::history;
use tidings_acceptance::{User, report};

use crate::World;

/// The events of the helpers, each with the status after it.
fn kinds() -> [(&'static str, Value, Option<&'static str>); 8] {
    [
        ("STATUS_CHANGED", json!({"status": "queued"}), Some("queued")),
        ("STARTED", json!({}), Some("running")),
        ("STATUS_CHANGED", json!({"status": "running"}), Some("running")),
        ("PROGRESS_UPDATE", json!({"progress": 5}), None),
        ("ARTIFACT_READY", json!({"artifactUrl": "https://files.example.test/a"}), None),
        ("COMPLETED", json!({"duration": 1, "costCents": 2}), Some("succeeded")),
        ("FAILED", json!({"errorMessage": "no"}), Some("failed")),
        ("STATUS_CHANGED", json!({"status": "cancelled"}), Some("cancelled")),
    ]
}

/// Whether the status may be followed by the other (A9).
fn allows(from: &str, to: &str) -> bool {
    match from {
        "queued" => true,
        "running" => to != "queued",
        _ => false,
    }
}

#[tokio::test]
async fn every_transition_is_taken_or_refused_with_the_record() {
    let world = World::make().await;
    let (mut taken, mut refused) = (0, 0);
    for (index, from) in ["queued", "running", "succeeded", "failed", "cancelled"].into_iter().enumerate() {
        for (step, (kind, data, to)) in kinds().into_iter().enumerate() {
            let id = format!("t{index}-{step}");
            mention(&world.helper, &id, &world.ann_user.id).await;
            told(&world.helper, &id, "STATUS_CHANGED", json!({"status": from})).await;
            let before = read(&world.ann, &id).await;
            assert_eq!(before["status"], from);
            let events = history(&world.helper, &[&format!("cast:{id}")], None).await.len();
            let answer = tell(&world.helper, &id, &json!({"type": kind, "data": data})).await;
            let after = history(&world.helper, &[&format!("cast:{id}")], None).await.len();
            let record = read(&world.ann, &id).await;
            if allows(from, to.unwrap_or(from)) {
                assert_eq!(record, good(&answer), "{from} and {kind} {data}");
                assert_eq!(record["status"], to.unwrap_or(from));
                let grown = record["version"].as_u64().unwrap() - before["version"].as_u64().unwrap();
                assert_eq!(grown, u64::from(to != Some(from)), "{from} and {kind} {data}");
                assert_eq!(after, events + 1);
                taken += 1;
            } else {
                assert_eq!(
                    (answer.status(), answer.code().as_str()),
                    (409, "illegal_transition"),
                    "{from} {kind}"
                );
                assert_eq!((&answer.json()["current"], after), (&before, events));
                assert_eq!(record, before);
                refused += 1;
            }
        }
    }
    report(format!("casts: {taken} steps were taken and {refused} refused"));
    assert_eq!((taken, refused), (15, 25));
}

#[tokio::test]
async fn the_first_mention_makes_the_cast() {
    let world = World::make().await;
    for (index, (kind, data, to)) in kinds().into_iter().enumerate() {
        let id = format!("m{index}");
        let unowned = tell(&world.helper, &id, &json!({"type": kind, "data": data})).await;
        assert_eq!((unowned.status(), unowned.code().as_str()), (400, "invalid_body"), "{kind}");
        assert_eq!(send(&world.helper, "GET", &format!("/api/casts/{id}"), "", None).await.status(), 404);
        let body = json!({"type": kind, "data": data, "userId": world.ann_user.id, "unknown": 1});
        let record = good(&tell(&world.helper, &id, &body).await);
        assert_eq!(record["userId"], world.ann_user.id);
        assert_eq!(record["status"], to.unwrap_or("queued"), "{kind}");
        assert_eq!(read(&world.ann, &id).await, record, "its owner sees it");
        assert_eq!(send(&world.ben, "GET", &format!("/api/casts/{id}"), "", None).await.status(), 403);
    }
    // Only by those who may.
    let narrow = world.server.key("narrow", &["publish:cast:mine", "subscribe:*"]).await;
    let body = json!({"type": "STARTED", "userId": world.ann_user.id});
    for (who, status) in [(&world.nobody(), 401), (&world.ann, 403), (&narrow, 403)] {
        assert_eq!(tell(who, "n", &body).await.status(), status);
    }
    for (who, id) in [(&narrow, "mine"), (&world.admin, "n"), (&world.helper, "n2")] {
        assert_eq!(good(&tell(who, id, &body).await)["version"], 1);
    }
    // Another tenant's helper makes a cast of its own under the same name.
    world.server.json(&["tenant", "add", "elsewhere"]).await;
    let made = world
        .server
        .json(&[
            "key",
            "create",
            "--name",
            "far",
            "--tenant",
            "elsewhere",
            "--grant",
            "publish:cast:*",
            "--grant",
            "subscribe:*",
        ])
        .await;
    let far = tidings_acceptance::Target::new(world.server.address(), made["key"].as_str().unwrap());
    let eve = User::add(&world.server, "eve@example.test", &["--tenant", "elsewhere"]).await;
    let body = json!({"type": "FAILED", "userId": eve.id, "data": {"errorMessage": "far away"}});
    assert_eq!(good(&tell(&far, "n", &body).await)["userId"], eve.id);
    assert_eq!(read(&world.ann, "n").await["status"], "running");
    assert_eq!(read(&far, "n").await["status"], "failed");
}

#[tokio::test]
async fn what_is_told_twice_happens_once() {
    let mut world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let first = json!({"type": "PROGRESS_UPDATE", "data": {"progress": 5}, "idempotencyKey": "k"});
    let answer = tell(&world.helper, "x", &first).await;
    assert_eq!(answer.status(), 200);
    told(&world.helper, "x", "COMPLETED", json!({"duration": 1, "costCents": 2})).await;
    for round in 0..3 {
        let again = tell(&world.helper, "x", &first).await;
        assert_eq!((again.status(), &again.body), (200, &answer.body), "{round}");
        let other = json!({"type": "PROGRESS_UPDATE", "data": {"progress": 6}, "idempotencyKey": "k"});
        let other = tell(&world.helper, "x", &other).await;
        assert_eq!((other.status(), other.code().as_str()), (409, "idempotency_conflict"));
        if round == 1 {
            world.server.kill().await;
            world.server.run().await;
        }
    }
    assert_eq!(history(&world.helper, &["cast:x"], None).await.len(), 3);
    // Another cast's key is another key.
    let body = json!({"type": "STARTED", "userId": world.ann_user.id, "idempotencyKey": "k"});
    assert_eq!(good(&tell(&world.helper, "y", &body).await)["status"], "running");
}

#[tokio::test]
async fn what_has_no_effect_on_the_state_is_handed_on() {
    let world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let mut stream = world.open(&world.ann, "/api/casts/x/events").await;
    stream.until(|frame| frame.name == "status").await;
    let data = json!({"line": 7, "text": "compiled"});
    let record = good(&tell(&world.helper, "x", &json!({"type": "LOG_LINE", "data": data})).await);
    assert_eq!(record["version"], 1, "the record has not changed");
    let frame = stream.event().await;
    assert_eq!((frame.name.as_str(), &frame.data), ("LOG_LINE", &data));
    assert!(frame.id.is_some());
    // What is stored, again: `publishCastUpdate` without a state.
    assert_eq!(good(&tell(&world.helper, "x", &json!({"type": "STATUS_CHANGED"})).await)["version"], 1);
    assert_eq!(stream.event().await.data["status"], "queued");
    // Names that are not free.
    for name in ["error", "open", "$end", "status", "batch", "a b", ""] {
        let answer = tell(&world.helper, "x", &json!({"type": name, "data": 1})).await;
        assert_eq!(answer.status(), 400, "{name}");
    }
    assert_eq!(tell(&world.helper, "x", &json!({"data": 1})).await.status(), 400);
    told(&world.helper, "x", "STARTED", json!({})).await;
    assert_eq!(stream.event().await.data["status"], "running", "nothing came of the refused ones");
}
