//! A reader on a thread of its own: it sleeps until it is woken, and never looks without.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tidings_core::Feed;
use tidings_core::feed::Frame;

/// Longer than anything takes; whoever sleeps so long was not woken.
const FOREVER: Duration = Duration::from_secs(60);

/// Wakes a thread, and counts.
#[derive(Default)]
pub(crate) struct Alarm {
    rung: Mutex<bool>,
    rings: Condvar,
    pub(crate) wakes: AtomicU64,
}

impl Alarm {
    fn sleep(&self) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, waited) = self.rings.wait_timeout_while(rung, FOREVER, |rung| !*rung).unwrap();
        assert!(!waited.timed_out(), "nobody has woken this reader");
        *rung = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        *self.rung.lock().unwrap() = true;
        self.rings.notify_one();
    }
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(alarm: &Arc<Alarm>, future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::clone(alarm));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => alarm.sleep(),
        }
    }
}

/// The next frame, slept for.
pub(crate) fn next(alarm: &Arc<Alarm>, feed: &mut Feed) -> Frame {
    block_on(alarm, std::future::poll_fn(|cx| feed.poll(cx, Duration::ZERO)))
}
