//! Streams of casts that have ended, and who may open a stream at all.

use serde_json::json;
use tidings_acceptance::casts::{good, mention, send, tell, told};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::{Frame, Target, User, report, within};

use crate::{PATIENCE, World, end, names};

/// A life that has ended; the frames that its stream showed, with `$ready` and `$end`.
async fn lived(world: &World, id: &str, end: (&str, serde_json::Value)) -> Vec<Frame> {
    mention(&world.helper, id, &world.ann_user.id).await;
    let path = format!("/api/casts/{id}/events?since=start");
    let mut stream = world.open(&world.ann, &path).await;
    told(&world.helper, id, "STARTED", json!({})).await;
    told(&world.helper, id, "PROGRESS_UPDATE", json!({"progress": 30})).await;
    told(&world.helper, id, end.0, end.1).await;
    within(PATIENCE, "the end", stream.rest()).await
}

#[tokio::test]
async fn a_finished_cast_gives_what_was_missed_and_no_more() {
    let world = World::make().await;
    let elsewhere = world.server.master().await;
    let mut cuts = 0;
    for (id, kind, data, last) in [
        ("s", "COMPLETED", json!({"duration": 1, "costCents": 2}), &["status", "complete"][..]),
        ("f", "FAILED", json!({"errorMessage": "broken"}), &["status", "failed"]),
        ("c", "STATUS_CHANGED", json!({"status": "cancelled"}), &["status"]),
    ] {
        let all = lived(&world, id, (kind, data)).await;
        assert_eq!(end(&all)["reason"], "terminal_state");
        let path = format!("/api/casts/{id}/events");
        // Without a cursor: the final state.
        let fresh = world.whole(&world.ann, &path).await;
        assert_eq!(names(&fresh), [&["$ready"][..], last, &["$end"]].concat(), "{id}");
        // From the start: everything.
        let shown = |frames: &[Frame]| {
            let events = frames.iter().filter(|frame| !frame.is_control());
            events.map(|frame| (frame.name.clone(), frame.id.clone(), frame.data.clone())).collect::<Vec<_>>()
        };
        let start = world.whole(&world.ann, &format!("{path}?since=start")).await;
        assert_eq!(shown(&start), shown(&all), "{id}");
        // From each id: exactly what follows it, by header and by parameter.
        let end_id = crate::last_id(&all);
        for (index, frame) in all.iter().enumerate() {
            let Some(cursor) = frame.id.as_ref().filter(|id| **id != end_id) else { continue };
            let header = format!("last-event-id: {cursor}\r\n");
            let mut stream = world.open_with(&world.ann, &path, &header).await;
            let missed = within(PATIENCE, "the end", stream.rest()).await;
            assert_eq!(shown(&missed), shown(&all[index + 1..]), "{id} after {}", frame.name);
            assert_eq!(end(&missed)["reason"], "terminal_state");
            let by_query = world.whole(&world.ann, &format!("{path}?since={cursor}")).await;
            assert_eq!(shown(&by_query), shown(&missed));
            cuts += 1;
        }
        // At the end and after it: nothing, for good.
        let mut lane = Lane::new(&elsewhere);
        let later = lane.expect(&json!({"channel": "elsewhere", "type": "t", "data": 1})).await[0];
        for cursor in [end_id, later.to_string()] {
            for more in ["", "?type=status", "?type=progress"] {
                let header = format!("last-event-id: {cursor}\r\n");
                let answer = send(&world.ann, "GET", &format!("{path}{more}"), &header, None).await;
                assert_eq!((answer.status(), answer.body.len()), (204, 0), "{id}{more}");
            }
            let answer = send(&world.ann, "GET", &format!("{path}?since={cursor}"), "", None).await;
            assert_eq!(answer.status(), 204);
        }
    }
    report(format!("casts: finished ones were asked for from {cuts} places"));
    assert!(cuts >= 9);
}

#[tokio::test]
async fn a_cursor_of_another_history_gives_the_state() {
    let world = World::make().await;
    lived(&world, "s", ("COMPLETED", json!({"duration": 1, "costCents": 2}))).await;
    mention(&world.helper, "live", &world.ann_user.id).await;
    for foreign in ["0000000000002.0000000", "nonsense"] {
        let header = format!("last-event-id: {foreign}\r\n");
        let mut stream = world.open_with(&world.ann, "/api/casts/s/events", &header).await;
        let frames = within(PATIENCE, "the end", stream.rest()).await;
        assert_eq!(names(&frames), ["$ready", "$reset", "status", "complete", "$end"], "{foreign}");
        assert_eq!(frames[1].data["reason"], "unknown");
        // A cast that lives: its state, and on.
        let mut stream = world.open_with(&world.ann, "/api/casts/live/events", &header).await;
        let frames = stream.until(|frame| frame.name == "status").await;
        assert_eq!(names(&frames), ["$ready", "$reset", "status"], "{foreign}");
        assert_eq!(frames[2].data["status"], "queued");
    }
    told(&world.helper, "live", "STARTED", json!({})).await;
    // Last-Event-ID wins over since; what is no cursor is a fault of whoever wrote the URL.
    let all = world.whole(&world.ann, "/api/casts/s/events?since=start").await;
    let header = format!("last-event-id: {}\r\n", crate::last_id(&all));
    let answer = send(&world.ann, "GET", "/api/casts/s/events?since=start", &header, None).await;
    assert_eq!(answer.status(), 204);
    let refused = world.refusal(&world.ann, "/api/casts/s/events?since=nonsense").await;
    assert_eq!(refused, (400, "invalid_cursor".to_owned()));
}

