//! A client's open stream: the real feed, driven as a transport drives it, and the watch over what it says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tidings_core::Feed;
use tidings_core::feed::Frame;
use tidings_core::hub::Signal;
use tidings_core::session::{ChangeResult, Join, JoinAt};
use tidings_protocol::control::Control;
use tidings_protocol::{Cursor, EndReason, Filter, Pattern};
use tokio::sync::oneshot;

use super::coverage::Coverage;
use super::history::History;
use super::watch::{At, Check, Watch};
use crate::check;

/// Notes that it was woken.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn up() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was woken since it was last asked.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }
}

#[derive(Debug)]
struct Asked {
    joins: Vec<Join>,
    remove: Vec<Pattern>,
    answer: oneshot::Receiver<ChangeResult>,
}

/// An open stream or poll.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) feed: Feed,
    pub(crate) watch: Watch,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) filter: Arc<Filter>,
    pub(crate) poll: bool,
    /// Begins with the oldest retained event, and has not looked at the log yet.
    pub(crate) start: bool,
    pub(crate) max_channels: usize,
    pub(crate) woken: Arc<Flag>,
    asked: VecDeque<Asked>,
    blocked: bool,
}

impl Client {
    pub(crate) fn new(
        feed: Feed,
        watch: Watch,
        patterns: Vec<Pattern>,
        filter: Arc<Filter>,
        poll: bool,
        max_channels: usize,
    ) -> Self {
        let (woken, asked) = (Flag::up(), VecDeque::new());
        Self { feed, watch, patterns, filter, poll, start: false, max_channels, woken, asked, blocked: false }
    }

    /// Takes up to `frames`, and answers the ids that they carried. It looks only when it was woken, as a task does.
    pub(crate) fn take(
        &mut self,
        frames: u8,
        now: Duration,
        history: &History,
        cov: &mut Coverage,
    ) -> Check<Vec<Cursor>> {
        let mut ids = Vec::new();
        if self.blocked {
            self.blocked = false;
            self.feed.progress(now);
        }
        for _ in 0..frames {
            if !self.woken.take() {
                break;
            }
            let polled = self.poll_feed(now);
            let session = self.feed.session();
            self.start &= !session.is_live() && session.position().seq.0 == self.watch.begin();
            let Poll::Ready(frame) = polled else {
                self.at_rest(history)?;
                break;
            };
            self.woken.raise();
            self.take_answers(history, cov)?;
            ids.extend(self.watch.on_frame(
                &frame,
                At { position: self.feed.session().position(), history },
                cov,
            )?);
            if self.watch.is_over() {
                note_end(&frame, cov);
                check!(matches!(self.poll_feed(now), Poll::Ready(Frame::Over)), "something follows the end");
                break;
            }
        }
        self.take_answers(history, cov)?;
        if self.poll && !self.watch.is_over() {
            // What a poll answers as its cursor.
            let position = self.feed.session().position();
            self.watch.check_position(position.seq.0, history)?;
            ids.push(position);
        }
        Ok(ids)
    }

    fn poll_feed(&mut self, now: Duration) -> Poll<Frame> {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.feed.poll(&mut Context::from_waker(&waker), now)
    }

    /// Nothing is to be taken: what the session calls its position holds.
    fn at_rest(&self, history: &History) -> Check {
        let session = self.feed.session();
        if session.is_joining() || self.asked.iter().any(|asked| !asked.answer.is_empty()) {
            return Ok(());
        }
        self.watch.check_position(session.position().seq.0, history)
    }

    /// Asks for a change, as the server does for it.
    pub(crate) fn change(&mut self, joins: Vec<Join>, remove: Vec<Pattern>, cov: &mut Coverage) {
        if self.feed.session().is_joining() {
            cov.hit("change: waits for a join");
        }
        let (reply, answer) = oneshot::channel();
        self.feed.mailbox().signal(Signal::Change { add: joins.clone(), remove: remove.clone(), reply });
        self.asked.push_back(Asked { joins, remove, answer });
    }

