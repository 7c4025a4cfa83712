//! A session's deadlines: heartbeat, lifetime, its credential's end, and a transport that cannot write.

use std::time::Duration;

use tidings_protocol::EndReason;
use tidings_protocol::control::Control;
use tidings_protocol::time::Timestamp;

use super::output::Queued;
use super::{Session, SessionConfig};

#[derive(Debug)]
struct Expiry {
    at: Timestamp,
    deadline: Duration,
    notice: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Timing {
    heartbeat: Option<Duration>,
    lifetime: Option<Duration>,
    stalled: Option<Duration>,
    expiry: Option<Box<Expiry>>,
}

impl Timing {
    pub(super) fn new(now: Duration, config: &SessionConfig, expires: Option<(Timestamp, Duration)>) -> Self {
        let mut timing = Self {
            heartbeat: config.heartbeat.map(|every| now + every),
            lifetime: config.lifetime.map(|life| now + life),
            stalled: None,
            expiry: None,
        };
        timing.renew(now, config, expires);
        timing
    }

    pub(super) fn renew(
        &mut self,
        now: Duration,
        config: &SessionConfig,
        expires: Option<(Timestamp, Duration)>,
    ) {
        self.expiry = expires.map(|(at, left)| {
            let deadline = now + left;
            let notice = Some(deadline.saturating_sub(config.expiry_notice).max(now));
            Box::new(Expiry { at, deadline, notice })
        });
    }

    /// The transport cannot write: the clock runs from the first time it says so.
    pub(super) fn blocked(&mut self, now: Duration, write_timeout: Duration) {
        if self.stalled.is_none() && !write_timeout.is_zero() {
            self.stalled = Some(now + write_timeout);
        }
    }

    pub(super) fn progress(&mut self) {
        self.stalled = None;
    }

    pub(super) fn next(&self) -> Option<Duration> {
        // A transport that cannot write has no use for a heartbeat.
        let heartbeat = self.heartbeat.filter(|_| self.stalled.is_none());
        let expiry = self.expiry.as_ref().map(|expiry| expiry.notice.unwrap_or(expiry.deadline));
        [heartbeat, self.lifetime, self.stalled, expiry].into_iter().flatten().min()
    }
}

fn due(deadline: Option<Duration>, now: Duration) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

impl Session {
    pub(super) fn on_tick(&mut self, now: Duration) {
        if due(self.timing.stalled, now) {
            self.abort(EndReason::WriteStalled);
            return;
        }
        if due(self.timing.expiry.as_ref().map(|expiry| expiry.deadline), now) {
            self.end(EndReason::Expired, None);
            return;
        }
        if due(self.timing.lifetime, now) {
            self.end(EndReason::Lifetime, None);
            return;
        }
        let notice = self.timing.expiry.as_mut().filter(|expiry| due(expiry.notice, now));
        if let Some(expiry) = notice {
            expiry.notice = None;
            let at = expiry.at;
            self.control(Control::Expiring { at }, false);
        }
        if due(self.timing.heartbeat, now) {
            self.timing.heartbeat = self.config.heartbeat.map(|every| now + every);
            if self.out.is_empty() && self.timing.stalled.is_none() {
                self.out.push_back(Queued::Heartbeat);
            }
        }
    }
}
