//! Many runs at once, each on a runtime of its own, so that what it leaves behind can be counted.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidings_acceptance::{Server, ServerOptions, Strikes, Target, report};
use tokio::runtime::{Builder, Handle, Runtime};

/// What all runs share: one server, and the counts.
pub(crate) struct World {
    pub(crate) target: Target,
    pub(crate) strikes: Arc<Strikes>,
    server: Arc<tokio::sync::Mutex<Server>>,
    handle: Handle,
    counts: Mutex<std::collections::BTreeMap<&'static str, usize>>,
    _runtime: Runtime,
}

impl World {
    /// A server on a runtime of its own.
    pub(crate) fn new(options: ServerOptions) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (server, target) = runtime.block_on(async {
            let server = Server::start(options).await;
            let target = server.master().await;
            (server, target)
        });
        Self {
            target,
            strikes: Arc::default(),
            server: Arc::new(tokio::sync::Mutex::new(server)),
            handle: runtime.handle().clone(),
            counts: Mutex::default(),
            _runtime: runtime,
        }
    }

    /// Counts something that a run did.
    pub(crate) fn count(&self, what: &'static str, times: usize) {
        *self.counts.lock().unwrap().entry(what).or_default() += times;
    }

    /// What was counted, as text.
    pub(crate) fn counted(&self) -> String {
        let counts = self.counts.lock().unwrap();
        counts.iter().map(|(what, times)| format!("{times} {what}")).collect::<Vec<_>>().join(", ")
    }

    /// Kills the server, or asks it to leave, and starts it again, for all runs.
    pub(crate) async fn interrupt(&self, is_asked: bool) {
        let server = self.server.clone();
        let handle = self.handle.clone();
        let interrupted = self.handle.spawn_blocking(move || {
            handle.block_on(async {
                let mut server = server.lock().await;
                if is_asked {
                    server.stop().await;
                } else {
                    server.kill().await;
                }
                server.run().await;
            });
        });
        interrupted.await.unwrap();
    }

    /// Does something on the server's own runtime.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }
}

/// The seeds of this test.
pub(crate) fn seeds(runs: u64) -> Range<u64> {
    let variable = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let first = variable("ACCEPTANCE_SEED", 1);
    first..first + variable("ACCEPTANCE_RUNS", runs)
}

/// Carries out a run for each seed, so many at once. The first that fails ends it.
///
/// # Panics
/// If one fails; its seed was reported.
pub(crate) fn run_all<Run: Future<Output = ()>>(
    seeds: Range<u64>,
    at_once: usize,
    one: impl Fn(u64) -> Run + Sync,
) {
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicUsize::new(0));
    let work = || {
        while failed.load(Ordering::SeqCst) == 0 {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds.end {
                return;
            }
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            if catch_unwind(AssertUnwindSafe(|| runtime.block_on(one(seed)))).is_err() {
                report(format!("seed {seed} failed: ACCEPTANCE_RUNS=1 ACCEPTANCE_SEED={seed} runs it again"));
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    assert_eq!(failed.into_inner(), 0, "runs that failed");
}
