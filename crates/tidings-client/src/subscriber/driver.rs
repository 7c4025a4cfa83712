//! Carries out what the machine asks for: the stream, fresh credentials, and handing on.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidings_protocol::Cursor;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::change::{Answer, Change, Wanted};
use super::connection::Connection;
use super::event::Update;
use super::input::Input;
use super::machine::{Effect, Machine};
use super::query::Query;
use super::stopped::{Status, Stopped};
use crate::credential::{Renewal, Shown};
use crate::exchange::{Call, Exchange, Http, Trouble};

/// Presenting a credential takes at most so long.
const PRESENTING: Duration = Duration::from_secs(10);

/// What goes to whoever listens.
#[derive(Debug)]
pub(super) enum Handed {
    Update(Update, Option<Cursor>),
    Moved(Cursor),
    Stopped(Option<Stopped>),
}

/// A subscriber at work.
pub(super) struct Driver {
    pub(super) http: Http,
    pub(super) query: Query,
    pub(super) shown: Shown,
    pub(super) renewal: Option<Renewal>,
    pub(super) changes: mpsc::Receiver<Change>,
    pub(super) out: mpsc::Sender<Handed>,
    pub(super) status: Arc<watch::Sender<Status>>,
    pub(super) machine: Machine,
    pub(super) started: Instant,
    /// A change of the channels takes at most so long.
    pub(super) patience: Duration,
    pub(super) work: Work,
}

/// What is under way.
#[derive(Default)]
pub(super) struct Work {
    connection: Option<Connection>,
    renewing: Option<BoxFuture<'static, Result<Shown, String>>>,
    presenting: Option<BoxFuture<'static, Result<(), Trouble>>>,
    changing: Option<BoxFuture<'static, Result<Answer, Trouble>>>,
    /// A credential that has come and is to be shown from now on.
    fresh: Option<Shown>,
}

impl Driver {
    /// Works until nothing follows, or nobody listens.
    pub(super) async fn run(mut self, effects: Vec<Effect>) {
        if !self.carry_out(effects).await {
            return;
        }
        loop {
            // One too far away to be reckoned with never comes.
            let deadline = self.machine.deadline().and_then(|deadline| self.started.checked_add(deadline));
            let input = tokio::select! {
                () = self.out.closed() => return,
                input = self.work.next() => input,
                Some(change) = self.changes.recv() => Input::Change(change),
                () = at(deadline) => Input::Tick,
            };
            if let Some(fresh) = self.work.fresh.take() {
                self.shown = fresh;
            }
            let effects = self.feed(input);
            if !self.carry_out(effects).await {
                return;
            }
        }
    }

    fn feed(&mut self, input: Input) -> Vec<Effect> {
        let now = self.started.elapsed();
        let effects = self.machine.on_input(now, rand::random(), input);
        let status = self.machine.status();
        self.status.send_if_modified(|known| {
            // Whoever has stopped listening may tell a status of its own.
            let is_new = *known != status && !self.out.is_closed();
            if is_new {
                *known = status;
            }
            is_new
        });
        effects
    }

    /// Whether there is anything to go on with.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        for effect in effects {
            let handed = match effect {
                Effect::Open => {
                    self.open();
                    continue;
                }
                Effect::Close => {
                    self.work.connection = None;
                    self.work.presenting = None;
                    self.work.changing = None;
                    continue;
                }
                Effect::Renew => {
                    self.renew();
                    continue;
                }
                Effect::Present(session) => {
                    self.present(&session);
                    continue;
                }
                Effect::Change(session, wanted) => {
                    self.change(&session, &wanted);
                    continue;
                }
                Effect::Deliver(update, position) => Handed::Update(update, position),
                Effect::Moved(position) => Handed::Moved(position),
                Effect::Finish(stopped) => {
                    let _ = self.out.send(Handed::Stopped(stopped)).await;
                    return false;
                }
            };
            if self.out.send(handed).await.is_err() {
                return false;
            }
            // Nothing was read while the queue was full: that is no silence of the server's.
            let effects = self.feed(Input::Taken);
            debug_assert!(effects.is_empty());
        }
        true
    }

    fn open(&mut self) {
        let path = self.query.path(self.machine.channels(), self.machine.since());
        self.work.connection = Some(Connection::open(self.http.clone(), path, self.shown.clone()));
    }

    fn renew(&mut self) {
        if let (None, Some(renewal)) = (&self.work.renewing, self.renewal.clone()) {
            self.work.renewing = Some(Box::pin(async move { renewal.fetch().await }));
        }
    }

    fn present(&mut self, session: &str) {
        let path = format!("/v1/sessions/{session}/credential");
        let call = Call { path, body: bytes::Bytes::new(), shown: self.shown.clone() };
        let http: Arc<dyn Exchange> = Arc::new(self.http.clone());
        self.work.presenting = Some(Box::pin(async move { http.post(&call, PRESENTING).await.map(|_| ()) }));
    }

    fn change(&mut self, session: &str, wanted: &Wanted) {
        let path = format!("/v1/sessions/{session}/subscriptions");
        let call = Call { path, body: wanted.body().into(), shown: self.shown.clone() };
        let (http, patience) = (self.http.clone(), self.patience);
        self.work.changing = Some(Box::pin(async move {
            let answer = http.post(&call, patience).await?;
            serde_json::from_slice(&answer).map_err(|error| {
                Trouble::Broken(format!("the answer to a change is not understood: {error}"))
            })
        }));
    }
}

impl Work {
    /// What comes next of all that is under way; never, where nothing is.
    async fn next(&mut self) -> Input {
        let from_stream = async {
            match &mut self.connection {
                Some(connection) => connection.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            input = from_stream => {
                if matches!(input, Input::Failed(_) | Input::Gone) {
                    self.connection = None;
                }
                input
            }
            renewed = wait(&mut self.renewing) => {
                self.renewing = None;
                match renewed {
                    Ok(shown) => {
                        self.fresh = Some(shown);
                        Input::Renewed
                    }
                    Err(why) => Input::NotRenewed(why),
                }
            }
            presented = wait(&mut self.presenting) => {
                self.presenting = None;
                match presented {
                    Ok(()) => Input::Presented,
                    Err(trouble) => Input::NotPresented(trouble),
                }
            }
            changed = wait(&mut self.changing) => {
                self.changing = None;
                changed.map_or_else(Input::NotChanged, Input::Changed)
            }
        }
    }
}

async fn wait<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
