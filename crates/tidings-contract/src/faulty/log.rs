//! A Log whose reads are late and fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidings_core::port::log::{Bounds, LogPage, Query, Resolution};
use tidings_core::port::{Log, PortFuture, StorageError};
use tidings_protocol::{Cursor, TenantId};

use super::Seed;

/// How often each fault strikes, in percent, and how late a late answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOdds {
    /// A call fails, with [`StorageError::Unavailable`].
    pub failed: u8,
    /// A call is late: it is asked of the log late, or answered late, so that its answer is old.
    pub late: u8,
    /// How late at most, by the runtime's clock.
    pub at_most: Duration,
}

impl Default for LogOdds {
    fn default() -> Self {
        Self { failed: 10, late: 30, at_most: Duration::from_millis(20) }
    }
}

/// How often each fault struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogFaults {
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were late.
    pub late: u64,
}

/// A Log with faults in the way.
#[derive(Debug)]
pub struct FaultyLog<L> {
    inner: Arc<L>,
    seed: Seed,
    odds: LogOdds,
    failed: AtomicU64,
    late: AtomicU64,
}

/// What befalls one call, drawn when it is made.
#[derive(Debug, Clone, Copy)]
struct Fate {
    before: Duration,
    after: Duration,
    fails: bool,
}

impl<L: Log> FaultyLog<L> {
    /// Wraps a Log.
    pub fn new(inner: Arc<L>, seed: Seed, odds: LogOdds) -> Self {
        Self { inner, seed, odds, failed: AtomicU64::new(0), late: AtomicU64::new(0) }
    }

    /// How often each fault struck so far.
    #[must_use]
    pub fn faults(&self) -> LogFaults {
        LogFaults { failed: self.failed.load(Ordering::SeqCst), late: self.late.load(Ordering::SeqCst) }
    }

    fn draw(&self) -> Fate {
        let fails = self.seed.happens(self.odds.failed);
        let mut fate = Fate { before: Duration::ZERO, after: Duration::ZERO, fails };
        if self.seed.happens(self.odds.late) {
            let most = u64::try_from(self.odds.at_most.as_micros()).unwrap_or(u64::MAX);
            let wait = Duration::from_micros(1 + self.seed.below(most));
            let slot = if self.seed.happens(50) { &mut fate.before } else { &mut fate.after };
            *slot = wait;
            self.late.fetch_add(1, Ordering::SeqCst);
        }
        self.failed.fetch_add(u64::from(fails), Ordering::SeqCst);
        fate
    }

    fn beset<'a, T: Send + 'a>(
        &'a self,
        call: PortFuture<'a, Result<T, StorageError>>,
    ) -> PortFuture<'a, Result<T, StorageError>> {
        let fate = self.draw();
        Box::pin(async move {
            wait(fate.before).await;
            let answer = if fate.fails {
                Err(StorageError::Unavailable("a fault was wanted here".into()))
            } else {
                call.await
            };
            wait(fate.after).await;
            answer
        })
    }
}

/// A call that is not late answers at once.
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl<L: Log> Log for FaultyLog<L> {
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>> {
        self.beset(self.inner.bounds(tenant))
    }

    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>> {
        self.beset(self.inner.resolve(tenant, cursor))
    }

    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>> {
        self.beset(self.inner.read(tenant, query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use crate::memory::{MemoryDisk, MemoryStore};
    use crate::suite::kit::{Recorder, numbers, query, tenant};
    use tidings_core::port::Store;
    use tidings_core::port::store::{Action, Command, Policy};

    #[test]
    fn reads_fail_and_are_late_but_do_not_lie() {
        crate::suite::run(async {
            let disk = MemoryDisk::new();
            let clock = Arc::new(TestClock::default());
            let store = MemoryStore::open(&disk, clock, Policy::default(), Arc::new(Recorder::default()));
            let drafts = vec![crate::suite::kit::draft("a"), crate::suite::kit::draft("a")];
            let command = Command { tenant: tenant("default"), action: Action::Publish(drafts) };
            store.submit(command).await.unwrap();
            let odds = LogOdds { at_most: Duration::from_micros(50), ..LogOdds::default() };
            let log = FaultyLog::new(Arc::new(store), Seed::new(5), odds);
            let mut failed = 0;
            for _ in 0..100 {
                match log.read(&tenant("default"), &query(&["a"])).await {
                    Ok(page) => assert_eq!(numbers(&page.events), [1, 2]),
                    Err(error) => {
                        assert!(matches!(error, StorageError::Unavailable(_)));
                        failed += 1;
                    }
                }
            }
            assert_eq!(log.faults().failed, failed);
            assert!(failed > 0 && failed < 100 && log.faults().late > 0);
        });
    }
}
