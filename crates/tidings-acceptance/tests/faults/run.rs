//! One seeded run: a subscriber behind the proxy, events all the while, and one fault after the other.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidings_acceptance::fault_proxy::Part;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Fault, FaultProxy};
use tidings_client::subscriber::{Since, State};
use tidings_client::{Draft, Publisher, Stopped};
use tidings_protocol::{Cursor, Seq};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::book::Book;
use crate::follower::Follower;
use crate::pool::World;
use crate::publishing;

/// Nothing in a run takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a World,
    pub(crate) seed: u64,
    pub(crate) random: StdRng,
    pub(crate) proxy: FaultProxy,
    publisher: Publisher,
    pub(crate) follower: Follower,
    pub(crate) book: Book,
    steps: Vec<String>,
    /// Where events go.
    channels: Vec<String>,
    added: usize,
}

impl<'a> Run<'a> {
    /// Begins with what comes next, with the oldest event, or after a cursor; with or without a filter.
    async fn begin(world: &'a World, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let proxy = FaultProxy::of_streams(
            world.target.address,
            &format!("\"channel\":\"run:{seed}:"),
            &world.strikes,
        )
        .await;
        let publisher = Publisher::new(publishing(&world.target, Duration::from_secs(10))).unwrap();
        let channels: Vec<String> =
            ["a", "b", "c", "p:0", "p:1"].iter().map(|name| format!("run:{seed}:{name}")).collect();
        let mut book = Book::new(random.random_bool(0.3).then_some("t"));
        let mut first = vec![channels[0].clone()];
        match random.random_range(0..3) {
            0 => first.push(channels[1].clone()),
            1 => first.push(format!("run:{seed}:p:*")),
            _ => {}
        }
        let mut ids = Vec::new();
        for n in 0..random.random_range(0..5) {
            let draft = Draft::new(&channels[0], "t", &n).unwrap();
            let id = publisher.publish(draft).await.unwrap().id;
            book.send(id, &channels[..1], "t");
            ids.push(id);
        }
        let since = match random.random_range(0..3) {
            0 => Since::Start,
            1 if !ids.is_empty() => Since::Cursor(ids[random.random_range(0..ids.len())]),
            _ => Since::Now,
        };
        let position = ids.last().map_or(Seq::ZERO, |id| id.seq);
        for channel in &first {
            book.follow(channel, since, position, true);
        }
        let follower = Follower::open(&world.target.at(proxy.address()), &first, since, &book, &mut random);
        let steps = vec![format!("{first:?} since {since:?}, only {:?}", book.only)];
        let mut run =
            Self { world, seed, random, proxy, publisher, follower, book, steps, channels, added: 0 };
        run.until("to be connected", |run| run.is_caught_up()).await;
        run
    }

    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!(
            "seed {}: {why}; steps {:?}; {:?} at {:?}, stopped {:?}; missing {:?} of {} sent, {} came; armed {:?}, openings {:?}; {:?}",
            self.seed,
            self.steps,
            self.follower.state(),
            self.follower.cursor(),
            self.follower.stopped,
            self.book.missing(),
            self.book.sent.len(),
            self.book.came(),
            self.proxy.armed(),
            self.proxy.openings(),
            self.book.followed,
        )
    }

    pub(crate) fn note(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }

    /// Takes what comes until something holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > end {
                self.fail(&format!("waited in vain for {what}"));
            }
            if let Err(why) = self.follower.step(&mut self.book).await {
                self.fail(&why);
            }
            self.tell();
        }
    }

    /// Tells the proxy what the subscriber is to get.
    fn tell(&self) {
        self.proxy.outstanding(self.book.missing().len());
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.book.missing().is_empty()
            && !self.book.is_joining()
            && self.follower.state() == State::Connected
            && self.follower.cursor().is_some()
    }

    pub(crate) async fn publish(&mut self, channels: &[String], kind: &'static str) -> Cursor {
        let draft = Draft::new(&channels[0], kind, &self.book.sent.len()).unwrap();
        let draft = channels[1..].iter().fold(draft, Draft::also);
        let receipt = match self.publisher.publish(draft).await {
            Ok(receipt) => receipt,
            Err(error) => self.fail(&error.to_string()),
        };
        self.book.send(receipt.id, channels, kind);
        self.tell();
        receipt.id
    }

    /// Publishes to channels that may be followed or not, of types that may pass or not, some to two at once.
    async fn publish_some(&mut self, count: usize) {
        for _ in 0..count {
            let mut channels = vec![self.channels[self.random.random_range(0..self.channels.len())].clone()];
            let other = self.channels[self.random.random_range(0..self.channels.len())].clone();
            if self.random.random_bool(0.2) && other != channels[0] {
                channels.push(other);
            }
            let kind = if self.random.random_bool(0.7) { "t" } else { "u" };
            self.publish(&channels, kind).await;
        }
    }

    /// Publishes what the subscriber is sure to get.
    pub(crate) async fn publish_followed(&mut self, count: usize) {
        let followed: Vec<String> =
            self.book.joined().into_iter().filter(|name| !name.ends_with('*')).collect();
        for _ in 0..count {
            let channel = followed[self.random.random_range(0..followed.len())].clone();
            self.publish(&[channel], "t").await;
        }
    }

    /// Adds a channel to the stream as it runs, one of those that have events or a new one.
    async fn add(&mut self) {
        let free: Vec<String> =
            self.channels.iter().filter(|name| !self.book.followed.contains_key(*name)).cloned().collect();
        let channel = match free.is_empty() || self.random.random_bool(0.2) {
            true => {
                self.added += 1;
                self.channels.push(format!("run:{}:x{}", self.seed, self.added));
                self.channels[self.channels.len() - 1].clone()
            }
            false => free[self.random.random_range(0..free.len())].clone(),
        };
        let mut ids: Vec<Cursor> = Vec::new();
        for _ in 0..self.random.random_range(1..4) {
            ids.push(self.publish(std::slice::from_ref(&channel), "t").await);
        }
        let since = match self.random.random_range(0..4) {
            0 => Since::Now,
            1 => Since::Cursor(ids[self.random.random_range(0..ids.len())]),
            _ => Since::Start,
        };
        self.note(format!("add {channel} since {since:?}"));
        self.world.count("channels added", 1);
        self.book.follow(&channel, since, self.follower.position(), false);
        self.tell();
        self.follower.add(&channel, since);
    }

    async fn remove(&mut self) {
        self.until("everything before a removal", Self::is_caught_up).await;
        let joined = self.book.joined();
        if joined.iter().filter(|name| !name.ends_with('*')).count() > 1 {
            let exact: Vec<&String> = joined.iter().filter(|name| !name.ends_with('*')).collect();
            let channel = exact[self.random.random_range(0..exact.len())].clone();
            self.note(format!("remove {channel}"));
            self.world.count("channels removed", 1);
            self.book.unfollow(&channel);
            self.follower.remove(&channel);
            // One that is asked for again begins anew: it is not, so that nothing may come twice.
            self.channels.retain(|name| *name != channel);
        }
    }

    async fn strike(&mut self, fault: Fault) {
        self.note(fault.to_string());
        let fetched = self.follower.fetched();
        match fault.part() {
            Part::Stream => {
                self.proxy.arm(Some(fault));
                let count = self.random.random_range(1..4);
                self.publish_followed(count).await;
            }
            Part::Answer => {
                self.proxy.arm(Some(fault));
                self.add().await;
            }
            Part::Opening => self.strike_opening(fault).await,
        }
        self.until_struck(fault).await;
        if let Part::Opening = fault.part() {
            self.after_opening(fault, fetched).await;
        }
    }

    async fn until_struck(&mut self, fault: Fault) {
        for _ in 0..10 {
            let patience = Instant::now() + Duration::from_secs(3);
            self.until("the strike", |run| run.proxy.armed().is_none() || Instant::now() > patience).await;
            if self.proxy.armed().is_none() {
                return;
            }
            // An event may come in two parts, of which neither tells that it is one.
            if fault.part() == Part::Stream {
                self.publish_followed(1).await;
            }
        }
        self.fail("the fault does not strike");
    }

    async fn strike_opening(&mut self, fault: Fault) {
        // Whoever opens anew after it has stopped has to know where all of its channels are.
        self.until("everything before an opening", Self::is_caught_up).await;
        self.proxy.set_gate(false);
        self.proxy.arm(Some(fault));
        self.proxy.cut_streams();
        let count = self.random.random_range(1..4);
        self.publish_followed(count).await;
        self.proxy.set_gate(true);
    }

    /// The state that a refusal leads to; where it is an end, it is followed anew.
    async fn after_opening(&mut self, fault: Fault, fetched: Option<usize>) {
        let stops = match fault {
            Fault::Status401 => fetched.is_none(),
            Fault::Status403 | Fault::Status204 => true,
            _ => false,
        };
        if !stops {
            if fault == Fault::Status401 {
                self.until("a fresh credential", |run| run.follower.fetched() > fetched).await;
            }
            return;
        }
        self.until("the end", |run| run.follower.stopped.is_some()).await;
        let status = match &self.follower.stopped {
            Some(Some(Stopped::Refused(refusal))) => Some(refusal.status),
            Some(None) => Some(204),
            _ => None,
        };
        if status != fault.status() || self.follower.state() != State::Ended {
            self.fail("another end");
        }
        self.book.take_over(self.follower.position());
        self.follower.reopen(self.book.joined());
    }

    async fn round(&mut self) {
        if self.random.random_bool(0.5) {
            let count = self.random.random_range(1..5);
            self.publish_some(count).await;
        }
        if self.random.random_bool(0.25) {
            self.add().await;
        }
        if self.random.random_bool(0.1) {
            self.remove().await;
        }
        if self.random.random_bool(0.012) {
            let is_asked = self.random.random_bool(0.4);
            self.note(if is_asked { "restart" } else { "kill" });
            self.world.count(if is_asked { "restarts" } else { "kills" }, 1);
            self.world.interrupt(is_asked).await;
        }
        let fault = Fault::ALL[self.random.random_range(0..Fault::ALL.len())];
        self.strike(fault).await;
        if self.random.random_bool(0.5) {
            self.publish_some(1).await;
        }
        if self.random.random_bool(0.7) {
            self.until("everything", Self::is_caught_up).await;
        }
    }

    /// Nothing is missing, the state is right, what was named was waited for, and nothing is left behind.
    async fn end(mut self) {
        self.proxy.arm(None);
        self.until("everything at the end", Self::is_caught_up).await;
        // What would come twice, or unasked, comes before this.
        self.publish_followed(1).await;
        self.until("the last event", Self::is_caught_up).await;
        let openings = self.proxy.openings();
        for pair in openings.windows(2) {
            let waited = pair[1].at - pair[0].at;
            if pair[0].fault == Some(Fault::Status429) && waited < Duration::from_millis(950) {
                self.fail(&format!("`Retry-After` was a second, {waited:?} were waited"));
            }
        }
        self.world.count("events", self.book.came());
        self.world.count("streams", openings.len());
        let Self { proxy, publisher, follower, seed, .. } = self;
        drop((publisher, follower));
        let what = format!("seed {seed}: the subscriber's connections to be closed");
        until(PATIENCE, &what, async || (proxy.open() == 0).then_some(())).await;
        proxy.stop().await;
        let what = format!("seed {seed}: every task to have ended");
        until(PATIENCE, &what, async || (Handle::current().metrics().num_alive_tasks() == 0).then_some(()))
            .await;
    }
}

/// Carries out one run.
pub(crate) async fn run(world: &World, seed: u64) {
    let mut run = Run::begin(world, seed).await;
    if seed.is_multiple_of(25) {
        run.lose_to_retention().await;
    }
    for _ in 0..run.random.random_range(2..5) {
        run.round().await;
    }
    run.end().await;
}
