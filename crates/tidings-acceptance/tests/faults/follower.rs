//! A subscriber of a run, and what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tidings_acceptance::Target;
use tidings_client::subscriber::{Options, Since, State};
use tidings_client::{Credential, Stopped, Subscriber, Update};
use tidings_protocol::{Cursor, Seq};
use tokio::time::timeout;

use crate::QUICK;
use crate::book::Book;

/// A subscriber, and how it has stopped if it has.
pub(crate) struct Follower {
    subscriber: Subscriber,
    options: Options,
    pub(crate) stopped: Option<Option<Stopped>>,
    fetched: Option<Arc<AtomicUsize>>,
}

impl Follower {
    /// Opens one with options that the seed draws.
    pub(crate) fn open(
        target: &Target,
        channels: &[String],
        since: Since,
        book: &Book,
        random: &mut StdRng,
    ) -> Self {
        let key = target.key.to_string();
        let fetched = random.random_bool(0.5).then(Arc::<AtomicUsize>::default);
        let credential = match &fetched {
            Some(fetched) => {
                let fetched = fetched.clone();
                Credential::renewed(move || {
                    fetched.fetch_add(1, Ordering::SeqCst);
                    let key = key.clone();
                    async move { Ok(key) }
                })
            }
            None => Credential::fixed(key),
        };
        let options = Options {
            url: Some(format!("http://{}", target.address)),
            credential,
            types: book.only.iter().map(|&only| only.to_owned()).collect(),
            since,
            queue: random.random_range(1..=40),
            backoff: QUICK,
            open_timeout: Duration::from_millis(1_200),
            silence: Duration::from_millis(1_200),
            ..Options::of(channels)
        };
        let subscriber = Subscriber::open(options.clone()).unwrap();
        Self { subscriber, options, stopped: None, fetched }
    }

    /// Opens it anew where it stopped, as an application does that has kept its cursor.
    pub(crate) fn reopen(&mut self, channels: Vec<String>) {
        let since = Since::Cursor(self.cursor().unwrap());
        self.options = Options { channels, since, ..self.options.clone() };
        self.subscriber = Subscriber::open(self.options.clone()).unwrap();
        self.stopped = None;
    }

    /// How often a credential was fetched; none is fetched where it is fixed.
    pub(crate) fn fetched(&self) -> Option<usize> {
        self.fetched.as_ref().map(|fetched| fetched.load(Ordering::SeqCst))
    }

    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.subscriber.cursor()
    }

    pub(crate) fn position(&self) -> Seq {
        self.cursor().map_or(Seq::ZERO, |cursor| cursor.seq)
    }

    pub(crate) fn state(&self) -> State {
        self.subscriber.status().borrow().state
    }

    pub(crate) fn add(&self, channel: &str, since: Since) {
        self.subscriber.subscribe(channel, since).unwrap();
    }

    pub(crate) fn remove(&self, channel: &str) {
        self.subscriber.unsubscribe(channel).unwrap();
    }

    /// Takes what comes within a few milliseconds, if something does.
    pub(crate) async fn step(&mut self, book: &mut Book) -> Result<(), String> {
        let pause = Duration::from_millis(5);
        if self.stopped.is_some() {
            tokio::time::sleep(pause).await;
            return Ok(());
        }
        let Ok(update) = timeout(pause, self.subscriber.next()).await else { return Ok(()) };
        match update {
            Some(Ok(update)) => self.take(&update, book),
            Some(Err(stopped)) => {
                self.stopped = Some(Some(stopped));
                Ok(())
            }
            None => {
                self.stopped = Some(None);
                Ok(())
            }
        }
    }

    fn take(&self, update: &Update, book: &mut Book) -> Result<(), String> {
        match update {
            Update::Event(event) => book.take(event),
            Update::Gap(gap) => book.gap(gap),
            Update::Joined { channels } => {
                channels.iter().try_for_each(|channel| book.join(channel, self.position()))
            }
            Update::Lagged { .. } | Update::Refused { .. } => Err(format!("{update:?}")),
        }
    }
}
