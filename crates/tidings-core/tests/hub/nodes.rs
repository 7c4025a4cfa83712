//! Two nodes on one log: announcements are lost, doubled and reordered, and holes are filled from the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_contract::faulty::{FaultyTail, Seed, TailOdds};
use tidings_contract::{MemoryTail, MemoryWire};
use tidings_core::feed::Frame;
use tidings_core::hub::HubLimits;
use tidings_core::port::tail::{Growth, Listener};
use tidings_core::port::{Log, Tail};
use tidings_core::session::Start;
use tidings_protocol::{Cursor, Lineage, Seq};

use super::node::Node;
use super::reader::{Alarm, block_on, next};

const EVENTS: usize = 1_500;

/// Reads everything from the beginning to `end`.
fn read_all(node: &Node, patterns: &[&str], end: u64, mailbox_bytes: usize) -> Vec<u64> {
    let alarm = Arc::new(Alarm::default());
    let begin = Cursor::new(Seq::ZERO, Lineage::from_bits(0));
    let mut feed = block_on(&alarm, node.open(patterns, Start::Resume(begin), mailbox_bytes));
    let mut numbers = Vec::new();
    while numbers.last() != Some(&end) {
        match next(&alarm, &mut feed) {
            Frame::Event(entry) => numbers.push(entry.seq().0),
            Frame::Control(..) => {}
            frame => panic!("{frame:?}"),
        }
    }
    numbers
}

/// A node of the cluster, and its faulty link to the others.
struct Peer {
    node: Node,
    tail: Arc<FaultyTail<MemoryTail>>,
}

fn peer(first: &Node, wire: &MemoryWire, seed: u64) -> Peer {
    let tail = Arc::new(FaultyTail::new(wire.connect(), Seed::new(seed), TailOdds::default()));
    let limits = HubLimits { ring_events: 300, ..HubLimits::default() };
    let node = first.join(limits, Arc::clone(&tail) as Arc<dyn Tail>);
    tail.listen(Arc::clone(&node.hub) as Arc<dyn Listener>);
    Peer { node, tail }
}

#[test]
fn two_nodes_tell_all_their_readers_everything_once_and_in_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = Node::start(HubLimits::default());
    let wire = MemoryWire::new();
    let peers = [peer(&first, &wire, 1), peer(&first, &wire, 2)];
    let stop = AtomicBool::new(false);
    for peer in &peers {
        let hub = peer.node.hub.clone();
        runtime.spawn(async move { hub.run(tokio::task::yield_now).await });
    }
    let end = (2 * EVENTS) as u64;
    std::thread::scope(|scope| {
        let readers: Vec<_> = [(0, "*", 100_000), (0, "x:*", 1_000), (1, "*", 1_000), (1, "x:*", 100_000)]
            .into_iter()
            .map(|(at, pattern, bytes)| {
                let (node, runtime) = (&peers[at].node, runtime.handle());
                scope.spawn(move || {
                    let _runtime = runtime.enter();
                    read_all(node, &[pattern], end, bytes)
                })
            })
            .collect();
        let publishers: Vec<_> = peers
            .iter()
            .map(|peer| {
                scope.spawn(|| {
                    for number in 0..EVENTS {
                        if number == EVENTS / 2 {
                            peer.tail.cut();
                        }
                        peer.node.publish("x:1", number);
                    }
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        // The link is up again, and something is announced anew, as the port promises.
        for peer in &peers {
            peer.tail.heal();
            peer.tail.flush();
        }
        let head =
            futures_util::FutureExt::now_or_never(first.store.bounds(&first.tenant)).unwrap().unwrap().head;
        for peer in &peers {
            peer.node.hub.grown(Growth { tenant: first.tenant.clone(), head });
        }
        let everything: Vec<u64> = (1..=end).collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), everything);
        }
    });
    stop.store(true, Ordering::SeqCst);
    for peer in &peers {
        let faults = peer.tail.faults();
        println!("{faults:?}, {:?}", peer.node.hub.counters());
        assert!(faults.lost > 0 && faults.doubled > 0 && faults.overtaken > 0, "{faults:?}");
    }
}
