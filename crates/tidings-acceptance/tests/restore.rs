//! The log goes back: a backup is put in place, its tail is lost, or all of it. Who knew the lost part is told so and
//! begins at the head; who knew only what is left goes on exactly where it was.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidings_acceptance::follower::goal;
use tidings_acceptance::http::ask;
use tidings_acceptance::numbered::draft;
use tidings_acceptance::poll::history;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{
    Ask, Follower, Lane, Server, ServerOptions, Subscription, Target, Transport, report,
};
use tidings_protocol::{Cursor, Seq};
use tokio::sync::watch;

const CHANNEL: &str = "restore:a";
/// Events of each part: what is left, what is lost, and what comes after the loss.
const PART: u64 = 100;
const NEW: u64 = 20;
const SOON: Duration = Duration::from_secs(10);

/// A server, everything that its clients were ever given, and clients at work.
struct World {
    server: Server,
    target: Target,
    ids: Vec<Cursor>,
    followers: Vec<Follower>,
    /// They go on for ever: what they saw is looked at while they are at work.
    _no_goal: watch::Sender<Option<Seq>>,
}

impl World {
    async fn begin() -> Self {
        let server = Server::start(ServerOptions::new().set("stream.heartbeat", "500ms")).await;
        let target = server.master().await;
        let (no_goal, never) = goal();
        let mut followers: Vec<Follower> = Transport::ALL
            .iter()
            .map(|transport| Follower::start(&target, *transport, &Ask::of(&[CHANNEL]), &never))
            .collect();
        for follower in &mut followers {
            within(SOON, "a subscriber to join", follower.opened(1)).await;
        }
        let mut world = Self { server, target, ids: Vec::new(), followers, _no_goal: no_goal };
        world.publish(1).await;
        world
    }

    /// Publishes a part; everybody has it.
    async fn publish(&mut self, first: u64) {
        let ids = publish(&self.target, first, PART).await;
        self.ids.extend(ids);
        let last = *self.ids.last().unwrap();
        for follower in &self.followers {
            until(SOON, "everybody to have everything", async || {
                (follower.seen().cursor == Some(last)).then_some(())
            })
            .await;
        }
    }

    /// The loss has happened and the server runs again: nobody is led astray.
    async fn judge(self, what: &str) {
        let Self { server, target, ids, followers, _no_goal } = self;
        let kept = history(&target, &["*"], None).await;
        let kept: Vec<Cursor> = kept.iter().map(id_of).collect();
        let (good, stale): (Vec<_>, Vec<_>) = ids.iter().partition(|id| kept.contains(id));
        assert!(!stale.is_empty(), "{what}: nothing was lost");
        assert_eq!(kept, good, "{what}: what is left is as it was");
        for follower in &followers {
            let seen = async || follower.seen().resets().count();
            until(SOON, "those at work to be told", async || (seen().await > 0).then_some(())).await;
        }
        // The lost numbers are given again: a number alone says nothing.
        let new = publish(&target, 1_001, NEW).await;
        check_followers(&followers, *stale.last().unwrap(), &new, what).await;
        let mut resumed = 0;
        for transport in Transport::ALL {
            for cursor in ends_and_middle(&stale) {
                expect_reset(&target, transport, cursor, what).await;
            }
            for cursor in ends_and_middle(&good) {
                expect_resume(&target, transport, cursor, what).await;
                resumed += 1;
            }
        }
        for cursor in ends_and_middle(&stale) {
            check_history(&target, cursor, what).await;
        }
        report(format!(
            "restore, {what}: {} events kept, {} lost; 3 at work and 9 cursors told, {resumed} resumed exactly",
            good.len(),
            stale.len()
        ));
        drop(server);
    }
}

async fn publish(target: &Target, first: u64, count: u64) -> Vec<Cursor> {
    let (mut lane, mut ids) = (Lane::new(target), Vec::new());
    for n in first..first + count {
        ids.extend(lane.expect(&draft(CHANNEL, n, 60)).await);
    }
    ids
}

fn id_of(event: &Value) -> Cursor {
    event["id"].as_str().unwrap().parse().unwrap()
}

fn ends_and_middle(ids: &[Cursor]) -> Vec<Cursor> {
    let mut places = vec![0, ids.len() / 2, ids.len().saturating_sub(1)];
    places.dedup();
    places.into_iter().filter_map(|place| ids.get(place).copied()).collect()
}

