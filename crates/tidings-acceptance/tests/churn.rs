//! Subscribers come and go while events pour in: at the seam between what was and what comes, none is missed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidings_acceptance::numbered::{draft, id, number};
use tidings_acceptance::publish::{Load, Make};
use tidings_acceptance::report::random;
use tidings_acceptance::subscription::Item;
use tidings_acceptance::wait::within;
use tidings_acceptance::{Ask, Server, ServerOptions, Subscription, Target, Transport, report};
use tidings_protocol::{Cursor, Seq};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

const SUBSCRIBES: usize = 10_000;
const ALIVE: usize = 200;
const RATE: u64 = 1_000;
const CHANNEL: &str = "churn:a";
/// How long each reads past the head at which it joined.
const READS: Duration = Duration::from_secs(1);
/// How far back those begin that begin with a cursor, in events.
const BACK: u64 = 1_500;

/// What one subscriber has received: the numbers that stand behind `after`, without a gap.
struct Visit {
    transport: Transport,
    resumed: bool,
    after: Cursor,
    numbers: Vec<u32>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_an_event_at_the_seam() {
    let mut random = random("churn");
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let make: Make = Arc::new(|n| draft(CHANNEL, n, 40));
    let load = Load::start(&target, 32, RATE, 1, u64::MAX / 2, &make);
    load.has_acked(BACK + 1, Duration::from_secs(30)).await;

    let (began, before) = (Instant::now(), load.acked());
    // The last head that anybody was told of: what cursors are made of.
    let (heads, _) = watch::channel(None);
    let left = Arc::new(AtomicUsize::new(SUBSCRIBES));
    let visitors: Vec<_> = (0..ALIVE)
        .map(|index| {
            let random = StdRng::seed_from_u64(random.random());
            tokio::spawn(come_and_go(target.clone(), index, left.clone(), heads.clone(), random))
        })
        .collect();
    let mut visits = Vec::new();
    for visitor in visitors {
        visits.extend(
            within(Duration::from_secs(240), "the subscribers to come and go", visitor).await.unwrap(),
        );
    }
    let (took, published) = (began.elapsed(), load.acked() - before);
    let attempts = within(Duration::from_secs(30), "the publishers to end", load.stop()).await;
    let sent: HashMap<Seq, u64> = attempts
        .iter()
        .map(|attempt| (attempt.outcome.id().expect("acknowledged").seq, attempt.numbers[0]))
        .collect();

    let mut received = 0;
    for visit in &visits {
        received += visit.numbers.len();
        for (index, n) in visit.numbers.iter().enumerate() {
            let seq = Seq(visit.after.seq.0 + 1 + index as u64);
            assert_eq!(
                sent.get(&seq),
                Some(&u64::from(*n)),
                "{:?} after {}: {seq}",
                visit.transport,
                visit.after
            );
        }
    }
    let of = |transport| visits.iter().filter(|visit| visit.transport == transport).count();
    let resumed = visits.iter().filter(|visit| visit.resumed).count();
    let [sse, ws, poll] = Transport::ALL.map(of);
    report(format!(
        "churn: {} subscribes ({sse} SSE, {ws} WebSocket, {poll} poll; {resumed} with a cursor) in {took:.1?}, {ALIVE} at \
         once, beside {:.0} events a second; {received} events received, 0 missed, 0 doubled, 0 out of order",
        visits.len(),
        published as f64 / took.as_secs_f64(),
    ));
    assert_eq!(visits.len(), SUBSCRIBES);
    assert!(resumed > SUBSCRIBES / 4 && resumed < SUBSCRIBES * 3 / 4);
}

/// Subscribes again and again until it has been done often enough.
async fn come_and_go(
    target: Target,
    index: usize,
    left: Arc<AtomicUsize>,
    heads: watch::Sender<Option<Cursor>>,
    mut random: StdRng,
) -> Vec<Visit> {
    let mut visits = Vec::new();
    while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let transport = Transport::nth(index + visits.len());
        let since = random.random_bool(0.5).then(|| *heads.borrow()).flatten();
        let since = since
            .map(|head: Cursor| Cursor::new(Seq(head.seq.0 - random.random_range(0..BACK)), head.lineage));
        let visit =
            within(Duration::from_secs(60), "a visit to end", visit(&target, transport, since, &heads)).await;
        visits.push(visit);
    }
    visits
}

/// One subscription, from its opening until it has read for as long as it should.
async fn visit(
    target: &Target,
    transport: Transport,
    since: Option<Cursor>,
    heads: &watch::Sender<Option<Cursor>>,
) -> Visit {
    let ask = Ask { by_header: true, ..Ask::of(&[CHANNEL]) };
    let ask = since.map_or(ask.clone(), |since| ask.since(since));
    let mut stream = Subscription::open(transport, target, &ask).await.expect("a subscription");
    let mut after = since.filter(|_| transport == Transport::Poll);
    let (mut until, mut numbers) = (Instant::now() + READS, Vec::<u32>::new());
    loop {
        // Whoever has read for long enough still waits for a first event.
        let item = match numbers.is_empty() {
            true => stream.next().await,
            false => match timeout_at(until, stream.next()).await {
                Ok(item) => item,
                Err(_) => break,
            },
        };
        match item.expect("the stream goes on") {
            Item::Control { name, id, .. } if name == "$ready" && after.is_none() => {
                until = Instant::now() + READS;
                after = id;
                assert!(since.is_none_or(|since| id == Some(since)), "resumed at {id:?}, not at {since:?}");
                if since.is_none() {
                    heads.send_replace(id);
                }
            }
            Item::Event { id: beside, data } => {
                let expected = after.expect("`$ready` comes first").seq.0 + 1 + numbers.len() as u64;
                let own = id(&data).expect("an id");
                assert_eq!(own.seq.0, expected, "{transport:?}, begun after {after:?}");
                assert_eq!(beside, Some(own));
                numbers.push(u32::try_from(number(&data).expect("a number")).unwrap());
            }
            Item::Position(id) => {
                let last = after.expect("`$ready` comes first").seq.0 + numbers.len() as u64;
                assert_eq!(id.seq.0, last, "{transport:?}: a position past what came");
            }
            Item::Life => {}
            Item::Control { name, data, .. } => panic!("{transport:?}: {name} {data}"),
        }
        if Instant::now() >= until && !numbers.is_empty() {
            break;
        }
    }
    Visit { transport, resumed: since.is_some(), after: after.unwrap(), numbers }
}
