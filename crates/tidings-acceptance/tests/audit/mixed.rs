//! A thousand connections of every kind, counted on both sides.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tidings_acceptance::casts::send;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Transport, report, within};
use tokio::task::JoinHandle;

use crate::PATIENCE;
use crate::clients::{Client, Seen, Who, World, to_its_lifetime, to_the_end, until_it_leaves};
use crate::rows::{CONNECTIONS, DURATIONS, count, database, shown};

const TO_THE_END: usize = 250;
const TO_THEIR_LIFETIME: usize = 100;
const LEAVING: usize = 400;
/// Sessions and keys that end, and the streams of each.
const SESSIONS: usize = 10;
const KEYS: usize = 10;
const EACH: usize = 10;
const REFUSED: usize = 50;
const WORKERS: usize = 12;

/// What the n-th client of a kind does.
type Kind = fn(Arc<World>, usize) -> Pin<Box<dyn Future<Output = Seen> + Send>>;

/// Runs numbered pieces of work, several at a time.
async fn spread<Work>(
    count: usize,
    workers: usize,
    work: impl Fn(usize) -> Work + Send + Sync + 'static,
) -> Vec<Seen>
where
    Work: Future<Output = Seen> + Send + 'static,
{
    let (next, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(work));
    let tasks: Vec<JoinHandle<Vec<Seen>>> = (0..workers)
        .map(|_| {
            let (next, work) = (next.clone(), work.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= count {
                        return seen;
                    }
                    seen.push(work(n).await);
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.extend(within(PATIENCE * 3, "the clients", task).await.unwrap());
    }
    seen
}

/// Streams of every kind of one who is about to lose the right to them.
async fn several(world: &World, who: &Who, name: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for n in 0..EACH {
        let transport = [None, Some(Transport::Sse), Some(Transport::Ws)][n % 3];
        let resource = if transport.is_some() { "live:x".to_owned() } else { format!("{name}-{n}") };
        if transport.is_none() {
            world.cast(&resource, who).await;
        }
        clients.push(Client::open(who, &resource, transport).await);
    }
    clients
}

async fn signed_out_and_revoked(world: Arc<World>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for n in 0..SESSIONS {
        let user = &world.users[n % world.users.len()];
        let target = user.sign_in(world.server.address()).await;
        let who = Who { target, name: user.id.clone() };
        let clients = several(&world, &who, &format!("out{n}")).await;
        assert_eq!(send(&who.target, "POST", "/auth/logout", "", None).await.status(), 204);
        for client in clients {
            seen.push(client.ends("signed_out", "signed_out").await);
        }
    }
    for n in 0..KEYS {
        let (id, who) = world.key(&format!("doomed{n}")).await;
        let clients = several(&world, &who, &format!("revoked{n}")).await;
        world.server.json(&["key", "revoke", &id]).await;
        for client in clients {
            seen.push(client.ends("revoked", "revoked").await);
        }
    }
    seen
}

/// Attempts that are refused: streams of others' casts.
async fn refused(world: &World) {
    world.cast("private", &world.all[0]).await;
    for n in 0..REFUSED {
        let who = &world.all[1 + n % 3];
        assert_eq!(send(&who.target, "GET", "/api/casts/private/events", "", None).await.status(), 403);
    }
}

/// What a row of an end says, as far as it can be counted.
fn counted(rows: impl IntoIterator<Item = (String, String, u64)>) -> HashMap<(String, String), (usize, u64)> {
    let mut sums = HashMap::new();
    for (action, reason, messages) in rows {
        let sum: &mut (usize, u64) = sums.entry((action, reason)).or_default();
        *sum = (sum.0 + 1, sum.1 + messages);
    }
    sums
}

/// Every closing row beside what its client saw.
fn check_rows(rows: &[Value], seen: &[Seen]) {
    let closed: Vec<&Value> =
        rows.iter().filter(|row| row["action"].as_str().unwrap().ends_with("_connection_closed")).collect();
    let opened: HashMap<&str, &Value> = rows
        .iter()
        .filter(|row| row["action"].as_str().unwrap().ends_with("_connection_opened"))
        .map(|row| (row["metadata"]["streamId"].as_str().unwrap(), row))
        .collect();
    assert_eq!((opened.len(), closed.len()), (seen.len(), seen.len()), "opened and closed");
    for row in &closed {
        let opening = opened[row["metadata"]["streamId"].as_str().unwrap()];
        for member in ["tenantId", "userId", "resourceId", "ipAddress", "userAgent"] {
            assert_eq!(row[member], opening[member], "{row}");
        }
        assert_eq!((&row["tenantId"], &row["ipAddress"]), (&"default".into(), &"127.0.0.1".into()));
    }
    let by_server = closed.iter().map(|row| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = row["metadata"]["messageCount"].as_u64().unwrap();
        (text(&row["action"]), text(&row["metadata"]["reason"]), messages)
    });
    let by_clients = seen
        .iter()
        .map(|seen| (format!("{}_connection_closed", seen.prefix), seen.reason.to_owned(), seen.messages));
    assert_eq!(counted(by_server), counted(by_clients), "how many by reason, and their messages");
    // Whose, of what: each end of a cast's stream by itself.
    let key = |user: &str, resource: &str, reason: &str| format!("{user} {resource} {reason}");
    let mut ends: Vec<String> =
        seen.iter().map(|seen| key(&seen.user, &seen.resource, seen.reason)).collect();
    let mut rows: Vec<String> = closed
        .iter()
        .map(|row| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            key(&text(&row["userId"]), &text(&row["resourceId"]), &text(&row["metadata"]["reason"]))
        })
        .collect();
    ends.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, ends);
}

