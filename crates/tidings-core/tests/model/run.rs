//! Carrying out a run: each step on the real thing, each frame under the watch, and everything compared at the end.

use std::sync::Arc;
use std::time::Duration;

use tidings_contract::faulty::Seed;
use tidings_core::hub::{Mailbox, Signal, TenantHub};
use tidings_core::port::StorageError;
use tidings_core::port::log::Resolution;
use tidings_core::session::{Course, Join, JoinAt, Opening, Start};
use tidings_core::{Feed, Session};
use tidings_protocol::time::Timestamp;
use tidings_protocol::{Cursor, EndReason, Filter, Lineage, Pattern, Seq};

use super::client::Client;
use super::coverage::Coverage;
use super::names;
use super::setup::Setup;
use super::step::{From, Post, Step};
use super::watch::{Check, Opened, Watch};
use super::world::{Standing, World};
use crate::check;

const CLIENTS: usize = 4;

/// How often the drain looks again before it calls a stream stuck.
const PATIENCE: usize = 5_000;

pub(crate) struct Run<'a> {
    world: World,
    clients: Vec<Option<Client>>,
    now: Duration,
    cov: &'a mut Coverage,
}

/// What to open.
struct Ask {
    patterns: Vec<Pattern>,
    filter: Arc<Filter>,
    from: From,
    poll: bool,
}

/// Carries out the steps on a world drawn from the seed.
pub(crate) fn run(seed: u64, steps: &[Step], cov: &mut Coverage) -> Check {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let seed = Seed::new(seed);
        let setup = Setup::draw(&seed);
        let world = World::new(setup, seed).await;
        let clients = (0..CLIENTS).map(|_| None).collect();
        let mut run = Run { world, clients, now: Duration::ZERO, cov };
        for (at, step) in steps.iter().enumerate() {
            run.carry_out(step).await.map_err(|why| format!("step {at}: {why}"))?;
        }
        run.drain().await.map_err(|why| format!("draining: {why}"))?;
        run.world.count_faults(run.cov);
        run.clients.clear();
        Ok(())
    })
}

