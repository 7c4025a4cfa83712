//! The threads that read.
//!
//! Owns: read-only connections, one a thread, and the bounded queue before them. Invariants: a read sees one snapshot and
//! holds no lock that a writer waits for; past the queue's limit a read is refused at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tidings_core::port::StorageError;
use tokio::sync::oneshot;

use crate::connection;
use crate::error::{OpenError, opening, unreadable};

type Job = Box<dyn FnOnce(&Connection) + Send>;

struct Queue {
    jobs: Mutex<(VecDeque<Job>, bool)>,
    filled: Condvar,
    limit: usize,
}

pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(crate) fn open(path: &Path, threads: usize, limit: usize) -> Result<Self, OpenError> {
        let queue =
            Arc::new(Queue { jobs: Mutex::new((VecDeque::new(), false)), filled: Condvar::new(), limit });
        let readers = Self { queue, threads: Mutex::new(Vec::new()) };
        for index in 0..threads.max(1) {
            let connection = connection::reader(path).map_err(|source| opening(path, source))?;
            let queue = Arc::clone(&readers.queue);
            let thread = std::thread::Builder::new()
                .name(format!("tidings-read-{index}"))
                .spawn(move || queue.serve(&connection))
                .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Queues a read; the future gives its result. It is carried out even where nobody waits for it.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StorageError>> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if !reply.is_closed() {
                let _ = reply.send(read(connection));
            }
        });
        let queued = self.queue.push(job);
        async move {
            queued?;
            match answer.await {
                Ok(result) => result.map_err(|error| unreadable(&error)),
                Err(_) => Err(StorageError::Unavailable("the read was given up".into())),
            }
        }
    }

    /// Whether reads are accepted.
    pub(crate) fn health(&self) -> Result<(), StorageError> {
        let jobs = self.queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.1 { Err(closed()) } else { Ok(()) }
    }

    /// Accepts nothing more, finishes what waits, and joins the threads.
    pub(crate) fn close(&self) {
        self.queue.jobs.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.queue.filled.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn closed() -> StorageError {
    StorageError::Unavailable("the store is being closed".into())
}

impl Queue {
    fn push(&self, job: Job) -> Result<(), StorageError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.1 {
            return Err(closed());
        }
        if jobs.0.len() >= self.limit {
            return Err(StorageError::Unavailable("too much waits to be read".into()));
        }
        jobs.0.push_back(job);
        drop(jobs);
        self.filled.notify_one();
        Ok(())
    }

    fn serve(&self, connection: &Connection) {
        loop {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let mut jobs = self
                .filled
                .wait_while(jobs, |(waiting, closed)| waiting.is_empty() && !*closed)
                .unwrap_or_else(PoisonError::into_inner);
            let Some(job) = jobs.0.pop_front() else { return };
            drop(jobs);
            job(connection);
        }
    }
}
