//! Attempts that are refused: the first of a cause at once, the others counted.

use std::time::Duration;

use serde_json::json;
use tidings_acceptance::casts::send;
use tidings_acceptance::users::sign_in;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Server, ServerOptions, Target, User, report};

use crate::rows::shown;

const TIMES: usize = 25;

#[tokio::test]
async fn the_first_is_there_at_once_and_the_rest_are_counted() {
    let options =
        ServerOptions::new().set("limits.logins_per_minute", "0").set("limits.streams_per_user", "1");
    let mut server = Server::start(options).await;
    let address = server.address();
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let ben = User::add(&server, "ben@example.test", &[]).await.sign_in(address).await;
    let master = server.master().await;
    tidings_acceptance::casts::mention(&master, "anns", &ann.id).await;
    let anns = ann.sign_in(address).await;
    let _one = tidings_acceptance::Frames::open(&anns, "/api/casts/anns/events", "").await.unwrap();
    let nobody = Target::new(address, "");
    let attempts: [(&Target, &str, u16, &str, &str); 6] = [
        (&nobody, "/api/casts/anns/events", 401, "cast.sse_connection_failed", "unauthenticated"),
        (&ben, "/api/casts/anns/events", 403, "cast.sse_connection_failed", "forbidden"),
        (&ben, "/api/casts/none/events", 404, "cast.sse_connection_failed", "not_found"),
        (&anns, "/api/casts/anns/events", 429, "cast.sse_connection_failed", "too_many_streams"),
        (&ben, "/v1/events?channel=secret", 403, "stream.sse_connection_failed", "forbidden_channel"),
        (&nobody, "/v1/events?channel=secret", 401, "stream.sse_connection_failed", "unauthenticated"),
    ];
    let of = |rows: &[serde_json::Value], action: &str, code: &str| {
        let rows = rows.iter().filter(|row| row["action"] == action && row["metadata"]["code"] == code);
        rows.cloned().collect::<Vec<_>>()
    };
    for (who, path, status, action, code) in attempts {
        assert_eq!(send(who, "GET", path, "user-agent: tester\r\n", None).await.status(), status, "{path}");
        let [first] = &until(Duration::from_secs(1), "the first to be written", async || {
            let rows = of(&shown(&server, &[]).await, action, code);
            (!rows.is_empty()).then_some(rows)
        })
        .await[..] else {
            panic!("one row of {code}");
        };
        assert_eq!((&first["ipAddress"], &first["userAgent"]), (&json!("127.0.0.1"), &json!("tester")));
        assert!(first["metadata"].get("count").is_none(), "{first}");
        assert_eq!(first["userId"].is_null(), status == 401, "{first}");
        for _ in 1..TIMES {
            send(who, "GET", path, "", None).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(
            of(&shown(&server, &[]).await, action, code).len(),
            1,
            "{code}: one row within the minute"
        );
    }
    for _ in 0..TIMES {
        assert_eq!(sign_in(address, &ann.email, "wrong").await.status(), 401);
    }
    let rows = until(Duration::from_secs(1), "the login to be written", async || {
        let rows = shown(&server, &["--action", "auth.login_failed"]).await;
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert_eq!(rows.len(), 1);
    // A server that leaves says what it has counted.
    server.stop().await;
    let rows = shown(&server, &[]).await;
    for (_, _, _, action, code) in attempts {
        let of_it = of(&rows, action, code);
        let counts: Vec<_> = of_it.iter().map(|row| row["metadata"]["count"].as_u64()).collect();
        assert_eq!(counts, [Some(TIMES as u64 - 1), None], "{code}, newest first");
    }
    report(format!("audit: {} causes, each {TIMES} times, were two rows each", attempts.len()));
}