impl Run<'_> {
    async fn carry_out(&mut self, step: &Step) -> Check {
        match step {
            Step::Publish(posts) => self.publish(posts),
            Step::PublishElsewhere(channel) => {
                self.cov.hit("publish: another tenant");
                let number = self.world.number();
                let post = Post {
                    channel: *channel,
                    also: None,
                    kind: 0,
                    category: 0,
                    key: None,
                    terminal: false,
                    idempotency: None,
                };
                let other = self.world.other.clone();
                self.world.publish(&other, vec![names::event(post, number)]).unwrap();
            }
            Step::Burst => {
                self.cov.hit("publish: burst");
                let number = self.world.number();
                let tenant = self.world.tenant.clone();
                self.world.publish(&tenant, names::burst(number)).unwrap();
            }
            Step::Open { client, patterns, filter, from, poll } => {
                let (patterns, filter) = (names::patterns(patterns), names::filter(*filter));
                self.open(*client, Ask { patterns, filter, from: *from, poll: *poll }).await?;
            }
            Step::Resume { client, from } => {
                if let Some(known) = &self.clients[slot(*client)] {
                    let (patterns, filter) = (known.patterns.clone(), known.filter.clone());
                    let ask = Ask { patterns, filter, from: *from, poll: known.poll };
                    self.open(*client, ask).await?;
                }
            }
            Step::Take { client, frames } => self.take(slot(*client), *frames)?,
            Step::Drop(client) => self.disconnect(slot(*client)),
            Step::Change { client, add, remove } => self.change(*client, add, remove).await?,
            Step::Wait(millis) => {
                tokio::time::advance(Duration::from_millis(u64::from(*millis))).await;
            }
            Step::Tick(secs) => self.tick(Duration::from_secs(u64::from(*secs))),
            step => self.carry_out_on_client(step),
        }
        self.world.pump();
        // What runs beside: reads that are not late.
        tokio::task::yield_now().await;
        Ok(())
    }

    fn carry_out_on_client(&mut self, step: &Step) {
        let (Step::Unauthorize { client, .. }
        | Step::Renew { client, .. }
        | Step::End(client)
        | Step::Block(client)) = step
        else {
            return self.carry_out_on_world(step);
        };
        let now = self.now;
        let Some(client) = &mut self.clients[slot(*client)] else { return };
        match step {
            Step::Unauthorize { patterns, .. } => {
                let lost = names::patterns(patterns);
                client.unauthorize(&lost, &self.world.history, self.cov);
            }
            Step::Renew { secs, .. } => {
                let left = Duration::from_secs(u64::from(*secs));
                client.feed.mailbox().signal(Signal::Credential(Some(Timestamp(0)), Some(left)));
            }
            Step::End(_) => {
                client.feed.mailbox().signal(Signal::End(EndReason::ServerShutdown, None));
            }
            _ => client.block(now),
        }
    }

    fn carry_out_on_world(&mut self, step: &Step) {
        match step {
            Step::Defer(defer) => self.world.defer(*defer),
            Step::Deliver(most) => {
                let delivered = self.world.deliver(usize::from(*most));
                self.cov.add("hub: told late", delivered as u64);
            }
            Step::DeliverTwice => {
                let done = self.world.deliver_twice();
                self.cov.add("hub: told twice", u64::from(done));
            }
            Step::DeliverLast => {
                let done = self.world.waiting() > 1 && self.world.deliver_last();
                self.cov.add("hub: told out of order", u64::from(done));
            }
            Step::Lose => {
                let done = self.world.lose();
                self.cov.add("hub: not told", u64::from(done));
            }
            Step::Announce => self.world.announce(),
            Step::Trim(hours) => self.trim(*hours),
            Step::Restart => {
                self.disconnect_all();
                self.cov.hit("store: restarted");
                self.world.restart(self.cov);
            }
            Step::Backup => self.world.backup(),
            Step::Restore(which) => {
                self.disconnect_all();
                let done = self.world.restore(*which, self.cov);
                self.cov.add("store: restored", u64::from(done));
            }
            Step::CutTail(lost) => {
                self.disconnect_all();
                self.cov.hit("store: tail lost");
                self.world.cut_tail(*lost, self.cov);
            }
            step => unreachable!("{step:?} is carried out elsewhere"),
        }
    }

    fn publish(&mut self, posts: &[Post]) {
        let tenant = self.world.tenant.clone();
        let drafts: Vec<_> = posts.iter().map(|post| names::event(*post, self.world.number())).collect();
        self.cov.hit(if drafts.len() == 1 { "publish: one" } else { "publish: batch" });
        for draft in &drafts {
            self.cov.add("publish: also", u64::from(!draft.also.is_empty()));
            self.cov.add("publish: key", u64::from(draft.key.is_some()));
            self.cov.add("publish: terminal", u64::from(draft.terminal));
        }
        match self.world.publish(&tenant, drafts) {
            Ok(outcome) => {
                let known = outcome.receipts.iter().filter(|receipt| receipt.duplicate).count();
                self.cov.add("publish: duplicate", known as u64);
            }
            Err(_) => self.cov.hit("publish: refused"),
        }
    }

    fn trim(&mut self, hours: u8) {
        let floor = self.world.floor();
        if self.world.trim(hours) {
            self.cov.hit("store: trimmed");
        }
        self.cov.add("store: floor raised", u64::from(self.world.floor() > floor));
        for client in self.clients.iter_mut().flatten() {
            client.trimmed(&self.world.history);
        }
    }

    fn tick(&mut self, by: Duration) {
        self.now += by;
        for client in self.clients.iter_mut().flatten() {
            client.tick(self.now);
        }
    }

    fn disconnect(&mut self, slot: usize) {
        if let Some(client) = self.clients[slot].take() {
            self.cov.add("cut: while joining", u64::from(client.feed.session().is_joining()));
        }
    }

    fn disconnect_all(&mut self) {
        (0..CLIENTS).for_each(|slot| self.disconnect(slot));
    }

    fn take(&mut self, slot: usize, frames: u8) -> Check {
        let Some(client) = &mut self.clients[slot] else { return Ok(()) };
        let ids = client.take(frames, self.now, &self.world.history, self.cov);
        let ids = ids.map_err(|why| format!("client {slot}: {why}"))?;
        ids.into_iter().for_each(|id| self.world.hold(id));
        Ok(())
    }

    /// What a client gives as `since`: a cursor, and what is to come of it.
    fn cursor(&self, from: From) -> Option<(Cursor, Standing)> {
        let held = match from {
            From::Now | From::Start => return None,
            From::Last => self.world.held.last(),
            From::Held(which) => self.world.held.get(usize::from(which) % self.world.held.len().max(1)),
            From::Foreign(seq) => {
                let lineage = Lineage::from_bits(0x5_5555_5555);
                return Some((Cursor::new(Seq(u64::from(seq % 20)), lineage), Standing::Lost));
            }
        };
        held.map(|held| (held.cursor, self.world.standing(held)))
    }

    /// Where to begin, as the server finds out; `Err` where the log cannot be read.
    async fn resolve(&mut self, from: From) -> Result<Check<Start>, StorageError> {
        let log = self.world.pages().log().clone();
        if let From::Start = from {
            return Ok(Ok(Start::Oldest(log.bounds(&self.world.tenant).await?.floor)));
        }
        let Some((cursor, standing)) = self.cursor(from) else { return Ok(Ok(Start::Head)) };
        let known = log.resolve(&self.world.tenant, cursor).await? == Resolution::Known;
        let right = match standing {
            Standing::Good(_) => known,
            Standing::Doubtful => true,
            Standing::Lost => !known,
        };
        if !right {
            return Ok(Err(format!("{cursor} is {standing:?}, but known: {known}")));
        }
        self.cov.add("open: resume over a restart", u64::from(matches!(standing, Standing::Good(1..))));
        self.cov.add("open: resume over a restore", u64::from(known && standing == Standing::Doubtful));
        let foreign = matches!(from, From::Foreign(_));
        self.cov.add("open: unknown over a lost history", u64::from(!known && !foreign));
        Ok(Ok(if known { Start::Resume(cursor) } else { Start::Unknown }))
    }

    async fn open(&mut self, client: u8, ask: Ask) -> Check {
        self.disconnect(slot(client));
        let hub = self.world.hub().clone();
        let tenant = self.world.tenant.clone();
        let Ok(hub) = hub.tenant(&tenant).await else {
            self.cov.hit("open: failed");
            return Ok(());
        };
        let Ok(start) = self.resolve(ask.from).await else {
            self.cov.hit("open: failed");
            return Ok(());
        };
        let (start, head) = (start?, hub.published());
        if self.world.told && self.world.waiting() == 0 {
            check!(head.seq.0 == self.world.history.head(), "the hub is at {head}, not at the head");
        }
        self.count_opening(start, ask.poll);
        let client = &mut self.clients[slot(client)];
        *client = Some(connect(&self.world, self.now, hub, ask, start, head));
        Ok(())
    }

    fn count_opening(&mut self, start: Start, poll: bool) {
        self.cov.hit(match start {
            Start::Head => "open: now",
            Start::Resume(_) | Start::After(_) => "open: resume",
            Start::Oldest(_) => "open: start",
            Start::Unknown => "open: unknown",
        });
        let trimmed = matches!(start, Start::Oldest(_)) && !self.world.history.marks().is_empty();
        self.cov.add("open: start after trimming", u64::from(trimmed));
        self.cov.add("open: poll", u64::from(poll));
    }

    async fn change(&mut self, client: u8, add: &[(u8, From)], remove: &[u8]) -> Check {
        let slot = slot(client);
        if self.clients[slot].as_ref().is_none_or(|client| client.poll) {
            return Ok(());
        }
        let mut joins: Vec<Join> = Vec::new();
        for (pattern, from) in add {
            let Ok(start) = self.resolve(*from).await else { return Ok(()) };
            let at = match start? {
                Start::Head => JoinAt::Here,
                Start::Resume(cursor) | Start::After(cursor) => JoinAt::After(cursor),
                Start::Oldest(floor) => JoinAt::Oldest(floor),
                Start::Unknown => JoinAt::Unknown,
            };
            joins.push(Join { pattern: names::pattern(*pattern), at });
        }
        if let Some(client) = &mut self.clients[slot] {
            client.change(joins, names::patterns(remove), self.cov);
        }
        Ok(())
    }

    /// Everything is told and everything taken: each stream ends at the head, having given what it owed.
    async fn drain(&mut self) -> Check {
        self.world.defer(false);
        self.world.deliver(usize::MAX);
        self.world.announce();
        let head = self.world.history.head();
        for _ in 0..PATIENCE {
            self.world.pump();
            let mut waiting = false;
            for slot in 0..CLIENTS {
                self.take(slot, u8::MAX)?;
                waiting |=
                    self.clients[slot].as_mut().is_some_and(|client| !is_drained(client, self.now, head));
            }
            if !waiting {
                self.cov.hit("drained");
                return Ok(());
            }
            tokio::time::advance(Duration::from_millis(30)).await;
            tokio::task::yield_now().await;
        }
        let sessions = self.clients.iter().flatten().map(|client| client.feed.session());
        Err(format!("stuck before {head}: {:?}", sessions.collect::<Vec<_>>()))
    }
}

