//! Casts as records: made, read, listed, changed, cancelled; versions, and requests that are repeated.

use std::collections::HashSet;

use serde_json::{Value, json};
use tidings_acceptance::casts::{create, good, mention, read, send, told};
use tidings_acceptance::http::Answer;
use tidings_acceptance::poll::history;
use tidings_acceptance::{Call, Target, report};

use crate::World;

async fn patch(target: &Target, id: &str, more: &str, body: &Value) -> Answer {
    send(target, "PATCH", &format!("/api/casts/{id}"), more, Some(body)).await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status(), answer.code())
}

#[tokio::test]
async fn a_cast_is_made_and_read() {
    let world = World::make().await;
    let body = json!({"repository": "owner/name", "workflowRunId": "123", "someone": {"is": "unknown"}});
    let made = send(&world.ann, "POST", "/api/casts", "", Some(&body)).await;
    assert_eq!(made.status(), 201, "{}", made.json());
    let record = made.json();
    let id = record["id"].as_str().unwrap();
    assert_eq!(made.head.header("location"), Some(format!("/api/casts/{id}").as_str()));
    assert_eq!(made.head.header("etag"), Some("\"1\""));
    let cursor: tidings_protocol::Cursor = made.head.header("tidings-cursor").unwrap().parse().unwrap();
    let members = "id userId status progress message startedAt finishedAt duration costCents artifactUrl errorMessage \
         repository workflowRunId createdAt updatedAt version";
    let expected: HashSet<&str> = members.split_whitespace().collect();
    let found: HashSet<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, expected);
    assert_eq!((&record["status"], &record["version"]), (&json!("queued"), &json!(1)));
    assert_eq!(record["userId"], world.ann_user.id);
    // What a read contains is what has an id up to its cursor.
    let answer = send(&world.ann, "GET", &format!("/api/casts/{id}"), "", None).await;
    assert_eq!((answer.json(), answer.head.header("etag")), (record.clone(), Some("\"1\"")));
    let contained = answer.head.header("tidings-cursor").unwrap();
    assert!(contained >= cursor.to_string().as_str());
    assert!(history(&world.helper, &[&format!("cast:{id}")], Some(contained)).await.is_empty());
    // Without repository and run they are left out, and a name may be chosen, once.
    let named = create(&world.ann, &json!({"id": "named"})).await;
    assert_eq!(named.as_object().unwrap().len(), expected.len() - 2);
    let again = send(&world.ann, "POST", "/api/casts", "", Some(&json!({"id": "named"}))).await;
    assert_eq!((again.status(), &again.json()["current"]), (409, &named));
    let others = send(&world.ben, "POST", "/api/casts", "", Some(&json!({"id": "named"}))).await;
    assert_eq!((others.status(), &others.json()["current"]), (409, &Value::Null), "no word of Ann's cast");
    for bad in [json!({"id": "a b"}), json!({"id": "events"}), json!({"repository": "x"}), json!([1])] {
        assert_eq!(send(&world.ann, "POST", "/api/casts", "", Some(&bad)).await.status(), 400, "{bad}");
    }
    // For others: a service key and an admin name the owner, a member cannot.
    let for_ben = json!({"userId": world.ben_user.id});
    assert_eq!(create(&world.admin, &for_ben).await["userId"], world.ben_user.id);
    assert_eq!(create(&world.helper, &for_ben).await["userId"], world.ben_user.id);
    assert_eq!(refused(&send(&world.ann, "POST", "/api/casts", "", Some(&for_ben)).await).0, 403);
    assert_eq!(send(&world.helper, "POST", "/api/casts", "", Some(&json!({}))).await.status(), 400);
    // JSON is read under any Content-Type.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let more = format!("content-type: {kind}\r\ncontent-length: 2\r\n\r\n{{}}");
        let mut connection = tidings_acceptance::http::Connection::open(world.ann.address).await.unwrap();
        let head = format!("POST /api/casts HTTP/1.1\r\nhost: x\r\n{}\r\n{more}", world.ann.credential());
        assert_eq!(connection.exchange(head.as_bytes()).await.unwrap().status(), 201, "{kind}");
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::make().await;
    for n in 0..23 {
        create(&world.ann, &json!({"id": format!("a{n}"), "repository": "owner/one"})).await;
        mention(&world.helper, &format!("b{n}"), &world.ben_user.id).await;
    }
    for n in (0..23).step_by(2) {
        told(&world.helper, &format!("a{n}"), "STARTED", json!({})).await;
    }
    let all = async |target: &Target, query: &str| {
        let (mut ids, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!("/api/casts?{query}{cursor}");
            let page = good(&send(target, "GET", &path, "", None).await);
            let items = page["items"].as_array().unwrap();
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            pages += 1;
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (ids, pages),
            }
        }
    };
    let named = |letter: char, numbers: &mut dyn Iterator<Item = u32>| {
        let mut ids: Vec<String> = numbers.map(|n| format!("{letter}{n}")).collect();
        ids.reverse();
        ids
    };
    let (anns, bens) = (named('a', &mut (0..23)), named('b', &mut (0..23)));
    assert_eq!(all(&world.ann, "limit=5").await, (anns.clone(), 5), "newest first");
    assert_eq!(all(&world.ann, "").await, (anns.clone(), 1));
    assert_eq!(all(&world.ben, "limit=10").await, (bens.clone(), 3));
    assert_eq!(all(&world.ann, "status=running&limit=5").await, (named('a', &mut (0..23).step_by(2)), 3));
    assert_eq!(all(&world.ann, "status=queued").await.0, named('a', &mut (1..23).step_by(2)));
    assert_eq!(all(&world.admin, "limit=7").await.0.len(), 46);
    assert_eq!(all(&world.admin, &format!("userId={}&limit=9", world.ben_user.id)).await.0, bens);
    assert_eq!(all(&world.helper, "repository=owner/one&status=running").await.0.len(), 12);
    let others = send(&world.ann, "GET", &format!("/api/casts?userId={}", world.ben_user.id), "", None).await;
    assert_eq!(refused(&others), (403, "forbidden".to_owned()));
    assert_eq!(send(&world.nobody(), "GET", "/api/casts", "", None).await.status(), 401);
    for bad in ["status=done", "limit=x", "cursor=x"] {
        assert_eq!(
            send(&world.ann, "GET", &format!("/api/casts?{bad}"), "", None).await.status(),
            400,
            "{bad}"
        );
    }
}

