//! A hundred events a second on a channel, and as many of a cast, for as long as a test lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tidings_acceptance::casts::send;
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::{Server, Target};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

/// Where the events are.
pub(crate) const CHANNEL: &str = "live:a";
/// Where nothing ever is.
pub(crate) const QUIET: &str = "live:quiet";
/// Of which cast.
pub(crate) const CAST: &str = "live";
const PACE: Duration = Duration::from_millis(10);

/// The traffic. Events are numbered from 1, the cast's likewise.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Traffic {
    /// Begins, with the cast in this user's hands.
    pub(crate) async fn start(server: &Server, owner: &str) -> Self {
        let master = server.master().await;
        let started = json!({"type": "STARTED", "userId": owner});
        let answer = send(&master, "POST", &format!("/api/casts/{CAST}/events"), "", Some(&started)).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = vec![
            tokio::spawn(native(master.clone(), stop.clone())),
            tokio::spawn(of_cast(master, stop.clone())),
        ];
        Self { stop, tasks }
    }

    /// Ends; how many were published on the channel and of the cast.
    pub(crate) async fn stop(self) -> [u64; 2] {
        self.stop.store(true, Ordering::SeqCst);
        let mut counts = [0; 2];
        for (count, task) in counts.iter_mut().zip(self.tasks) {
            *count = task.await.unwrap();
        }
        counts
    }
}

async fn native(master: Target, stop: Arc<AtomicBool>) -> u64 {
    let (mut lane, began, mut number) = (Lane::new(&master), Instant::now(), 0);
    let mut ticks = interval(PACE);
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        // What has become due while the last ones were on their way goes out together.
        let due = (began.elapsed().as_millis() / PACE.as_millis() + 1) as u64;
        let event = |number: u64| json!({"channel": CHANNEL, "type": "t", "data": number});
        let events: Vec<_> = (number + 1..=due).take(100).map(event).collect();
        if !events.is_empty() {
            number += events.len() as u64;
            lane.expect(&json!({ "events": events })).await;
        }
    }
    number
}

async fn of_cast(master: Target, stop: Arc<AtomicBool>) -> u64 {
    let (mut ticks, mut number) = (interval(PACE), 0);
    let mut connection = Connection::open(master.address).await.unwrap();
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        number += 1;
        let url = format!("https://files.example.test/{number}");
        let body = json!({"type": "ARTIFACT_READY", "data": {"artifactUrl": url}}).to_string();
        let path = format!("/api/casts/{CAST}/events");
        let answer = connection.exchange(&request(&master, "POST", &path, "", Some(&body))).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.json());
    }
    number
}