    /// A change that was answered holds from there on.
    fn take_answers(&mut self, history: &History, cov: &mut Coverage) -> Check {
        while let Some(asked) = self.asked.front_mut() {
            let Ok(result) = asked.answer.try_recv() else { return Ok(()) };
            let Some(asked) = self.asked.pop_front() else { return Ok(()) };
            self.take_answer(&asked, &result, history, cov)?;
        }
        Ok(())
    }

    fn take_answer(
        &mut self,
        asked: &Asked,
        result: &ChangeResult,
        history: &History,
        cov: &mut Coverage,
    ) -> Check {
        let mut added: Vec<(Pattern, JoinAt)> = Vec::new();
        for join in &asked.joins {
            if result.added.contains(&join.pattern) && !added.iter().any(|(known, _)| *known == join.pattern)
            {
                added.push((join.pattern.clone(), join.at));
            }
        }
        check!(added.len() == result.added.len(), "{result:?} of {asked:?}");
        self.patterns.retain(|pattern| !asked.remove.contains(pattern));
        for (pattern, _) in &added {
            if !self.patterns.contains(pattern) {
                self.patterns.push(pattern.clone());
            }
        }
        let full = self.patterns.len() >= self.max_channels;
        check!(result.refused.is_empty() || full, "refused without need: {result:?}");
        cov.add("change: refused", result.refused.len() as u64);
        cov.add("change: removed", u64::from(!asked.remove.is_empty()));
        let mut places: Vec<JoinAt> = added.iter().map(|(_, at)| *at).collect();
        places.dedup();
        cov.add("change: two groups", u64::from(places.len() > 1));
        self.start &= added.iter().all(|(_, at)| matches!(at, JoinAt::Oldest(_)));
        let here = self.feed.session().position();
        self.watch.changed(&asked.remove, added, here, history);
        Ok(())
    }

    /// The right to some of its patterns ends.
    pub(crate) fn unauthorize(&mut self, lost: &[Pattern], history: &History, cov: &mut Coverage) {
        let mut present = self.feed.session().patterns();
        present.retain(|pattern| !self.watch.is_losing(pattern));
        let gone: Vec<Pattern> = lost.iter().filter(|pattern| present.contains(pattern)).cloned().collect();
        self.feed.mailbox().signal(Signal::Unauthorize(lost.to_vec()));
        for asked in &mut self.asked {
            // A change that has not been acted on adds none of them.
            let before = asked.joins.len();
            asked.joins.retain(|join| !lost.contains(&join.pattern));
            cov.add("unauthorize: a change that waits", u64::from(asked.joins.len() < before));
        }
        if gone.is_empty() || self.watch.is_over() {
            return;
        }
        cov.add("unauthorize: while joining", u64::from(self.watch.is_joining()));
        self.patterns.retain(|pattern| !gone.contains(pattern));
        let all = gone.len() == present.len();
        let begun = self.feed.session().is_joining();
        self.watch.unauthorize(gone, all, begun, history);
    }

    /// The socket takes nothing.
    pub(crate) fn block(&mut self, now: Duration) {
        self.blocked = true;
        self.feed.blocked(now);
        let waker = Waker::from(Arc::clone(&self.woken));
        if self.feed.attend(&mut Context::from_waker(&waker), now) {
            self.woken.raise();
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Duration) {
        if self.feed.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.feed.tick(now);
            self.woken.raise();
        }
    }

    /// Retention has removed events.
    pub(crate) fn trimmed(&mut self, history: &History) {
        if self.start {
            self.watch.forgive(history);
        }
        self.watch.forgive_group(history);
    }
}

fn note_end(frame: &Frame, cov: &mut Coverage) {
    let Frame::Control(control, _) = frame else { return };
    let Control::End { reason, .. } = **control else { return };
    match reason {
        EndReason::Capacity => cov.hit("end: capacity"),
        EndReason::Lifetime => cov.hit("end: lifetime"),
        EndReason::Expired => cov.hit("end: expired"),
        EndReason::Revoked => cov.hit("end: revoked"),
        _ => {}
    }
}
