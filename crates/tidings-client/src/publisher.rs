//! Publishing: awaited, or put into a queue that is emptied behind the caller's back.
//!
//! Owns: attempts ([`attempts`]), requests of several events (`batch`), the queue and what empties it (`queue`,
//! `worker`). Leaves out: what an event may be, which the protocol says.
//!
//! Invariants: an event that is published by one call is in the log once, however many attempts that takes, because
//! every event has an idempotency key and is sent with the same bytes; the queue keeps the order of its calls.

pub mod attempts;
mod batch;
mod draft;
mod error;
mod queue;
#[cfg(test)]
pub(crate) mod testing;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub use self::attempts::Patience;
pub use self::batch::Receipt;
pub use self::draft::Draft;
use self::draft::Sealed;
pub(crate) use self::draft::draw_key;
pub use self::error::{Interrupted, NotQueued, PublishError, Unflushed};
use self::queue::Queue;
pub use self::queue::QueueOptions;
pub use self::worker::OnError;
pub(crate) use self::worker::Sender;
use crate::credential::Credential;
use crate::exchange::Http;
use crate::server::InvalidOptions;

/// How a publisher is set up. The default takes everything from the environment.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The server's URL, `http://` or `https://`. Default: `TIDINGS_URL`, else `http://127.0.0.1:8080`.
    pub url: Option<String>,
    /// The API key, that of a service as a rule. Default: `TIDINGS_API_KEY`; where it is not set, none is shown.
    pub api_key: Option<String>,
    /// A PEM file with the certificates to believe over TLS. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// How long the calls that are awaited try. Default: attempts of 10 s within 60 s; see [`Patience`].
    pub patience: Patience,
    /// What the queue holds, and how long it tries. Default: 10,000 events and 16 MiB, an hour; see [`QueueOptions`].
    pub queue: QueueOptions,
    /// Who is told of events from the queue that were not published. Default: nobody.
    pub on_error: Option<OnError>,
}

/// Publishes to one server. A clone shares connections and queue.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidings_client::publisher::{OnError, Options};
/// use tidings_client::{Draft, PublishError, Publisher};
///
/// let publisher = Publisher::new(Options {
///     on_error: Some(OnError::new(|draft, error| eprintln!("{} was not published: {error}", draft.channel()))),
///     ..Options::default()
/// })?;
///
/// // One event, until it is on the server's disk.
/// let draft = Draft::new("doc:7", "saved", &serde_json::json!({"by": "ada"}))?.version(3);
/// match publisher.publish(draft).await {
///     Ok(receipt) => println!("it is at {}", receipt.id),
///     Err(error) if error.code() == Some("channel_ended") => println!("nothing follows on doc:7"),
///     Err(error) => return Err(error.into()),
/// }
///
/// // Several, in their order.
/// let drafts: Result<Vec<Draft>, _> = (0..250).map(|n| Draft::new("doc:8", "line", &n)).collect();
/// match publisher.publish_all(drafts?).await {
///     Ok(receipts) => println!("{} are on disk", receipts.len()),
///     Err(interrupted) => println!("{} are, then {}", interrupted.published.len(), interrupted.error),
/// }
///
/// // One that nobody waits for.
/// publisher.enqueue(Draft::new("doc:7", "seen", &())?)?;
///
/// // Before the process ends.
/// publisher.flush(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: Sender,
    patience: Patience,
    queue: Arc<Queue>,
    queue_patience: Patience,
    on_error: Option<OnError>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Publisher {
    /// A publisher; it connects when it is used.
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub fn new(options: Options) -> Result<Self, InvalidOptions> {
        let http = Http::new(options.url.as_deref(), options.ca.as_deref())?;
        let credential = options.api_key.map_or(Credential::Environment, Credential::Fixed);
        let (shown, _) = credential.take()?;
        let sender = Sender { exchange: Arc::new(http), shown };
        Ok(Self::over(sender, options.patience, options.queue, options.on_error))
    }

    fn over(sender: Sender, patience: Patience, queue: QueueOptions, on_error: Option<OnError>) -> Self {
        let shared = Shared {
            sender,
            patience,
            queue: Arc::new(Queue::new(queue)),
            queue_patience: queue.patience,
            on_error,
            worker: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Publishes an event. Once this answers, the event is on the server's disk.
    ///
    /// # Errors
    /// [`PublishError`]; what can be seen beforehand is [`PublishError::Refused`] before anything is sent.
    pub async fn publish(&self, draft: Draft) -> Result<Receipt, PublishError> {
        let sealed = [draft.seal()?];
        let receipts = self.shared.sender.publish(&sealed, &self.shared.patience).await?;
        receipts.first().copied().ok_or_else(|| PublishError::Misunderstood("no receipt".to_owned()))
    }

    /// Publishes events in their order: 100, or 1 MiB, in one request, all or none of those; more in several requests, one
    /// after the other.
    ///
    /// # Errors
    /// [`Interrupted`], with what was published before. A fault that can be seen beforehand is found before anything is
    /// published.
    pub async fn publish_all(
        &self,
        drafts: impl IntoIterator<Item = Draft>,
    ) -> Result<Vec<Receipt>, Interrupted> {
        let sealed: Result<Vec<Sealed>, _> = drafts.into_iter().map(Draft::seal).collect();
        let sealed = sealed.map_err(|error| Interrupted { published: Vec::new(), error })?;
        let mut published = Vec::with_capacity(sealed.len());
        for part in batch::parts(&sealed) {
            match self.shared.sender.publish(part, &self.shared.patience).await {
                Ok(receipts) => published.extend(receipts),
                Err(error) => return Err(Interrupted { published, error }),
            }
        }
        Ok(published)
    }

    /// Puts an event into the queue and returns at once. It is published after all that were put there before; if that
    /// fails for good, `on_error` is told. What still waits when the process ends is lost: see [`Publisher::flush`].
    ///
    /// # Errors
    /// [`NotQueued`].
    pub fn enqueue(&self, draft: Draft) -> Result<(), NotQueued> {
        let sealed = draft.seal()?;
        self.see_to_worker()?;
        self.shared.queue.put(sealed).map_err(|sealed| NotQueued::Full(Box::new(sealed.draft)))
    }

    /// Waits until everything that was put into the queue before is published or given up, for `limit` at most.
    ///
    /// # Errors
    /// [`Unflushed`]: the limit is over. The queue goes on.
    pub async fn flush(&self, limit: Duration) -> Result<(), Unflushed> {
        self.shared.queue.flush(limit).await
    }

    /// One whose server is a test's.
    #[cfg(test)]
    pub(crate) fn scripted(script: &Arc<testing::Script>) -> Self {
        let sender = Sender { exchange: script.clone(), shown: Default::default() };
        Self::over(sender, Patience::default(), QueueOptions::default(), None)
    }

    pub(crate) fn sender(&self) -> (&Sender, &Patience) {
        (&self.shared.sender, &self.shared.patience)
    }

    /// Starts the worker, anew where its runtime has ended.
    fn see_to_worker(&self) -> Result<(), NotQueued> {
        let shared = &self.shared;
        let mut worker = shared.worker.lock();
        if worker.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = Handle::try_current().map_err(|_| NotQueued::NoRuntime)?;
            let (queue, sender) = (shared.queue.clone(), shared.sender.clone());
            let work = worker::work(queue, sender, shared.queue_patience, shared.on_error.clone());
            *worker = Some(runtime.spawn(work));
        }
        Ok(())
    }
}

impl Drop for Shared {
    /// The worker publishes what is left and ends.
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests;
