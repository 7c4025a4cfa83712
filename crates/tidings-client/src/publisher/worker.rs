//! Empties the queue, one request after the other.
//!
//! A request of several events that is refused is sent again event by event: one that cannot be published does not
//! take the others with it.

use std::fmt;
use std::sync::Arc;

use super::attempts::{Patience, insist};
use super::batch::{Receipt, body, receipts};
use super::draft::{Draft, Sealed};
use super::error::PublishError;
use super::queue::Queue;
use crate::credential::Shown;
use crate::exchange::{Call, Exchange};

type Told = dyn Fn(&Draft, &PublishError) + Send + Sync;

/// Who is told of events from the queue that were not published.
#[derive(Clone)]
pub struct OnError(Arc<Told>);

impl OnError {
    /// Calls `told` for each such event. It must not block: the queue waits for it.
    #[must_use]
    pub fn new(told: impl Fn(&Draft, &PublishError) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnError(…)")
    }
}

/// Sends requests to one server with one credential.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) shown: Shown,
}

impl Sender {
    /// Publishes events in one request.
    pub(super) async fn publish(
        &self,
        events: &[Sealed],
        patience: &Patience,
    ) -> Result<Vec<Receipt>, PublishError> {
        let call = Call { path: "/v1/publish".to_owned(), body: body(events), shown: self.shown.clone() };
        receipts(&insist(&*self.exchange, &call, patience).await?, events.len())
    }
}

/// Publishes what is put into the queue, until it is closed and empty.
pub(super) async fn work(queue: Arc<Queue>, sender: Sender, patience: Patience, on_error: Option<OnError>) {
    let fail = |event: &Sealed, error: &PublishError| {
        if let Some(OnError(told)) = &on_error {
            told(&event.draft, error);
        }
    };
    while let Some(taken) = queue.take().await {
        let events = &taken.events;
        match sender.publish(events, &patience).await {
            Ok(_) => {}
            Err(PublishError::Refused(_)) if events.len() > 1 => {
                for event in events {
                    if let Err(error) = sender.publish(std::slice::from_ref(event), &patience).await {
                        fail(event, &error);
                    }
                }
            }
            Err(error) => events.iter().for_each(|event| fail(event, &error)),
        }
    }
}
