//! Events that flow without end, and a record of each.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use serde_json::{Value, json};
use tidings_acceptance::Target;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::until;
use tidings_protocol::{Cursor, Seq};

/// Channels with many events, and one with few: whoever begins at its start need not read for ever.
pub(crate) const BUSY: [&str; 8] = ["c:0", "c:1", "c:2", "c:3", "d:0", "d:1", "d:2", "d:3"];
pub(crate) const RARE: &str = "rare";
/// One event in so many is on the rare channel.
const RARITY: u32 = 50;
/// How many of the last events cursors are taken from.
const RECENT: usize = 400;

/// What was published, in order.
#[derive(Debug, Default)]
pub(crate) struct Source(Mutex<Vec<Published>>);

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) id: Cursor,
    pub(crate) channels: Vec<&'static str>,
}

impl Source {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Everything up to here is known.
    pub(crate) fn head(&self) -> Seq {
        self.0.lock().unwrap().last().unwrap().id.seq
    }

    pub(crate) async fn has(&self, count: usize) {
        until(Duration::from_secs(30), "events to flow", async || (self.len() >= count).then_some(())).await;
    }

    /// The cursor of one of the last events.
    pub(crate) fn recent(&self, rng: &mut StdRng) -> Cursor {
        let events = self.0.lock().unwrap();
        let from = events.len().saturating_sub(RECENT);
        events[from..].choose(rng).unwrap().id
    }

    /// The ids of a channel's events after `from` up to `to`.
    pub(crate) fn on(&self, channel: &str, from: Seq, to: Seq) -> Vec<Seq> {
        let events = self.0.lock().unwrap();
        let begin = events.partition_point(|event| event.id.seq <= from);
        let wanted = events[begin..].iter().take_while(|event| event.id.seq <= to);
        wanted.filter(|event| event.channels.contains(&channel)).map(|event| event.id.seq).collect()
    }
}

fn draw(rng: &mut StdRng) -> Vec<&'static str> {
    let mut channels: Vec<&'static str> = BUSY.iter().copied().choose_multiple(rng, 1);
    if rng.random_bool(0.4) {
        let further = rng.random_range(1..=3);
        let also: Vec<_> =
            BUSY.iter().copied().filter(|name| *name != channels[0]).choose_multiple(rng, further);
        channels.extend(also);
    }
    if rng.random_ratio(1, RARITY) {
        channels.insert(rng.random_range(0..=channels.len()), RARE);
    }
    channels
}

/// Publishes until it is told to stop, one batch after the other, so that the record has no holes.
pub(crate) async fn publish(target: Target, source: Arc<Source>, stop: Arc<AtomicBool>, mut rng: StdRng) {
    let mut lane = Lane::new(&target);
    while !stop.load(Ordering::SeqCst) {
        let drawn: Vec<_> = (0..rng.random_range(1..=4)).map(|_| draw(&mut rng)).collect();
        let event = |channels: &Vec<&str>| json!({"channel": channels[0], "also": channels[1..], "type": "t", "data": 0});
        let events: Vec<Value> = drawn.iter().map(event).collect();
        let ids = lane.expect(&json!({ "events": events })).await;
        let published = ids.into_iter().zip(drawn).map(|(id, channels)| Published { id, channels });
        source.0.lock().unwrap().extend(published);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
