//! The driver: one thread, one epoll, all subscribers and all sources of events.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use tidings_server::clock::Clocks;

use super::latency::Latency;
use super::source::Source;
use super::subscriber::{Gone, Stage, Subscriber};
use super::tally::{Faults, Ledger};
use crate::failure::Failure;

/// The epoll's word for sources; subscribers have their index alone.
const SOURCE: u64 = 1 << 32;
/// Read at once, in bytes.
const SPACE: usize = 256 * 1024;
/// Nothing having come for so long, nothing comes any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one phase went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) took: Duration,
    /// Events accepted.
    pub(super) events: u64,
    /// Requests answered.
    pub(super) answers: u64,
    pub(super) deliveries: u64,
    pub(super) faults: Faults,
}

/// The driver.
pub(super) struct Driver {
    clock: Clocks,
    epoll: Epoll,
    ready: Vec<EpollEvent>,
    space: Vec<u8>,
    pub(super) subscribers: Vec<Subscriber>,
    sources: Vec<Box<dyn Source>>,
    ledger: Ledger,
    answers: u64,
    /// New events that subscribers were given since the ledger was begun.
    received: u64,
    opened: usize,
    ended: u64,
    in_flight: usize,
    /// Sources send again until then.
    send_until: Duration,
    pub(super) latency: Latency,
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the driver: {error}"))
}

impl Driver {
    /// With nothing connected.
    ///
    /// # Errors
    /// No more files may be opened.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            clock: Clocks::start(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?,
            ready: vec![EpollEvent::empty(); 1024],
            space: vec![0; SPACE],
            subscribers: Vec::new(),
            sources: Vec::new(),
            ledger: Ledger::default(),
            answers: 0,
            received: 0,
            opened: 0,
            ended: 0,
            in_flight: 0,
            send_until: Duration::ZERO,
            latency: Latency::default(),
        })
    }

    /// The time since the driver was made.
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    fn watch(&self, fd: impl AsFd, word: u64) -> Result<(), Failure> {
        self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, word)).map_err(failed)
    }

    /// Takes a subscriber in.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn add(&mut self, subscriber: Subscriber) -> Result<(), Failure> {
        self.watch(subscriber.stream(), self.subscribers.len() as u64)?;
        self.opened += usize::from(subscriber.stage() == Stage::Open);
        self.subscribers.push(subscriber);
        Ok(())
    }

    /// Takes a source in.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn add_source(&mut self, source: Box<dyn Source>) -> Result<(), Failure> {
        self.watch(source.stream(), SOURCE + self.sources.len() as u64)?;
        self.sources.push(source);
        Ok(())
    }

    /// Lets every source go.
    pub(super) fn drop_sources(&mut self) {
        self.sources.clear();
    }

    /// Closes every subscriber's connection.
    pub(super) fn disconnect(&mut self) -> Vec<Gone> {
        self.opened = 0;
        self.subscribers.drain(..).map(Subscriber::leave).collect()
    }

    /// How many streams are open.
    pub(super) const fn opened(&self) -> usize {
        self.opened
    }

    /// New events since the ledger was begun.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Begins a new ledger: from now on everything is counted anew.
    pub(super) fn start_over(&mut self) {
        self.ledger = Ledger::default();
        (self.received, self.ended, self.answers) = (0, 0, 0);
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.tally.start_over());
        self.latency = Latency::default();
    }

    /// Counts what comes anew, against the same ledger.
    pub(super) fn recount(&mut self) {
        self.received = 0;
    }

    /// Serves what is there; waits for something, but not for long.
    ///
    /// # Errors
    /// A publish that was refused, and the system's.
    pub(super) fn turn(&mut self) -> Result<(), Failure> {
        let mut ready = std::mem::take(&mut self.ready);
        let found = match self.epoll.wait(&mut ready, 10u8) {
            Ok(found) => found,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(failed(error)),
        };
        for event in &ready[..found] {
            match event.data().checked_sub(SOURCE) {
                Some(source) => self.serve_source(source as usize).map_err(failed)?,
                None => self.serve_subscriber(event.data() as usize),
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn serve_subscriber(&mut self, index: usize) {
        let subscriber = &mut self.subscribers[index];
        let before = subscriber.stage();
        let found = subscriber.read(&mut self.space, &self.clock, &mut self.latency);
        self.received += found.events;
        match (before, subscriber.stage()) {
            (Stage::Opening, Stage::Open) => self.opened += 1,
            (before, Stage::Ended) if before != Stage::Ended => {
                self.opened -= usize::from(before == Stage::Open);
                self.ended += 1;
                let _ = self.epoll.delete(subscriber.stream());
            }
            _ => {}
        }
    }

    fn serve_source(&mut self, index: usize) -> io::Result<()> {
        if self.sources[index].answered(&mut self.ledger)? {
            self.answers += 1;
            self.in_flight -= 1;
            if self.clock.now() < self.send_until {
                self.send(index)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        self.in_flight += 1;
        let now = u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX);
        self.sources[index].send(now)
    }

    /// Has the sources send: for so long, but each of them once at least.
    ///
    /// # Errors
    /// As [`Driver::turn`].
    pub(super) fn send_for(&mut self, how_long: Duration) -> Result<(), Failure> {
        self.send_until = self.now() + how_long;
        (0..self.sources.len()).try_for_each(|index| self.send(index)).map_err(failed)?;
        let deadline = self.send_until + PATIENCE;
        while self.in_flight > 0 {
            self.turn()?;
            if self.now() > deadline {
                return Err(failed("a publish is not answered"));
            }
        }
        Ok(())
    }

    /// Waits until all subscribers have everything that was accepted, or nothing comes any more.
    ///
    /// # Errors
    /// As [`Driver::turn`].
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let everything = self.ledger.count * self.subscribers.len() as u64;
        let mut last = (self.received, self.now());
        while self.received < everything && self.now() < last.1 + PATIENCE {
            self.turn()?;
            if self.received > last.0 {
                last = (self.received, self.now());
            }
        }
        Ok(())
    }

    /// One phase: sends for so long, waits until all is received, and holds one against the other.
    ///
    /// # Errors
    /// As [`Driver::turn`].
    pub(super) fn round(&mut self, how_long: Duration) -> Result<Round, Failure> {
        self.start_over();
        let began = self.now();
        self.send_for(how_long)?;
        self.settle()?;
        let took = self.now() - began;
        Ok(Round {
            took,
            events: self.ledger.count,
            answers: self.answers,
            deliveries: self.received,
            faults: self.faults(),
        })
    }

    /// What is wrong with what the subscribers were given since the ledger was begun.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = Faults { ended: self.ended, ..Faults::default() };
        for subscriber in &self.subscribers {
            faults.check(&self.ledger, &subscriber.tally);
        }
        faults
    }
}
