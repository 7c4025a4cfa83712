//! Streams that were open when the server died: the next start says so, once.

use tidings_acceptance::casts::send;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Transport, report};

use crate::PATIENCE;
use crate::clients::{Client, World};
use crate::rows::{CONNECTIONS, DURATIONS, count, database, shown};

const OPEN: usize = 50;

#[tokio::test]
async fn each_open_stream_has_its_end_after_a_crash() {
    let mut world = World::make().await;
    let mut clients = Vec::new();
    for n in 0..OPEN {
        let who = &world.all[n % world.all.len()];
        let transport = [None, Some(Transport::Sse), Some(Transport::Ws)][n % 3];
        let resource = if transport.is_some() { format!("live:{n}") } else { format!("cast{n}") };
        if transport.is_none() {
            world.cast(&resource, who).await;
        }
        clients.push(Client::open(who, &resource, transport).await);
    }
    // One that had ended in order.
    let who = &world.all[0];
    drop(Client::open(who, "live:gone", Some(Transport::Sse)).await.leaves());
    until(PATIENCE, "the openings to be written", async || {
        let rows = shown(&world.server, &[]).await;
        let of = |end: &str| rows.iter().filter(|row| row["action"].as_str().unwrap().ends_with(end)).count();
        (of("_connection_opened") == OPEN + 1 && of("_connection_closed") == 1).then_some(())
    })
    .await;
    world.server.kill().await;
    drop(clients);
    for start in 0..2 {
        world.server.run().await;
        let rows = shown(&world.server, &[]).await;
        let crashed: Vec<_> = rows.iter().filter(|row| row["metadata"]["reason"] == "server_crash").collect();
        assert_eq!(crashed.len(), OPEN, "start {start}");
        for row in crashed {
            let stream = &row["metadata"]["streamId"];
            let of_it = |end: &str| {
                let is = |row: &&serde_json::Value| {
                    row["metadata"]["streamId"] == *stream && row["action"].as_str().unwrap().ends_with(end)
                };
                rows.iter().filter(is).collect::<Vec<_>>()
            };
            let [opened] = of_it("_opened")[..] else { panic!("one opening of {stream}") };
            assert_eq!(of_it("_closed").len(), 1);
            assert_eq!((&row["userId"], &row["resourceId"]), (&opened["userId"], &opened["resourceId"]));
            let (prefix, ended) = (opened["action"].as_str().unwrap(), row["action"].as_str().unwrap());
            assert_eq!(prefix.replace("_opened", "_closed"), ended);
            let duration = row["metadata"]["duration"].as_u64().expect("a duration");
            assert!(duration < 60_000, "{duration}");
            assert!(row["metadata"]["messageCount"].is_null(), "nobody knows how many there were");
        }
        world.server.stop().await;
    }
    // The queries run over these as well.
    let database = database(&world.server.data_dir());
    assert_eq!(count(&database, CONNECTIONS), 2 * OPEN.div_ceil(3));
    assert!(count(&database, DURATIONS) > 0);
    // And the server serves.
    world.server.run().await;
    assert_eq!(send(&world.helper, "GET", "/api/casts", "", None).await.status(), 200);
    report(format!("audit: {OPEN} streams were open at a crash, and each was closed once"));
}
