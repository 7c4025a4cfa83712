//! The channels of a subscriber at work are changed: on its one stream, and nothing is lost or doubled at the seam.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_acceptance::{Figures, Server, ServerOptions, Target, report, within};
use tidings_client::subscriber::{NotChanged, Since, State};
use tidings_client::{Publisher, Receipt, Subscriber, Update};
use tidings_protocol::Cursor;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::{PATIENCE, draft, following, number, publishing};

/// Publishes to these channels in turn, a few hundred a second, until it is told to stop; answers what it has published.
fn load(
    publisher: Publisher,
    channels: &'static [&'static str],
    count: u64,
) -> JoinHandle<Vec<(usize, Cursor)>> {
    tokio::spawn(async move {
        let mut published = Vec::new();
        for n in 0..count {
            let which = usize::try_from(n).unwrap() % channels.len();
            let Receipt { id, .. } = publisher.publish(draft(channels[which], n)).await.unwrap();
            published.push((which, id));
        }
        published
    })
}

async fn update(subscriber: &mut Subscriber) -> Update {
    within(PATIENCE, "an update", subscriber.next()).await.unwrap().unwrap()
}

async fn connected(target: &Target, channels: &[&str]) -> Subscriber {
    let subscriber = Subscriber::open(following(target, channels)).unwrap();
    let mut status = subscriber.status();
    within(PATIENCE, "a stream", status.wait_for(|status| status.state == State::Connected)).await.unwrap();
    subscriber
}

const LOAD: &[&str] = &["seam:stays", "seam:start", "seam:now", "seam:leaves"];
const EVENTS: u64 = 3_000;

/// Everything until the last event of the channel that stays, by channel; and where the channels joined.
async fn follow(
    subscriber: &mut Subscriber,
    load: JoinHandle<Vec<(usize, Cursor)>>,
) -> (Vec<(usize, Cursor)>, BTreeMap<String, Vec<Cursor>>, BTreeMap<String, Cursor>) {
    let (mut came, mut joined) = (BTreeMap::<String, Vec<Cursor>>::new(), BTreeMap::new());
    for _ in 0..300 {
        note(update(subscriber).await, subscriber, &mut came, &mut joined);
    }
    subscriber.subscribe("seam:start", Since::Start).unwrap();
    subscriber.subscribe("seam:now", Since::Now).unwrap();
    subscriber.unsubscribe("seam:leaves").unwrap();
    let mut published = Vec::new();
    let mut load = Some(load);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(update) = timeout(Duration::from_millis(20), subscriber.next()).await {
            note(update.unwrap().unwrap(), subscriber, &mut came, &mut joined);
        }
        if let Some(finished) = load.take_if(|load| load.is_finished()) {
            published = finished.await.unwrap();
        }
        let stays = published.iter().filter(|(which, _)| *which != 3).map(|(_, id)| id.seq).max();
        if stays.is_some_and(|last| subscriber.cursor().unwrap().seq >= last) && joined.len() == 2 {
            break;
        }
        assert!(Instant::now() < deadline, "{joined:?}");
    }
    (published, came, joined)
}

