//! A thousand openings that end abruptly, in every phase: every place is given back.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tidings_acceptance::casts::mention;
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, User, report, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::sleep;

use crate::PATIENCE;
use crate::opening::{Way, open, settled};

const OPENINGS: usize = 1_000;
const WORKERS: usize = 8;
/// Clients that are processes of their own, killed.
const KILLS: usize = 40;

/// How far an opening gets before its end.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Connected,
    HalfTheHead,
    Asked,
    Answered,
    Ready,
    Delivered,
    /// Within a frame that the client sends.
    HalfAFrame,
}

const PHASES: [Phase; 7] = [
    Phase::Connected,
    Phase::HalfTheHead,
    Phase::Asked,
    Phase::Answered,
    Phase::Ready,
    Phase::Delivered,
    Phase::HalfAFrame,
];

/// How it ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Reset,
    Close,
    /// No more is sent; what comes is read for a moment.
    Half,
}

const ENDS: [End; 3] = [End::Reset, End::Close, End::Half];
const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn asked(way: Way, target: &Target) -> Vec<u8> {
    let (path, more) = match way {
        Way::Sse => ("/v1/events?channel=live", ""),
        Way::WebSocket => ("/v1/ws?channel=live", UPGRADE),
        Way::Cast => ("/api/casts/live/events", ""),
    };
    request(target, "GET", path, more, None)
}

/// Reads until the text has come; whether it has.
async fn reads(connection: &mut Connection, text: &str) -> bool {
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    while !has(connection.buffer()) {
        if connection.fill().await.is_err() {
            return false;
        }
    }
    true
}

/// Goes as far as the phase says; whether a stream was opened on the way.
async fn reach(connection: &mut Connection, way: Way, phase: Phase, target: &Target) -> bool {
    let asked = asked(way, target);
    match phase {
        Phase::Connected => return false,
        Phase::HalfTheHead => {
            connection.send(&asked[..asked.len() / 2]).await.unwrap();
            return false;
        }
        _ => connection.send(&asked).await.unwrap(),
    }
    if matches!(phase, Phase::Asked) {
        return true;
    }
    let is_open = [101, 200].contains(&connection.head().await.unwrap().status);
    if matches!(phase, Phase::Answered) || !is_open {
        return is_open;
    }
    let is_open = reads(connection, "$ready").await;
    match phase {
        // The cast's own events are few.
        Phase::Delivered if way != Way::Cast => reads(connection, "\"tick\"").await,
        Phase::HalfAFrame => {
            // A masked text of five bytes, of which two are sent (RFC 6455, 5.2).
            connection.send(&[0x81, 0x85, 1, 2, 3, 4, 9, 9]).await.unwrap();
            is_open
        }
        _ => is_open,
    }
}

async fn finish(connection: Connection, end: End) {
    match end {
        End::Reset => connection.reset(),
        End::Close => drop(connection),
        End::Half => {
            let mut stream = connection.into_stream();
            let _ = stream.shutdown().await;
            let mut piece = [0; 4096];
            let _ = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut piece)).await;
        }
    }
}

/// A user with a cast and events on its channel, until told to stop.
struct World {
    server: Server,
    ann: Target,
    stop: Arc<AtomicBool>,
}

async fn world() -> World {
    let options = ServerOptions::new().set("auth.user_grants", "subscribe:live");
    let server = Server::start(options.set("limits.connects_per_minute.session", "0")).await;
    let ann = User::add(&server, "ann@example.test", &[]).await;
    let master = server.master().await;
    mention(&master, "live", &ann.id).await;
    let ann = ann.sign_in(server.address()).await;
    let stop = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut lane = Lane::new(&master);
            while !stop.load(Ordering::SeqCst) {
                lane.expect(&json!({"channel": "live", "type": "t", "data": "tick"})).await;
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    World { server, ann, stop }
}

/// All places are free: the gauge says so, ten are given, the eleventh is not.
async fn all_is_given_back(world: &World) {
    settled(&world.ann, 0, PATIENCE).await;
    let mut streams = Vec::new();
    for n in 0..10 {
        streams.push(open(Way::nth(n), &world.ann).await.expect("a place"));
    }
    assert!(open(Way::Sse, &world.ann).await.unwrap_err().is_too_many("too_many_streams"));
    drop(streams);
    settled(&world.ann, 0, PATIENCE).await;
    world.stop.store(true, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_is_given_back_whatever_became_of_the_client() {
    let world = world().await;
    let (next, opened) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (next, opened, ann) = (next.clone(), opened.clone(), world.ann.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= OPENINGS {
                        return;
                    }
                    let (way, phase, end) = (Way::nth(n), PHASES[n / 3 % 7], ENDS[n / 21 % 3]);
                    let mut connection = Connection::open(ann.address).await.unwrap();
                    let what = format!("{way:?} to be {phase:?}");
                    let is_open = within(PATIENCE, &what, reach(&mut connection, way, phase, &ann)).await;
                    opened.fetch_add(usize::from(is_open), Ordering::SeqCst);
                    finish(connection, end).await;
                }
            })
        })
        .collect();
    for worker in workers {
        within(PATIENCE * 6, "the openings", worker).await.unwrap();
    }
    let opened = opened.load(Ordering::SeqCst);
    let counted = Figures::read(world.server.address()).await.sum("tidings_streams_opened_total", "");
    all_is_given_back(&world).await;
    report(format!(
        "limits: {OPENINGS} openings ended abruptly, of {opened} that may have had a stream; the server counted {counted}"
    ));
    assert!(counted > OPENINGS as u64 / 4, "few were streams");
}

#[tokio::test]
async fn clients_that_are_killed_give_their_places_back() {
    let world = world().await;
    let mut had = 0;
    for n in 0..KILLS {
        let mut curl = Command::new("curl");
        let path = if n % 2 == 0 { "/v1/events?channel=live" } else { "/api/casts/live/events" };
        curl.args(["-sSN", "--noproxy", "*", "-H"]).arg(world.ann.credential());
        curl.arg(format!("http://{}{path}", world.ann.address));
        curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = curl.spawn().expect("curl");
        // Some are killed at once, some once they have something.
        if n % 4 > 0 {
            let out = child.stdout.as_mut().unwrap();
            had += usize::from(within(PATIENCE, "curl", out.read(&mut [0; 64])).await.unwrap() > 0);
        }
        child.kill().await.unwrap();
    }
    all_is_given_back(&world).await;
    report(format!("limits: {KILLS} clients were killed, {had} of them with a stream"));
    assert!(had > 0);
}