async fn head(target: &Target) -> Cursor {
    let answer = ask(target, "GET", &format!("/v1/poll?channel={CHANNEL}"), None).await.unwrap();
    answer.json()["cursor"].as_str().unwrap().parse().unwrap()
}

/// Those who were at work had everything, are told once, and have what comes after that.
async fn check_followers(followers: &[Follower], lost: Cursor, new: &[Cursor], what: &str) {
    for follower in followers {
        let last = *new.last().unwrap();
        until(SOON, "those at work to have what is new", async || {
            (follower.seen().cursor == Some(last)).then_some(())
        })
        .await;
        let journal = follower.seen();
        let resets: Vec<_> = journal.resets().collect();
        assert_eq!(resets.len(), 1, "{what}, {:?}: told once: {resets:?}", journal.transport);
        assert_eq!(resets[0].0, "unknown", "{what}, {:?}", journal.transport);
        assert!(
            resets[0].1.is_some_and(|through| through.lineage != lost.lineage && through.seq < new[0].seq)
        );
        let numbers: Vec<u64> = journal.numbers().collect();
        let (old, rest) = numbers.split_at(numbers.len() - new.len());
        assert_eq!(old, (1..=old.len() as u64).collect::<Vec<_>>(), "{what}, {:?}", journal.transport);
        assert_eq!(rest, (1_001..1_001 + NEW).collect::<Vec<_>>(), "{what}, {:?}", journal.transport);
    }
}

/// `$reset` with id = through = head, nothing before the head, and then what comes.
async fn expect_reset(target: &Target, transport: Transport, cursor: Cursor, what: &str) {
    let what = format!("{what}, {transport:?} at the lost {cursor}");
    let head = head(target).await;
    let mut stream = open(target, transport, cursor).await;
    let (mut position, mut told) = (None, false);
    while !(told && position == Some(head)) {
        match within(SOON, &what, stream.next()).await.unwrap() {
            Item::Control { name, id, data } => {
                let data: Value = serde_json::from_str(&data).unwrap();
                position = id.or(position);
                match name.as_str() {
                    "$ready" => assert_eq!(data["resumed"], false, "{what}"),
                    "$reset" => {
                        told = true;
                        assert_eq!(data["reason"], "unknown", "{what}");
                        assert_eq!(data["channels"], serde_json::json!([CHANNEL]), "{what}");
                        assert_eq!(data["through"].as_str(), Some(head.to_string().as_str()), "{what}");
                    }
                    _ => panic!("{what}: {name} {data}"),
                }
            }
            Item::Position(id) => position = Some(id),
            Item::Life => {}
            Item::Event { data, .. } => panic!("{what}: a wrong resume: {data}"),
        }
    }
    expect_next(target, &mut stream, &what).await;
}

/// Everything after the cursor that is left, in order, no reset, and then what comes.
async fn expect_resume(target: &Target, transport: Transport, cursor: Cursor, what: &str) {
    let what = format!("{what}, {transport:?} at the kept {cursor}");
    let all: Vec<Cursor> = history(target, &[CHANNEL], None).await.iter().map(id_of).collect();
    let rest = &all[all.iter().position(|id| *id == cursor).unwrap() + 1..];
    let mut stream = open(target, transport, cursor).await;
    let mut came = Vec::new();
    while came.len() < rest.len() {
        match within(SOON, &what, stream.next()).await.unwrap() {
            Item::Event { data, .. } => came.push(id_of(&serde_json::from_str(&data).unwrap())),
            Item::Control { name, id, data } if name == "$ready" => {
                assert!(data.contains("\"resumed\":true") && id == Some(cursor), "{what}: {data} {id:?}");
            }
            Item::Control { name, data, .. } => panic!("{what}: {name} {data}"),
            Item::Position(_) | Item::Life => {}
        }
    }
    assert_eq!(came, rest, "{what}");
    expect_next(target, &mut stream, &what).await;
}

async fn open(target: &Target, transport: Transport, cursor: Cursor) -> Subscription {
    let by_header = cursor.seq.0.is_multiple_of(2);
    let ask = Ask { by_header, ..Ask::of(&[CHANNEL]).since(cursor) };
    Subscription::open(transport, target, &ask).await.unwrap()
}