#[tokio::test]
async fn who_may_not_is_told_why_and_who_may_is_served() {
    let world = World::make().await;
    mention(&world.helper, "anns", &world.ann_user.id).await;
    lived(&world, "ended", ("COMPLETED", json!({"duration": 1, "costCents": 2}))).await;
    world.server.json(&["tenant", "add", "elsewhere"]).await;
    let stranger = User::add(&world.server, "eve@example.test", &["--tenant", "elsewhere"]).await;
    let boss =
        User::add(&world.server, "boss@example.test", &["--tenant", "elsewhere", "--role", "admin"]).await;
    let address = world.server.address();
    let (stranger, boss) = (stranger.sign_in(address).await, boss.sign_in(address).await);
    let narrow = world.server.key("narrow", &["subscribe:cast:other"]).await;
    let (_, anns_key) = world.ann_user.key(&world.server, "anns key").await;
    let path = |id: &str| format!("/api/casts/{id}/events");
    let mut refusals = 0;
    for id in ["anns", "ended"] {
        let (nobody, wrong) = (world.nobody(), Target::new(address, "tdk_invented"));
        for (who, status, code) in [
            (&nobody, 401, "unauthenticated"),
            (&wrong, 401, "unauthenticated"),
            (&world.ben, 403, "forbidden"),
            (&narrow, 403, "forbidden"),
            (&stranger, 404, "not_found"),
            (&boss, 404, "not_found"),
        ] {
            assert_eq!(world.refusal(who, &path(id)).await, (status, code.to_owned()), "{id}");
            refusals += 1;
        }
        for who in [&world.ann, &anns_key, &world.admin, &world.helper] {
            assert_eq!(world.open(who, &path(id)).await.event().await.name, "$ready");
        }
        // Several at once are no way around it.
        let several = format!("/api/casts/events?castId={id}");
        for (who, status) in [(&nobody, 401), (&world.ben, 403), (&stranger, 404)] {
            assert_eq!(world.refusal(who, &several).await.0, status);
            refusals += 1;
        }
        assert_eq!(world.open(&world.ann, &several).await.event().await.name, "$ready");
    }
    for who in [&world.ann, &world.admin, &world.helper, &stranger] {
        assert_eq!(world.refusal(who, &path("none")).await, (404, "not_found".to_owned()));
        refusals += 1;
    }
    // A foreign cast cannot be told from none.
    let foreign = send(&boss, "GET", &path("anns"), "", None).await.json();
    let none = send(&boss, "GET", &path("none"), "", None).await.json();
    assert_eq!(foreign, none);
    report(format!("casts: {refusals} streams were refused, and their twins opened"));
}

#[tokio::test]
async fn a_ticket_opens_the_streams_of_its_casts() {
    let world = World::make().await;
    mention(&world.helper, "anns", &world.ann_user.id).await;
    mention(&world.helper, "other", &world.ann_user.id).await;
    let nobody = world.nobody();
    let ticket = async || {
        let body = json!({"channels": ["cast:anns"]});
        let answer = send(&world.ann, "POST", "/v1/tickets", "", Some(&body)).await;
        good(&answer)["ticket"].as_str().unwrap().to_owned()
    };
    let mut stream = world.open(&nobody, &format!("/api/casts/anns/events?ticket={}", ticket().await)).await;
    stream.until(|frame| frame.name == "status").await;
    assert!(tell(&world.helper, "anns", &json!({"type": "STARTED"})).await.status() == 200);
    assert_eq!(stream.event().await.data["status"], "running");
    let refused = world.refusal(&nobody, &format!("/api/casts/other/events?ticket={}", ticket().await)).await;
    assert_eq!(refused.0, 403, "{refused:?}");
    let spent = ticket().await;
    world.open(&nobody, &format!("/api/casts/anns/events?ticket={spent}")).await;
    let refused = world.refusal(&nobody, &format!("/api/casts/anns/events?ticket={spent}")).await;
    assert_eq!(refused, (401, "ticket_spent".to_owned()));
    // Not for another's cast either: Ben cannot ask for a ticket to it.
    let body = json!({"channels": ["cast:anns"]});
    assert_eq!(send(&world.ben, "POST", "/v1/tickets", "", Some(&body)).await.status(), 403);
}