/// The second query's rows beside what the clients measured, by user.
fn check_durations(database: &rusqlite::Connection, seen: &[Seen]) {
    let mut measured: HashMap<&str, Vec<(u64, u64)>> = HashMap::new();
    for seen in seen.iter().filter(|seen| seen.prefix == "cast.sse") {
        measured.entry(&seen.user).or_default().push(seen.open_for);
    }
    let mut statement = database.prepare(DURATIONS).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let rows: Vec<(String, f64, i64)> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), measured.len());
    for (user, average, connections) in rows {
        let own = &measured[user.as_str()];
        assert_eq!(connections, own.len() as i64, "{user}");
        let mean =
            |pick: &dyn Fn(&(u64, u64)) -> u64| own.iter().map(pick).sum::<u64>() as f64 / own.len() as f64;
        let (least, most) = (mean(&|open| open.0), mean(&|open| open.1));
        // Whole milliseconds are cut off.
        assert!(least - 1.0 <= average && average <= most, "{user}: {average} not in {least}..{most}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_are_what_the_log_says() {
    let world = Arc::new(World::make().await);
    let with = |work: Kind| {
        let world = world.clone();
        move |n| work(world.clone(), n)
    };
    let (ends, lives, leaves, losses, ()) = tokio::join!(
        spread(TO_THE_END, WORKERS, with(|world, n| Box::pin(async move { to_the_end(&world, n).await }))),
        spread(
            TO_THEIR_LIFETIME,
            50,
            with(|world, n| Box::pin(async move { to_its_lifetime(&world, n).await }))
        ),
        spread(LEAVING, WORKERS, with(|world, n| Box::pin(async move { until_it_leaves(&world, n).await }))),
        signed_out_and_revoked(world.clone()),
        refused(&world),
    );
    let seen: Vec<Seen> = [ends, lives, leaves, losses].concat();
    let streams = seen.len();
    assert_eq!(streams + REFUSED, 1_000);

    // By the command line, while it runs.
    let world = Arc::into_inner(world).expect("the clients are done");
    let rows = until(PATIENCE, "every end to be written", async || {
        let rows = shown(&world.server, &["--action", "*"]).await;
        let closed = rows.iter().filter(|row| row["action"].as_str().unwrap().ends_with("_closed"));
        (closed.count() >= streams).then_some(rows)
    })
    .await;
    check_rows(&rows, &seen);
    check_choices(&world, &rows).await;

    // In the file, once it has stopped.
    let World { mut server, .. } = world;
    server.stop().await;
    let database = database(&server.data_dir());
    check_durations(&database, &seen);
    let casts = seen.iter().filter(|seen| seen.prefix == "cast.sse").count();
    let refusals = count(&database, "SELECT 1 FROM audit_logs WHERE action = 'cast.sse_connection_failed'");
    assert_eq!(refusals, 6, "three users: each its first at once, the rest together at the end");
    let told: i64 = database
        .query_row(
            "SELECT SUM(coalesce(metadata->>'count', 1)) FROM audit_logs WHERE action = 'cast.sse_connection_failed'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(told, REFUSED as i64);
    assert_eq!(count(&database, CONNECTIONS), 2 * casts + refusals);
    let offline = shown(&server, &["--action", "cast.sse_connection_closed"]).await;
    assert_eq!(offline.len(), casts, "the command line without a server");
    let mut reasons: Vec<_> = seen.iter().map(|seen| seen.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    report(format!(
        "audit: {streams} streams and {REFUSED} refusals, {casts} of casts, ended by {}",
        reasons.join(", ")
    ));
}

/// What the command line chooses, and what it exports, is what it shows.
async fn check_choices(world: &World, rows: &[Value]) {
    let server = &world.server;
    let user = &world.users[1];
    let own: Vec<&Value> = rows.iter().filter(|row| row["userId"] == user.id).collect();
    for name in [&user.id, &user.email] {
        assert_eq!(shown(server, &["--user", name]).await.iter().collect::<Vec<_>>(), own);
    }
    let service = world.all.last().unwrap();
    let by_key = rows.iter().filter(|row| row["userId"] == service.name).count();
    assert!(by_key > 0);
    assert_eq!(shown(server, &["--user", &service.name]).await.len(), by_key);
    let action = "cast.sse_connection_opened";
    let opened = rows.iter().filter(|row| row["action"] == action).count();
    assert_eq!(shown(server, &["--action", action]).await.len(), opened);
    let middle = rows[rows.len() / 2]["createdAt"].as_str().unwrap();
    let since = rows.iter().filter(|row| row["createdAt"].as_str().unwrap() >= middle).count();
    assert_eq!(shown(server, &["--since", middle]).await.len(), since);
    let all = shown(server, &[]).await.len();
    for (format, lines) in [("csv", all + 1), ("jsonl", all)] {
        let file = server.scratch().join(format!("audit.{format}"));
        server.json(&["audit", "--export", format, file.to_str().unwrap()]).await;
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), lines, "{format}");
        assert_eq!(text.matches(action).count(), opened, "{format}");
    }
}