async fn expect_next(target: &Target, stream: &mut Subscription, what: &str) {
    let published = Lane::new(target).expect(&draft(CHANNEL, 7_777, 60)).await;
    loop {
        match within(SOON, what, stream.next()).await.unwrap() {
            Item::Event { id, .. } => {
                assert_eq!(id, Some(published[0]), "{what}: the next event");
                return;
            }
            Item::Control { name, data, .. } => panic!("{what}: {name} {data}"),
            Item::Position(_) | Item::Life => {}
        }
    }
}

/// History says the same.
async fn check_history(target: &Target, cursor: Cursor, what: &str) {
    let head = head(target).await;
    let answer = ask(target, "GET", &format!("/v1/history?channel={CHANNEL}&after={cursor}"), None)
        .await
        .unwrap()
        .json();
    assert_eq!(answer["events"], serde_json::json!([]), "{what}: {answer}");
    assert_eq!(answer["cursor"].as_str(), Some(head.to_string().as_str()), "{what}: {answer}");
    assert_eq!(answer["resets"][0]["reason"], "unknown", "{what}: {answer}");
}

/// The files of a database, without what belongs to the process.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    // The log first: what a checkpoint copies meanwhile is in both.
    for name in ["tidings.db-wal", "tidings.db"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_stopped_server() {
    let mut world = World::begin().await;
    let backup = world.server.scratch().join("backup");
    world.server.stop().await;
    copy(&world.server.data_dir(), &backup);
    world.server.run().await;
    world.publish(1 + PART).await;
    world.server.stop().await;
    copy(&backup, &world.server.data_dir());
    world.server.run().await;
    world.judge("a backup of a stopped server").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_running_server() {
    let mut world = World::begin().await;
    let backup = world.server.scratch().join("backup");
    copy(&world.server.data_dir(), &backup);
    // The same run of the server goes on: the lost part has the lineage of what is left.
    world.publish(1 + PART).await;
    world.server.kill().await;
    copy(&backup, &world.server.data_dir());
    world.server.run().await;
    world.judge("a copy of a running server").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_ahead_log_that_is_gone() {
    // What is lost is what was not copied into the file yet; the server copies when it finds the time.
    for _ in 0..10 {
        let mut world = World::begin().await;
        world.server.stop().await;
        world.server.run().await;
        world.publish(1 + PART).await;
        world.server.kill().await;
        for name in ["tidings.db-wal", "tidings.db-shm"] {
            std::fs::remove_file(world.server.data_dir().join(name)).unwrap();
        }
        world.server.run().await;
        if history(&world.target, &["*"], None).await.len() < world.ids.len() {
            world.judge("a write-ahead log that is gone").await;
            return;
        }
    }
    panic!("nothing was ever lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_deleted_by_hand() {
    for lowers_head in [false, true] {
        let mut world = World::begin().await;
        world.publish(1 + PART).await;
        world.server.stop().await;
        let connection = rusqlite::Connection::open(world.server.data_dir().join("tidings.db")).unwrap();
        let delete =
            |table: &str| connection.execute(&format!("DELETE FROM {table} WHERE seq > {PART}"), []).unwrap();
        assert_eq!((delete("channel_events"), delete("events")), (100, 100));
        if lowers_head {
            connection
                .execute(&format!("UPDATE tenants SET head = {PART} WHERE name = 'default'"), [])
                .unwrap();
        }
        connection.close().unwrap();
        world.server.run().await;
        world.judge(if lowers_head { "rows and head taken back" } else { "rows deleted by hand" }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_data_directory() {
    let mut world = World::begin().await;
    world.server.stop().await;
    let old = world.server.data_dir();
    let keys = world.server.scratch().join("keys");
    copy(&old, &keys);
    std::fs::remove_dir_all(&old).unwrap();
    world.server.run().await;
    // The key is gone with everything else; clients are given another, which here has the text of the first.
    world.server.stop().await;
    carry_keys_over(&keys, &old);
    world.server.run().await;
    world.judge("a new data directory").await;
}

fn carry_keys_over(from: &Path, to: &Path) {
    let connection = rusqlite::Connection::open(to.join("tidings.db")).unwrap();
    let from = from.join("tidings.db").display().to_string();
    connection.execute("ATTACH ?1 AS old", [from]).unwrap();
    assert_eq!(connection.execute("INSERT INTO api_keys SELECT * FROM old.api_keys", []).unwrap(), 1);
    connection.close().unwrap();
}
