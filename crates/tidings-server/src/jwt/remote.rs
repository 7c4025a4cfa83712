//! An issuer's keys from its URL, kept for a while.
//!
//! Each issuer has a cache of its own, so that a key's name means nothing outside of its issuer. One fetch is under way
//! at a time and all who need it wait for it; it goes on if they give up. Invariants: a set is used no longer than it is
//! good, except that the last one is used for up to a day while none can be fetched; names of keys that nobody knows cost
//! one fetch in half a minute, however many come.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_protocol::time::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::Algorithm;
use super::fetch::{Address, Fetched};
use super::key_set::KeySet;

/// For how long a set is good where its sender does not say, and the least and most that is taken as said.
const LIFE: Duration = Duration::from_secs(600);
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(3_600);

/// For how long the last set is used while no other can be fetched.
const STALE: Duration = Duration::from_secs(24 * 3_600);

/// After a fetch that failed, the next is tried so much later.
const RETRY: Duration = Duration::from_secs(5);

/// After a fetch because of an unknown name, the next such is tried so much later.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// How far one caller's time may be behind another's before it is taken for a clock that was set back.
const SKEW: Duration = Duration::from_secs(60);

/// No keys can be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

/// The keys at an issuer's URL.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The issuer's name, for the log.
    issuer: Arc<str>,
    algorithms: Vec<Algorithm>,
    address: Address,
    state: Mutex<State>,
    /// Held by whoever fetches.
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// When the last fetch began that failed or is under way.
    failed_at: Option<Timestamp>,
    /// When an unknown name last led to a fetch.
    asked_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
    life: Duration,
}

impl RemoteKeys {
    pub(super) fn new(issuer: Arc<str>, algorithms: Vec<Algorithm>, address: Address) -> Self {
        let (state, flight) = (Mutex::default(), Arc::default());
        Self { inner: Arc::new(Inner { issuer, algorithms, address, state, flight }) }
    }

    /// The keys as far as they are known now; fetched if there are none that are good.
    ///
    /// # Errors
    /// There are none, and none could be fetched.
    pub(super) async fn current(&self, now: Timestamp) -> Result<Arc<KeySet>, Unavailable> {
        if let Some(keys) = self.inner.good(now) {
            return Ok(keys);
        }
        let flight = self.inner.flight.clone().lock_owned().await;
        if let Some(keys) = self.inner.good(now) {
            return Ok(keys);
        }
        if !self.inner.failed_lately(now) {
            self.inner.fetch(flight, now).await;
        }
        self.inner.usable(now).ok_or(Unavailable)
    }

    /// Keys that were fetched after `seen`, for a token that names a key which is not in there; `None` where `seen` is
    /// the last word for now.
    ///
    /// # Errors
    /// Whether there are newer ones cannot be said now.
    pub(super) async fn after(
        &self,
        seen: &Arc<KeySet>,
        now: Timestamp,
    ) -> Result<Option<Arc<KeySet>>, Unavailable> {
        let flight = self.inner.flight.clone().lock_owned().await;
        let newer = || self.inner.usable(now).filter(|keys| !Arc::ptr_eq(keys, seen));
        if let Some(keys) = newer() {
            return Ok(Some(keys));
        }
        if self.inner.failed_lately(now) {
            return Err(Unavailable);
        }
        if !self.inner.may_ask(now) {
            return Ok(None);
        }
        self.inner.fetch(flight, now).await;
        newer().map(Some).ok_or(Unavailable)
    }
}

impl Inner {
    /// The keys, if they are still good.
    fn good(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let state = self.state.lock();
        let held = state.held.as_ref()?;
        within(held.life, held.fetched_at, now).then(|| Arc::clone(&held.keys))
    }

    /// The keys, if they are good enough while there are no others.
    fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let state = self.state.lock();
        let held = state.held.as_ref()?;
        within(STALE, held.fetched_at, now).then(|| Arc::clone(&held.keys))
    }

    fn failed_lately(&self, now: Timestamp) -> bool {
        self.state.lock().failed_at.is_some_and(|at| within(RETRY, at, now))
    }

    /// Whether an unknown name may lead to a fetch now; if so, the next may not for a while.
    fn may_ask(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let may = !state.asked_at.is_some_and(|at| within(COOL_DOWN, at, now));
        if may {
            state.asked_at = Some(now);
        }
        may
    }

    /// Fetches, as a task of its own: requests may be given up while it is under way.
    async fn fetch(self: &Arc<Self>, flight: OwnedMutexGuard<()>, now: Timestamp) {
        let inner = Arc::clone(self);
        let task = tokio::spawn(async move {
            inner.state.lock().failed_at = Some(now);
            let fetched = inner.address.get().await;
            inner.take_in(fetched, now);
            drop(flight);
        });
        // Its failure is one more fetch that failed.
        let _ = task.await;
    }

    fn take_in(&self, fetched: Result<Fetched, String>, now: Timestamp) {
        let read = fetched.and_then(|fetched| {
            let keys = KeySet::of_document(&fetched.body, &self.algorithms)?;
            Ok((keys, fetched.max_age.unwrap_or(LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE)))
        });
        match read {
            Ok((keys, life)) => {
                let mut state = self.state.lock();
                state.held = Some(Held { keys: Arc::new(keys), fetched_at: now, life });
                state.failed_at = None;
            }
            Err(why) => {
                tracing::warn!(issuer = &*self.issuer, "the issuer's key set cannot be fetched: {why}");
            }
        }
    }
}

/// Whether less than `span` has passed since `then`. A clock that was set back ends every span.
fn within(span: Duration, then: Timestamp, now: Timestamp) -> bool {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let passed = now.0.saturating_sub(then.0);
    passed < millis(span) && passed > -millis(SKEW)
}
