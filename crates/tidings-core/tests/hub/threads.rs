//! Publishers on threads while readers attach, run over, change, break and come back on others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidings_contract::faulty::Seed;
use tidings_contract::suite::kit::{numbered, tenant};
use tidings_core::Feed;
use tidings_core::feed::Frame;
use tidings_core::hub::{HubLimits, Signal};
use tidings_core::port::Directory;
use tidings_core::session::{Join, JoinAt, Start};
use tidings_protocol::{Cursor, Draft, Event, Lineage, Pattern, Seq};
use tokio::sync::oneshot;

use super::node::Node;
use super::reader::{Alarm, block_on, next};

const PUBLISHERS: usize = 2;
const EVENTS: usize = 40_000;
const CHANNELS: &[&str] = &["a", "x:1", "x:2", "b"];

/// What a reader saw, and what befell it.
#[derive(Debug, Default)]
struct Seen {
    numbers: Vec<u64>,
    opened: u64,
    wakes: u64,
    changes: u64,
}

fn publish(node: &Node, seed: &Seed) {
    let mut left = EVENTS;
    while left > 0 {
        let count = usize::try_from(1 + seed.below(4)).unwrap().min(left);
        left -= count;
        let draft = |number| {
            let channel = CHANNELS[usize::try_from(seed.below(CHANNELS.len() as u64)).unwrap()];
            let also =
                if seed.happens(20) && channel != "b" { vec!["b".parse().unwrap()] } else { Vec::new() };
            Draft { also: also.into(), ..numbered(channel, number) }
        };
        node.submit(&node.tenant, (0..count).map(draft).collect());
        if seed.happens(10) {
            std::thread::yield_now();
        }
    }
}

/// Puts an `aside` in and takes it out again: each time the stream is detached and attached.
fn change(feed: &Feed, seed: &Seed, seen: &mut Seen) {
    let aside: Pattern = "aside".parse().unwrap();
    let (add, remove) = if seed.happens(50) {
        (vec![Join { pattern: aside, at: JoinAt::Here }], Vec::new())
    } else {
        (Vec::new(), vec![aside])
    };
    let (reply, _) = oneshot::channel();
    feed.mailbox().signal(Signal::Change { add, remove, reply });
    seen.changes += 1;
}

/// Reads until the event that stands at the log's end, breaking off and coming back with its cursor now and then.
fn read(node: &Node, patterns: &[&str], mailbox_bytes: usize, seed: &Seed, end: u64) -> Seen {
    let alarm = Arc::new(Alarm::default());
    let mut seen = Seen::default();
    let mut cursor = Cursor::new(Seq::ZERO, Lineage::from_bits(0));
    while cursor.seq.0 < end {
        let mut feed = block_on(&alarm, node.open(patterns, Start::Resume(cursor), mailbox_bytes));
        seen.opened += 1;
        while cursor.seq.0 < end {
            match next(&alarm, &mut feed) {
                Frame::Event(entry) => {
                    seen.numbers.push(entry.seq().0);
                    cursor = entry.event().id;
                }
                Frame::Control(_, Some(id)) => {
                    assert!(id >= cursor, "{id} after {cursor}");
                    cursor = id;
                }
                Frame::Control(_, None) => {}
                frame => panic!("{frame:?}"),
            }
            if seed.happens(1) {
                change(&feed, seed, &mut seen);
            } else if seed.below(400) == 0 {
                break;
            }
        }
    }
    seen.wakes = alarm.wakes.load(Ordering::SeqCst);
    seen
}

fn expected(node: &Node, patterns: &[&str]) -> Vec<u64> {
    let log = node.store.clone() as Arc<dyn tidings_core::port::Log>;
    let query = tidings_contract::suite::kit::query(patterns);
    let query = tidings_core::port::log::Query {
        max_events: 100_000,
        max_bytes: usize::MAX,
        max_examined: 100_000,
        ..query
    };
    let page = futures_util::FutureExt::now_or_never(log.read(&node.tenant, &query)).unwrap().unwrap();
    page.events.iter().map(|event: &Event| event.id.seq.0).collect()
}

#[test]
fn nothing_is_lost_or_doubled_between_replay_and_live() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let node = Node::start(HubLimits { ring_events: 200, ..HubLimits::default() });
    let end = (PUBLISHERS * EVENTS + 1) as u64;
    let asks: &[(&[&str], usize)] = &[
        (&["a", "end"], 100_000),
        (&["x:*", "b", "end"], 3_000),
        (&["*"], 1_000),
        (&["b", "x:1", "end"], 400),
    ];
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let readers: Vec<_> = asks
            .iter()
            .enumerate()
            .map(|(at, (patterns, bytes))| {
                let (node, runtime) = (&node, runtime.handle());
                scope.spawn(move || {
                    let _runtime = runtime.enter();
                    read(node, patterns, *bytes, &Seed::new(at as u64), end)
                })
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|at| {
                let node = &node;
                scope.spawn(move || publish(node, &Seed::new(100 + at as u64)))
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        node.publish("end", 0);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    for ((patterns, _), seen) in asks.iter().zip(&seen) {
        println!("{patterns:?}: opened {}, woken {}, changed {}", seen.opened, seen.wakes, seen.changes);
        assert_eq!(seen.numbers, expected(&node, patterns), "{patterns:?}");
        assert!(seen.opened > 1 && seen.wakes > 0 && seen.changes > 0, "{seen:?}");
    }
    let counters = node.hub.counters();
    println!("{counters:?}, pages {:?}", node.pages.counters());
    assert!(counters.overflows > 0 && node.pages.counters().0 > 0);
    assert_eq!(counters.attached, 0, "every stream has given its place back");
}

#[test]
fn a_tenant_hears_nothing_of_another() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let node = Node::start(HubLimits::default());
        let other = tenant("other");
        node.store.add_tenant(&other).await.unwrap();
        let theirs = Node { tenant: other.clone(), ..node.clone() };
        let mut ours = node.open(&["*"], Start::Head, 10_000).await;
        let mut others = theirs.open(&["*"], Start::Head, 10_000).await;
        node.publish("a", 1);
        theirs.publish("a", 2);
        theirs.publish("a", 3);
        for (feed, data) in [(&mut ours, &["1"] as &[&str]), (&mut others, &["2", "3"])] {
            let mut heard = Vec::new();
            let mut cx = Context::from_waker(Waker::noop());
            while let Poll::Ready(frame) = feed.poll(&mut cx, Duration::ZERO) {
                if let Frame::Event(entry) = frame {
                    heard.push(entry.event().data.get().to_owned());
                }
            }
            assert_eq!(heard, data);
        }
    });
}