fn note(
    update: Update,
    subscriber: &Subscriber,
    came: &mut BTreeMap<String, Vec<Cursor>>,
    joined: &mut BTreeMap<String, Cursor>,
) {
    match update {
        Update::Event(event) => came.entry(event.channel).or_default().push(event.id),
        Update::Joined { channels } => {
            let position = subscriber.cursor().unwrap();
            joined.extend(channels.into_iter().map(|channel| (channel, position)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_come_and_go_on_one_stream_without_a_seam() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let publisher = Publisher::new(publishing(&target)).unwrap();
    publisher.publish_all((0..500).map(|n| draft("seam:start", n))).await.unwrap();
    let mut subscriber = connected(&target, &["seam:stays", "seam:leaves"]).await;
    let (published, came, joined) = follow(&mut subscriber, load(publisher, LOAD, EVENTS)).await;
    let ids = |which: usize| published.iter().filter(move |(of, _)| *of == which).map(|(_, id)| *id);
    assert_eq!(came["seam:stays"], ids(0).collect::<Vec<_>>());
    let start = &came["seam:start"];
    assert_eq!(start.len(), 500 + ids(1).count(), "all that there is, and each once");
    assert!(start.is_sorted_by(|one, next| one.seq < next.seq));
    let since = joined["seam:now"].seq;
    assert_eq!(came["seam:now"], ids(2).filter(|id| id.seq > since).collect::<Vec<_>>());
    let left = &came["seam:leaves"];
    assert!(
        ids(3).take(left.len()).eq(left.iter().copied()) && left.len() < ids(3).count() / 2,
        "{}",
        left.len()
    );
    let figures = Figures::read(server.address()).await;
    assert_eq!(figures.sum("tidings_streams_opened_total", ""), 1, "it was one stream");
    report(format!(
        "client: channels changed on one stream under load: {} events caught up or came, {} of a channel that left",
        start.len() + came["seam:now"].len(),
        left.len()
    ));
}

#[tokio::test]
async fn a_channel_that_may_not_be_followed_is_told_and_its_twin_joins() {
    let server = Server::start(ServerOptions::new()).await;
    let publisher = Publisher::new(publishing(&server.master().await)).unwrap();
    let narrow = server.key("narrow", &["subscribe:mine:*"]).await;
    let mut subscriber = connected(&narrow, &["mine:a"]).await;
    subscriber.subscribe("yours:a", Since::Now).unwrap();
    let refused = update(&mut subscriber).await;
    assert!(
        matches!(&refused, Update::Refused { channel, code } if channel == "yours:a" && code == "forbidden_channel"),
        "{refused:?}"
    );
    let first = publisher.publish(draft("mine:b", 1)).await.unwrap().id;
    publisher.publish(draft("mine:b", 2)).await.unwrap();
    let channels = subscriber.channels();
    channels.add("mine:b", Since::Cursor(first)).unwrap();
    assert!(matches!(update(&mut subscriber).await, Update::Event(event) if number(&event) == 2));
    assert!(matches!(update(&mut subscriber).await, Update::Joined { channels } if channels == ["mine:b"]));
    // More than fits in one request is refused here.
    for n in 0..200 {
        channels.add(format!("mine:{n}:{}", "x".repeat(150)), Since::Now).unwrap();
    }
    let mut counts = (0, 0);
    while counts.0 + counts.1 < 200 {
        match update(&mut subscriber).await {
            Update::Joined { channels } => counts.0 += channels.len(),
            Update::Refused { code, .. } if code == "too_many_channels" => counts.1 += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(counts.0 > 30 && counts.1 > 30, "{counts:?}");
    assert!(matches!(channels.add("a b", Since::Now), Err(NotChanged::Invalid { .. })));
    drop(subscriber);
    tokio::time::timeout(PATIENCE, async {
        while channels.remove("mine:b") != Err(NotChanged::Stopped) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_channel_is_added_while_there_is_no_stream_and_joins_the_next() {
    let mut server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let publisher = Publisher::new(publishing(&target)).unwrap();
    publisher.publish(draft("away:b", 1)).await.unwrap();
    let mut subscriber = connected(&target, &["away:a"]).await;
    let mut status = subscriber.status();
    server.kill().await;
    status.wait_for(|status| status.state != State::Connected).await.unwrap();
    subscriber.subscribe("away:*", Since::Start).unwrap();
    server.run().await;
    publisher.publish(draft("away:a", 2)).await.unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < 2 {
        match update(&mut subscriber).await {
            Update::Event(event) => numbers.push(number(&event)),
            Update::Joined { channels } => assert_eq!(channels, ["away:*"]),
            other => panic!("{other:?}"),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2], "what is on both channels comes once");
    // The next stream begins with both.
    server.kill().await;
    server.run().await;
    publisher.publish(draft("away:c", 3)).await.unwrap();
    loop {
        match update(&mut subscriber).await {
            Update::Event(event) => break assert_eq!(number(&event), 3),
            Update::Joined { channels } => assert_eq!(channels, ["away:*"]),
            other => panic!("{other:?}"),
        }
    }
}