/// Opens a stream as the server does, and its watch.
fn connect(
    world: &World,
    now: Duration,
    hub: Arc<TenantHub>,
    ask: Ask,
    start: Start,
    head: Cursor,
) -> Client {
    let setup = &world.setup;
    let config = if ask.poll { setup.poll.clone() } else { setup.stream.clone() };
    let opened = Opened {
        patterns: ask.patterns.clone(),
        filter: ask.filter.clone(),
        begin: match start {
            Start::Resume(cursor) | Start::After(cursor) | Start::Oldest(cursor) => cursor,
            Start::Head | Start::Unknown => head,
        },
        head: head.seq.0,
        resumed: matches!(start, Start::Resume(_)),
        start: matches!(start, Start::Oldest(_)),
        unknown: start == Start::Unknown,
        poll: ask.poll,
        conflates: config.conflate,
    };
    let expires = setup.expires.filter(|_| !ask.poll).map(|secs| (Timestamp(0), Duration::from_secs(secs)));
    let mailbox = Mailbox::new(ask.filter.clone(), setup.mailbox_bytes);
    let (id, patterns, filter) = ("s".to_owned(), ask.patterns.clone(), ask.filter.clone());
    let opening = Opening { id, patterns, filter, start, head, expires, course: Course::default() };
    let (page_bytes, max_channels) = (config.page_bytes, config.max_channels);
    let session = Session::open(now, config, opening);
    let feed = Feed::new(session, mailbox, hub, world.pages().clone(), page_bytes);
    let (start, watch) = (opened.start, Watch::open(opened, &world.history));
    let mut client = Client::new(feed, watch, ask.patterns, ask.filter, ask.poll, max_channels);
    client.start = start;
    client
}

fn is_drained(client: &mut Client, now: Duration, head: u64) -> bool {
    client.feed.settle(now);
    let settled = client.watch.is_settled();
    client.watch.is_over()
        || (settled && client.feed.is_caught_up() && client.feed.session().position().seq.0 == head)
}

fn slot(client: u8) -> usize {
    usize::from(client) % CLIENTS
}
