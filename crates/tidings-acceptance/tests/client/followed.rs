//! A record that is followed through gaps: retention removes what was missed, a backup takes the history back. It is read
//! again by itself, and what is told fits together at each seam.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tidings_acceptance::casts::mention;
use tidings_acceptance::fault_proxy::{FaultProxy, Strikes};
use tidings_acceptance::wait::until;
use tidings_acceptance::{Server, ServerOptions, Target, http, report, within};
use tidings_client::{Cast, Followed, Publisher, Told, Update};
use tokio::task::JoinHandle;

use crate::{PATIENCE, following, publishing};

/// Events of a channel that are kept, those that are missed at least, and how often.
const KEPT: u64 = 20;
const MISSED: u64 = 2 * KEPT;
const OUTAGES: usize = 3;

/// What was told: versions of the record, and what lies between them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Record(u64),
    Event(u64),
    /// So many were left out in favour of the next event.
    Skipped(u64),
    Gap(String),
}

/// Follows a cast to its end.
struct Watcher {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Watcher {
    fn start(target: &Target, id: &str) -> Self {
        let (path, channel) = (format!("/api/casts/{id}"), format!("cast:{id}"));
        let mut followed = Followed::<Cast>::open(&path, following(target, &[&channel])).unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let book = seen.clone();
        let task = tokio::spawn(async move {
            let mut has_ended = false;
            while !has_ended {
                let told = followed.next().await.expect("a cast that goes on").expect("one that can be read");
                let seen = match told {
                    Told::Snapshot(cast) => {
                        has_ended = cast.status.is_end();
                        Seen::Record(cast.version)
                    }
                    Told::Update(Update::Event(event)) => {
                        has_ended = event.terminal;
                        Seen::Event(event.version.unwrap())
                    }
                    Told::Update(Update::Lagged { skipped, .. }) => Seen::Skipped(skipped),
                    Told::Update(Update::Gap(gap)) => Seen::Gap(gap.reason),
                    Told::Update(other) => panic!("{other:?}"),
                };
                book.lock().unwrap().push(seen);
            }
        });
        Self { seen, task }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The version that is known; 0 where none is, or an old one.
    fn version(&self) -> u64 {
        match self.seen().last() {
            Some(Seen::Record(version) | Seen::Event(version)) => *version,
            Some(Seen::Skipped(_) | Seen::Gap(_)) | None => 0,
        }
    }

    async fn knows(&self, version: u64) {
        until(PATIENCE, "a version to be known", async || (self.version() >= version).then_some(())).await;
    }
}

/// After each record its events follow, each once; after each gap the record comes, and is no older than what was known.
fn check(seen: &[Seen]) -> usize {
    let (mut known, mut skipped, mut is_old, mut gaps) = (0, 0, true, 0);
    for one in seen {
        match one {
            Seen::Record(version) => {
                assert!(is_old && *version >= known, "{seen:?}");
                (known, skipped, is_old) = (*version, 0, false);
            }
            Seen::Event(version) => {
                assert!(!is_old && *version == known + skipped + 1, "{version} after {known}: {seen:?}");
                (known, skipped) = (*version, 0);
            }
            Seen::Skipped(count) => skipped += count,
            Seen::Gap(reason) => {
                assert_eq!((reason.as_str(), is_old), ("expired", false), "{seen:?}");
                (is_old, gaps) = (true, gaps + 1);
            }
        }
    }
    assert!(!is_old, "{seen:?}");
    gaps
}

/// Tells of progress until it is over, and which version there is.
async fn tell(publisher: Publisher, id: &str, version: Arc<AtomicU64>, is_over: Arc<AtomicBool>) {
    publisher.publish_cast_started(id, "shop|42", SystemTime::UNIX_EPOCH).await.unwrap();
    for step in 1.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        // A hundredth is the least that changes the record.
        let progress = f64::from(step) / 100.0;
        let cast = publisher.publish_cast_progress(id, "shop|42", progress, None).await.unwrap();
        version.store(cast.version, Ordering::SeqCst);
    }
    publisher.publish_cast_failed(id, "shop|42", "out of memory").await.unwrap();
}

/// Waits until retention has removed the channel's events up to this version.
async fn trimmed(target: &Target, id: &str, version: u64) {
    until(PATIENCE, "retention", async || {
        let path = format!("/v1/history?channel=cast:{id}");
        let answer = http::ask(target, "GET", &path, None).await.ok()?.json();
        (answer["events"][0]["version"].as_u64()? > version + 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_has_removed_is_read_again() {
    let options = ServerOptions::new().set("log.retention.events_per_channel", &KEPT.to_string());
    let mut server = Server::start(options).await;
    let target = server.master().await;
    mention(&target, "away", "shop|42").await;
    let proxy = FaultProxy::of_streams(server.address(), "PROGRESS_UPDATE", &Arc::<Strikes>::default()).await;
    let (version, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let publisher = Publisher::new(publishing(&target)).unwrap();
    let (told, over) = (version.clone(), is_over.clone());
    let telling = tokio::spawn(async move { tell(publisher, "away", told, over).await });
    let watcher = Watcher::start(&target.at(proxy.address()), "away");
    for _ in 0..OUTAGES {
        let now = version.load(Ordering::SeqCst);
        watcher.knows(now + 10).await;
        proxy.set_gate(false);
        proxy.cut_streams();
        let left = version.load(Ordering::SeqCst);
        until(PATIENCE, "events to be missed", async || {
            (version.load(Ordering::SeqCst) > left + MISSED).then_some(())
        })
        .await;
        // What was trimmed may be in memory still.
        server.kill().await;
        server.run().await;
        trimmed(&target, "away", left).await;
        proxy.set_gate(true);
    }
    watcher.knows(version.load(Ordering::SeqCst) + 10).await;
    is_over.store(true, Ordering::SeqCst);
    telling.await.unwrap();
    let Watcher { seen, task } = watcher;
    within(PATIENCE, "the cast to end", task).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    let gaps = check(&seen);
    report(format!("client: a cast followed through {gaps} gaps of retention, {} told", seen.len()));
    assert!(gaps >= OUTAGES, "{seen:?}");
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for name in ["tidings.db-wal", "tidings.db"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_was_taken_back_is_read_again() {
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    mention(&target, "back", "shop|42").await;
    let publisher = Publisher::new(publishing(&target)).unwrap();
    let watcher = Watcher::start(&target, "back");
    watcher.knows(1).await;
    let backup = server.scratch().join("backup");
    server.stop().await;
    copy(&server.data_dir(), &backup);
    server.run().await;
    publisher.publish_cast_started("back", "shop|42", SystemTime::UNIX_EPOCH).await.unwrap();
    publisher.publish_cast_progress("back", "shop|42", 5.0, None).await.unwrap();
    watcher.knows(3).await;
    server.stop().await;
    copy(&backup, &server.data_dir());
    server.run().await;
    until(PATIENCE, "the record of before", async || (watcher.version() == 1).then_some(())).await;
    publisher.publish_cast_failed("back", "shop|42", "out of memory").await.unwrap();
    let Watcher { seen, task } = watcher;
    within(PATIENCE, "the cast to end", task).await.unwrap();
    let gap = Seen::Gap("unknown".to_owned());
    let expected = [Seen::Record(1), Seen::Event(2), Seen::Event(3), gap, Seen::Record(1), Seen::Event(2)];
    assert_eq!(*seen.lock().unwrap(), expected);
}
