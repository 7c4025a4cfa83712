//! Options that can be used: what streams are opened and records are read with, once or again and again.

use std::sync::Arc;
use std::time::Duration;

use tidings_protocol::cursor::Since;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::change::Channels;
use super::driver::{Driver, Work};
use super::machine::{Machine, Rules};
use super::query::Query;
use super::roster::Roster;
use super::stopped::Status;
use super::{Options, Subscriber};
use crate::credential::{Renewal, Shown};
use crate::exchange::Http;
use crate::server::InvalidOptions;

/// Everything but where to begin.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) http: Http,
    pub(super) rules: Rules,
    /// The credential; none where one is to be fetched first.
    pub(super) shown: Option<Shown>,
    pub(super) renewal: Option<Renewal>,
    query: Query,
    channels: Vec<String>,
    queue: usize,
    runtime: Handle,
}

impl Setup {
    /// What the options ask for, but for their `since`.
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub(super) fn of(options: Options) -> Result<Self, InvalidOptions> {
        let http = Http::new(options.url.as_deref(), options.ca.as_deref())?;
        let query = Query::of(&options)?;
        let (shown, renewal) = options.credential.take()?;
        let rules = Rules {
            backoff: options.backoff,
            opening: options.open_timeout,
            silence: options.silence,
            attempts: options.attempts,
            can_renew: renewal.is_some(),
        };
        let runtime = Handle::try_current().map_err(|_| InvalidOptions::NoRuntime)?;
        let shown = renewal.is_none().then_some(shown);
        let queue = options.queue.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self { http, rules, shown, renewal, query, channels: options.channels, queue, runtime })
    }

    /// Begins to follow, in a task of its own until the subscriber is dropped; how it stands is told to `status`.
    pub(super) fn start(&self, since: Since, status: &Arc<watch::Sender<Status>>) -> Subscriber {
        let roster = Roster::new(&self.channels, self.query.room());
        let (machine, effects) =
            Machine::start(self.rules, since, roster, self.shown.is_none(), Duration::ZERO);
        status.send_replace(machine.status());
        let (out, updates) = mpsc::channel(self.queue);
        let (channels, changes) = Channels::new();
        let driver = Driver {
            http: self.http.clone(),
            query: self.query.clone(),
            shown: self.shown.clone().unwrap_or_default(),
            renewal: self.renewal.clone(),
            changes,
            out,
            status: status.clone(),
            machine,
            started: Instant::now(),
            patience: self.rules.opening,
            work: Work::default(),
        };
        self.runtime.spawn(driver.run(effects));
        let cursor = match since {
            Since::Cursor(cursor) => Some(cursor),
            Since::Start | Since::Now => None,
        };
        Subscriber { updates, channels, status: status.subscribe(), cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Credential;
    use crate::subscriber::snapshot::reading;

    #[tokio::test]
    async fn a_stream_that_nobody_listens_to_tells_no_status() {
        let url = Some("http://127.0.0.1:9".to_owned());
        let options = Options { url, credential: Credential::fixed("k"), ..Options::of(["a"]) };
        let setup = Setup::of(options).unwrap();
        let status = Arc::new(watch::Sender::new(reading()));
        // What there is to do when it ends is done first, or not: that is drawn.
        for _ in 0..64 {
            let subscriber = setup.start(Since::Now, &status);
            assert_ne!(*status.borrow(), reading());
            subscriber.subscribe("b", Since::Now).unwrap();
            drop(subscriber);
            status.send_replace(reading());
            while Arc::strong_count(&status) > 1 {
                tokio::task::yield_now().await;
            }
            assert_eq!(*status.borrow(), reading());
        }
    }
}
