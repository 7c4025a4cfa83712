//! Publishers: one lane is one kept connection with one request at a time; a load is several lanes at a pace.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tidings_protocol::Cursor;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::http::{Answer, Connection, request};
use crate::target::Target;

/// How long to wait before the next try to connect.
const PAUSE: Duration = Duration::from_millis(5);
/// How long an answer may take before the connection is given up.
const ANSWER: Duration = Duration::from_secs(30);

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 200: an id and whether it was known, for each event.
    Acked(Vec<(Cursor, bool)>),
    /// Answered with a problem.
    Refused {
        /// The status.
        status: u16,
        /// The problem's code.
        code: String,
    },
    /// Sent, wholly or in part, and not answered.
    Unknown(String),
    /// Nothing of it was sent: there was no connection.
    NotSent(String),
}

impl Outcome {
    /// The outcome that an answer tells of.
    ///
    /// # Panics
    /// If a 200 does not say what it must.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        if answer.status() != 200 {
            return Self::Refused { status: answer.status(), code: answer.code() };
        }
        let body = answer.json();
        let receipt = |event: &Value| {
            let id = event["id"].as_str()?.parse().ok()?;
            Some((id, event["duplicate"].as_bool()?))
        };
        let events = body["events"].as_array().and_then(|events| events.iter().map(receipt).collect());
        Self::Acked(events.unwrap_or_else(|| panic!("a 200 without receipts: {body}")))
    }

    /// The id, where one event was acknowledged.
    #[must_use]
    pub fn id(&self) -> Option<Cursor> {
        match self {
            Self::Acked(events) => events.first().map(|(id, _)| *id),
            _ => None,
        }
    }

    /// Whether it was refused with this code.
    #[must_use]
    pub fn is_refused(&self, code: &str) -> bool {
        matches!(self, Self::Refused { code: found, .. } if found == code)
    }
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The numbers of its events.
    pub numbers: Vec<u64>,
    /// When it was sent.
    pub sent: Instant,
    /// When its outcome was known.
    pub answered: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

/// A kept connection with one request at a time.
#[derive(Debug)]
pub struct Lane {
    target: Target,
    connection: Option<Connection>,
}

impl Lane {
    /// A lane that connects when it is used.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        Self { target: target.clone(), connection: None }
    }

    /// Publishes a body and waits for the answer.
    pub async fn publish(&mut self, body: &Value) -> Outcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return Outcome::NotSent(error.to_string()),
        };
        let request = request(&self.target, "POST", "/v1/publish", "", Some(&body.to_string()));
        match tokio::time::timeout(ANSWER, connection.exchange(&request)).await {
            Ok(Ok(answer)) => {
                if answer.head.header("connection") != Some("close") {
                    self.connection = Some(connection);
                }
                Outcome::of(&answer)
            }
            Ok(Err(error)) => Outcome::Unknown(error.to_string()),
            Err(_) => Outcome::Unknown(format!("no answer in {ANSWER:?}")),
        }
    }

    /// Sends a body and closes at once: the answer is lost. Whether it was sent at all.
    ///
    /// # Errors
    /// The socket's.
    pub async fn send_and_leave(&mut self, body: &Value) -> io::Result<()> {
        let mut connection = self.connection().await?;
        connection.send(&request(&self.target, "POST", "/v1/publish", "", Some(&body.to_string()))).await
    }

    /// Publishes and expects to be acknowledged; the ids.
    ///
    /// # Panics
    /// If it is not.
    pub async fn expect(&mut self, body: &Value) -> Vec<Cursor> {
        match self.publish(body).await {
            Outcome::Acked(events) => events.into_iter().map(|(id, _)| id).collect(),
            other => panic!("a publish was to succeed: {other:?}"),
        }
    }

    async fn connection(&mut self) -> io::Result<Connection> {
        match self.connection.take() {
            // One that was lost while nothing was asked on it tells nothing about what is asked next.
            Some(connection) if connection.is_quiet() => Ok(connection),
            _ => Connection::open(self.target.address).await,
        }
    }
}

/// What a load publishes: the n-th body.
pub type Make = Arc<dyn Fn(u64) -> Value + Send + Sync>;

/// Several lanes that publish numbered events, one a request, none retried once any of it was sent.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    attempts: Mutex<Vec<Attempt>>,
    in_flight: AtomicUsize,
    acked: AtomicU64,
}

impl Load {
    /// Starts `lanes` that together publish `rate` events a second, as long as they are answered fast enough, and
    /// `count` in all. Numbers begin at `first`.
    #[must_use]
    pub fn start(target: &Target, lanes: usize, rate: u64, first: u64, count: u64, make: &Make) -> Self {
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = watch::channel(false);
        let (turns, queue) = mpsc::channel(1);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let mut tasks = vec![tokio::spawn(pace(turns, rate, first..first + count, stopped))];
        for _ in 0..lanes {
            let (lane, queue, make, shared) =
                (Lane::new(target), queue.clone(), make.clone(), shared.clone());
            tasks.push(tokio::spawn(work(lane, queue, make, shared)));
        }
        Self { shared, stop, tasks }
    }

    /// Requests that are sent and not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Requests answered with 200.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.shared.acked.load(Ordering::SeqCst)
    }

    /// Waits until so many have been answered with 200.
    pub async fn has_acked(&self, count: u64, limit: Duration) {
        let what = format!("{count} acknowledged publishes");
        crate::wait::until(limit, &what, async || (self.acked() >= count).then_some(())).await;
    }

    /// Ends it: nothing new is sent, what is under way is waited for.
    pub async fn stop(self) -> Vec<Attempt> {
        self.stop.send_replace(true);
        self.done().await
    }

    /// Waits until everything is published.
    ///
    /// # Panics
    /// If a lane has panicked.
    pub async fn done(self) -> Vec<Attempt> {
        for task in self.tasks {
            task.await.expect("a lane does not panic");
        }
        std::mem::take(&mut self.shared.attempts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pace(
    turns: mpsc::Sender<u64>,
    rate: u64,
    numbers: std::ops::Range<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX));
    // Late turns are made up for: after a time without a server, what was due meanwhile comes at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in numbers {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            sent = turns.send(n) => if sent.is_err() { return },
        }
    }
}

async fn work(
    mut lane: Lane,
    queue: Arc<tokio::sync::Mutex<mpsc::Receiver<u64>>>,
    make: Make,
    shared: Arc<Shared>,
) {
    loop {
        let Some(n) = queue.lock().await.recv().await else { return };
        let body = make(n);
        let attempt = loop {
            let sent = Instant::now();
            shared.in_flight.fetch_add(1, Ordering::SeqCst);
            let outcome = lane.publish(&body).await;
            shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            if !matches!(outcome, Outcome::NotSent(_)) {
                break Attempt { numbers: vec![n], sent, answered: Instant::now(), outcome };
            }
            sleep(PAUSE).await;
        };
        if matches!(attempt.outcome, Outcome::Acked(_)) {
            shared.acked.fetch_add(1, Ordering::SeqCst);
        }
        shared.attempts.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
    }
}