/// What a list of casts names.
async fn listed(target: &Target, query: &str) -> Vec<String> {
    let page = good(&send(target, "GET", &format!("/api/casts?{query}"), "", None).await);
    assert_eq!(page["nextCursor"], Value::Null);
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn casts_are_read_together_by_their_ids() {
    let world = World::make().await;
    for n in 0..4 {
        create(&world.ann, &json!({"id": format!("a{n}")})).await;
        mention(&world.helper, &format!("b{n}"), &world.ben_user.id).await;
    }
    told(&world.helper, "a1", "STARTED", json!({})).await;
    let asked = "id=a2&id=b0&id=none&id=a0&id=a2&id=a1";
    assert_eq!(listed(&world.ann, asked).await, ["a2", "a0", "a1"], "in the order asked, one's own, once");
    assert_eq!(listed(&world.ben, asked).await, ["b0"]);
    assert_eq!(listed(&world.admin, asked).await, ["a2", "b0", "a0", "a1"]);
    assert_eq!(listed(&world.helper, asked).await, ["a2", "b0", "a0", "a1"]);
    assert_eq!(listed(&world.ann, &format!("{asked}&status=running")).await, ["a1"]);
    assert_eq!(listed(&world.ann, "id=none").await, [""; 0]);
    let missing = async |target: &Target| {
        good(&send(target, "GET", &format!("/api/casts?{asked}"), "", None).await)["refused"].clone()
    };
    let [b0, none] =
        [("b0", "forbidden"), ("none", "not_found")].map(|(id, code)| json!({"id": id, "code": code}));
    assert_eq!(missing(&world.ann).await, json!([b0, none]));
    assert_eq!(missing(&world.admin).await, json!([none]));
    let listed_all = good(&send(&world.ann, "GET", "/api/casts", "", None).await);
    assert_eq!(listed_all["refused"], Value::Null, "nothing was named");
    let answer = send(&world.ann, "GET", "/api/casts?id=a1&id=a2", "", None).await;
    assert_eq!(answer.json()["items"][0], read(&world.ann, "a1").await);
    let contained = answer.head.header("tidings-cursor").unwrap();
    assert!(history(&world.helper, &["cast:a1"], Some(contained)).await.is_empty());
    told(&world.helper, "a1", "PROGRESS_UPDATE", json!({"progress": 5})).await;
    assert_eq!(history(&world.helper, &["cast:a1"], Some(contained)).await.len(), 1);
    let most: String = (0..200).map(|n| format!("id=c{n}&")).collect();
    assert_eq!(listed(&world.ann, &format!("{most}id=c0")).await.len(), 0, "200 are the most");
    for bad in [format!("{most}id=a1"), "id=a%20b".into(), "id=a1&limit=5".into(), "cursor=1&id=a1".into()] {
        let answer = send(&world.ann, "GET", &format!("/api/casts?{bad}"), "", None).await;
        assert_eq!(refused(&answer), (400, "invalid_parameter".to_owned()), "{}", answer.json());
    }
    let userless = send(&world.nobody(), "GET", "/api/casts?id=a1", "", None).await;
    assert_eq!(userless.status(), 401);
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused_by_every_route() {
    let world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let before = read(&world.ann, "x").await;
    let events = history(&world.helper, &["cast:x"], None).await.len();
    for (who, method, path, body) in [
        (&world.ann, "POST", "/api/casts", r#"{"id":"y","id":"z"}"#),
        (&world.helper, "PATCH", "/api/casts/x", r#"{"progress":1,"progress":2}"#),
        (&world.helper, "PATCH", "/api/casts/x", r#"{"progress":1,"nobody":1,"\u006eobody":2}"#),
        (&world.helper, "POST", "/api/casts/x/events", r#"{"type":"STARTED","userId":"a","userId":"b"}"#),
        (
            &world.helper,
            "POST",
            "/api/casts/x/events",
            r#"{"type":"PROGRESS_UPDATE","data":{"progress":1,"progress":2}}"#,
        ),
        (
            &world.helper,
            "POST",
            "/v1/publish",
            r#"{"channel":"a","type":"t","data":1,"nobody":1,"nobody":1}"#,
        ),
        (&world.ann, "POST", "/v1/tickets", r#"{"channels":["cast:x"],"channels":["cast:x"]}"#),
    ] {
        let call = Call::new(method, path).bytes(body).by(who);
        let reply = call.make(who.address).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_body"), "{body}: {}", reply.told());
        assert!(reply.json()["detail"].as_str().unwrap().contains("stands twice"), "{}", reply.told());
    }
    assert_eq!(read(&world.ann, "x").await, before, "nothing was changed");
    assert_eq!(history(&world.helper, &["cast:x"], None).await.len(), events);
    // What a backend passes on is its own, to the letter.
    let relayed = r#"{"type":"my.type","data":{"a":1,"a":2}}"#;
    let reply = Call::new("POST", "/api/casts/x/events").bytes(relayed).by(&world.helper);
    assert_eq!(reply.make(world.helper.address).await.status, 200);
    assert_eq!(good(&patch(&world.helper, "x", "", &json!({"progress": 1})).await)["progress"], 1);
}

#[tokio::test]
async fn a_stale_write_is_refused_with_what_is_there() {
    let world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let running =
        good(&patch(&world.helper, "x", "if-match: \"1\"\r\n", &json!({"status": "running"})).await);
    assert_eq!(running["version"], 2);
    for (more, body, status, code) in [
        ("if-match: \"1\"\r\n", json!({"progress": 1}), 412, "precondition_failed"),
        ("if-match: \"7\", \"1\"\r\n", json!({"progress": 1}), 412, "precondition_failed"),
        ("", json!({"progress": 1, "version": 1}), 409, "version_conflict"),
        ("", json!({"progress": 1, "version": 3}), 409, "version_conflict"),
    ] {
        let answer = patch(&world.helper, "x", more, &body).await;
        assert_eq!(refused(&answer), (status, code.to_owned()), "{more}{body}");
        assert_eq!(answer.json()["current"], running);
    }
    assert_eq!(read(&world.ann, "x").await, running, "nothing was changed");
    assert_eq!(
        good(&patch(&world.helper, "x", "if-match: *\r\n", &json!({"progress": 1})).await)["version"],
        3
    );
    let both = json!({"progress": 2, "version": 3});
    let answer = patch(&world.helper, "x", "if-match: \"9\", \"3\"\r\n", &both).await;
    assert_eq!((answer.head.header("etag"), good(&answer)["version"].clone()), (Some("\"4\""), json!(4)));
    // Without either, the last write wins.
    assert_eq!(good(&patch(&world.helper, "x", "", &json!({"progress": 3})).await)["version"], 5);
    // The same again: published, no new version.
    let before = history(&world.helper, &["cast:x"], None).await.len();
    assert_eq!(good(&patch(&world.helper, "x", "", &json!({"status": "running"})).await)["version"], 5);
    let events = history(&world.helper, &["cast:x"], None).await;
    assert_eq!((events.len(), &events[before]["version"]), (before + 1, &json!(5)));
}

#[tokio::test]
async fn owners_cancel_and_do_no_more() {
    let world = World::make().await;
    for id in ["a", "b", "c", "d"] {
        mention(&world.helper, id, &world.ann_user.id).await;
    }
    for body in [json!({"status": "running"}), json!({"status": "succeeded"}), json!({"progress": 5})] {
        assert_eq!(refused(&patch(&world.ann, "a", "", &body).await).0, 403, "{body}");
    }
    for (who, status) in [(&world.ben, 403), (&world.nobody(), 401)] {
        let body = json!({"status": "cancelled"});
        assert_eq!(patch(who, "a", "", &body).await.status(), status);
        assert_eq!(send(who, "POST", "/api/casts/a/cancel", "", None).await.status(), status);
        let missing = send(who, "POST", "/api/casts/none/cancel", "", None).await.status();
        assert_eq!(missing, if status == 401 { 401 } else { 404 });
    }
    assert_eq!(read(&world.ann, "a").await["version"], 1);
    // Document 1's way, the route's way, the admin's, the service key's.
    let cancelled = good(&patch(&world.ann, "a", "", &json!({"status": "cancelled"})).await);
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(2)));
    for (who, id) in [(&world.ann, "b"), (&world.admin, "c"), (&world.helper, "d")] {
        let answer = send(who, "POST", &format!("/api/casts/{id}/cancel"), "", None).await;
        assert_eq!(good(&answer)["status"], "cancelled");
        let again = send(who, "POST", &format!("/api/casts/{id}/cancel"), "", None).await;
        assert_eq!(refused(&again), (409, "illegal_transition".to_owned()));
        assert_eq!(again.json()["current"]["status"], "cancelled");
    }
}

/// Repeats of a request, with the same key, after everything that may lie between.
#[tokio::test]
async fn a_repeated_request_gets_the_same_bytes_whatever_happened_since() {
    let mut world = World::make().await;
    mention(&world.helper, "x", &world.ann_user.id).await;
    let keyed = "idempotency-key: once\r\nif-match: \"1\"\r\n";
    let body = json!({"status": "running", "message": "go"});
    let first = patch(&world.helper, "x", keyed, &body).await;
    let parts = |answer: &Answer| {
        (answer.status(), answer.body.clone(), answer.head.header("etag").map(str::to_owned))
    };
    assert_eq!(first.status(), 200);
    let made = json!({"id": "y"});
    let creation = send(&world.ann, "POST", "/api/casts", "idempotency-key: once\r\n", Some(&made)).await;
    assert_eq!(creation.status(), 201);
    let cancel = "/api/casts/y/cancel";
    let cancelled = send(&world.ann, "POST", cancel, "idempotency-key: once\r\n", None).await;
    assert_eq!(cancelled.status(), 200);
    let events = history(&world.helper, &["cast:*"], None).await.len();
    let mut repeats = 0;
    for step in ["at once", "after a change", "after the end", "after a crash"] {
        match step {
            "after a change" => {
                drop(told(&world.helper, "x", "PROGRESS_UPDATE", json!({"progress": 9})).await)
            }
            "after the end" => drop(told(&world.helper, "x", "FAILED", json!({"errorMessage": "no"})).await),
            "after a crash" => {
                world.server.kill().await;
                world.server.run().await;
            }
            _ => {}
        }
        for _ in 0..2 {
            assert_eq!(parts(&patch(&world.helper, "x", keyed, &body).await), parts(&first), "{step}");
            let again =
                send(&world.ann, "POST", "/api/casts", "idempotency-key: once\r\n", Some(&made)).await;
            assert_eq!(parts(&again), parts(&creation), "{step}");
            let again = send(&world.ann, "POST", cancel, "idempotency-key: once\r\n", None).await;
            assert_eq!(parts(&again), parts(&cancelled), "{step}");
            repeats += 3;
        }
        let other = patch(&world.helper, "x", "idempotency-key: once\r\n", &json!({"progress": 1})).await;
        assert_eq!(refused(&other), (409, "idempotency_conflict".to_owned()), "{step}");
    }
    // The key is another principal's, and another route's, own.
    let status = patch(&world.admin, "x", "idempotency-key: once\r\n", &json!({"progress": 1})).await;
    assert_eq!(refused(&status), (409, "illegal_transition".to_owned()));
    assert_eq!(history(&world.helper, &["cast:*"], None).await.len(), events + 2, "the change and the end");
    report(format!("casts: {repeats} repeated requests had the bytes of the first"));
}
