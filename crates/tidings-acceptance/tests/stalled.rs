//! Readers that stop reading: they cost what the limits say and nobody else notices; reading again goes on, and whoever
//! was cut off in between comes back to every event.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_acceptance::figures::resident_bytes;
use tidings_acceptance::http::Connection;
use tidings_acceptance::publish::Lane;
use tidings_acceptance::sse::Sse;
use tidings_acceptance::subscription::{Closed, Item};
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::ws::Ws;
use tidings_acceptance::{Ask, Figures, Server, ServerOptions, Subscription, Target, Transport, report};
use tidings_protocol::Cursor;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const STALLED: u64 = 200;
const HEALTHY: u64 = 10;
const CHANNEL: &str = "flood";
/// What is offered to each reader: more than 16 MiB.
const EVENTS: u64 = 288;
const EVENT_BYTES: usize = 60 * 1024;
const BATCH: u64 = 16;
/// What a client's kernel takes for it. With less, loopback's large segments do not fit and are dropped, and on a busy
/// machine a connection's retransmissions outlast the server's patience.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// The default of `limits.stream_buffer`.
const STREAM_BUFFER: u64 = 256 * 1024;
const ALLOWANCE: u64 = 64 << 20;

/// A reader that counts: events must come as they were numbered, one after the other.
struct Reader {
    transport: Transport,
    stream: Subscription,
    cursor: Option<Cursor>,
    next: u64,
}

impl Reader {
    async fn open(target: &Target, transport: Transport, since: Option<Cursor>, next: u64) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
        let connection = Connection::over(socket.connect(target.address).await.unwrap());
        let ask = Ask { since: since.map(|cursor| cursor.to_string()), ..Ask::of(&[CHANNEL]) };
        let stream = match transport {
            Transport::Sse => {
                Subscription::Sse(Box::new(Sse::open_on(connection, target, &ask).await.unwrap()))
            }
            _ => Subscription::Ws(Box::new(Ws::open_on(connection, target, &ask).await.unwrap())),
        };
        let mut reader = Self { transport, stream, cursor: None, next };
        while reader.cursor.is_none() {
            reader.step().await.unwrap();
        }
        reader
    }

    async fn step(&mut self) -> Result<(), Closed> {
        match self.stream.next().await? {
            Item::Event { id, data } => {
                let number = number_of(&data);
                assert_eq!(number, self.next, "{:?}: events come in order, once", self.transport);
                self.next += 1;
                self.cursor = id;
            }
            Item::Control { name, id, data } => {
                assert!(name == "$ready", "{:?}: {name} {data}", self.transport);
                self.cursor = id;
            }
            Item::Position(id) => self.cursor = Some(id),
            Item::Life => {}
        }
        Ok(())
    }

    async fn read_all(&mut self) -> Result<(), Closed> {
        while self.next < EVENTS {
            self.step().await?;
        }
        Ok(())
    }
}

fn number_of(data: &str) -> u64 {
    let (_, rest) = data.split_once("\"n\":").expect("a number");
    rest[..rest.find(',').unwrap()].parse().unwrap()
}

fn transport(n: u64) -> Transport {
    if n.is_multiple_of(2) { Transport::Sse } else { Transport::Ws }
}

async fn readers(target: &Target, count: u64) -> Vec<Reader> {
    let mut readers = Vec::new();
    for n in 0..count {
        readers.push(Reader::open(target, transport(n), None, 0).await);
    }
    readers
}

async fn publish_flood(target: &Target) {
    let (mut lane, pad) = (Lane::new(target), "x".repeat(EVENT_BYTES));
    for first in (0..EVENTS).step_by(BATCH as usize) {
        let event = |n: u64| json!({"channel": CHANNEL, "type": "t", "data": {"n": n, "pad": pad}});
        let events: Vec<Value> = (first..first + BATCH).map(event).collect();
        lane.expect(&json!({ "events": events })).await;
    }
}

/// Bytes that the kernel holds for sending on the server's connections, its own bookkeeping included.
fn send_queues(port: u16) -> u64 {
    let output = Command::new("ss").args(["-tmnH", "sport", "=", &format!(":{port}")]).output();
    let text = String::from_utf8(output.expect("ss, of iproute2").stdout).unwrap();
    let queued = |row: &str| row.split_once(",w")?.1.split(',').next()?.parse::<u64>().ok();
    text.split("skmem:(").skip(1).map(|row| queued(row).expect("a row of ss")).sum()
}

/// Memory in process and kernel together.
fn footprint(server: &Server) -> u64 {
    resident_bytes(server.process()) + send_queues(server.address().port())
}

/// The largest footprint while `work` is done.
async fn watch(server: &Server, work: impl Future<Output = ()>) -> u64 {
    let mut peak = 0;
    tokio::pin!(work);
    loop {
        peak = peak.max(footprint(server));
        if tokio::time::timeout(Duration::from_millis(100), work.as_mut()).await.is_ok() {
            return peak.max(footprint(server));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stall_cost_what_the_limits_say_and_go_on() {
    let server = Server::start(ServerOptions::new()).await;
    let target = server.master().await;
    let mut stalled = readers(&target, STALLED).await;
    let healthy: Vec<JoinHandle<Duration>> =
        readers(&target, HEALTHY).await.into_iter().map(read_along).collect();
    let before = (footprint(&server), overflows(&server).await);

    let began = Instant::now();
    let flood = async {
        publish_flood(&target).await;
        for reader in healthy {
            within(Duration::from_secs(20), "a healthy reader", reader).await.unwrap();
        }
        // Where nothing moves any more, the peak is past.
        until(Duration::from_secs(10), "every stalled reader to run over", async || {
            (overflows(&server).await - before.1 >= STALLED).then_some(())
        })
        .await;
    };
    let peak = watch(&server, flood).await;
    let (grown, flooded) = (peak.saturating_sub(before.0), began.elapsed());
    let offered = EVENTS * EVENT_BYTES as u64;
    report(format!(
        "stalled: {} MiB offered to each of {STALLED}, {} overflows; {} MiB more in process and kernel, {} allowed; healthy readers had all after {flooded:.1?}",
        offered >> 20,
        overflows(&server).await - before.1,
        grown >> 20,
        (STALLED * STREAM_BUFFER + ALLOWANCE) >> 20,
    ));
    assert!(offered >= 16 << 20);
    assert!(stalled.iter().all(|reader| reader.next < EVENTS / 4));
    assert!(grown <= STALLED * STREAM_BUFFER + ALLOWANCE);

    let began = Instant::now();
    let reading: Vec<_> = stalled.drain(..).map(read_along).collect();
    for reader in reading {
        within(Duration::from_secs(120), "a stalled reader to catch up", reader).await.unwrap();
    }
    report(format!("stalled: all {STALLED} read on and had everything after {:.1?}", began.elapsed()));
    let figures = Figures::read(server.address()).await;
    assert_eq!(figures.sum("tidings_streams_closed_total", "reason=\"write_stalled\""), 0);
}

async fn overflows(server: &Server) -> u64 {
    Figures::read(server.address()).await.sum("tidings_overflows_total", "")
}

/// Reads everything; how long that took. The stream must stay open.
fn read_along(mut reader: Reader) -> JoinHandle<Duration> {
    tokio::spawn(async move {
        let began = Instant::now();
        reader.read_all().await.expect("an open stream");
        began.elapsed()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_past_the_write_timeout_are_reset_and_resume() {
    const READERS: u64 = 60;
    let server = Server::start(ServerOptions::new().set("stream.write_timeout", "2s")).await;
    let target = server.master().await;
    let stalled = readers(&target, READERS).await;
    let healthy: Vec<_> = readers(&target, HEALTHY).await.into_iter().map(read_along).collect();
    publish_flood(&target).await;
    for reader in healthy {
        within(Duration::from_secs(20), "a healthy reader", reader).await.unwrap();
    }
    until(Duration::from_secs(10), "every stalled reader to be cut off", async || {
        let closed = Figures::read(server.address()).await;
        (closed.sum("tidings_streams_closed_total", "reason=\"write_stalled\"") == READERS).then_some(())
    })
    .await;
    for mut reader in stalled {
        // What the kernels held is read to its end; `step` would not stand an `$end`.
        let end = within(Duration::from_secs(10), "the reset", reader.read_all()).await;
        assert!(matches!(&end, Err(Closed::Broken(_))), "{:?}: {end:?}", reader.transport);
        let (cursor, next) = (reader.cursor, reader.next);
        assert!(next < EVENTS / 4);
        let mut again = Reader::open(&target, reader.transport, cursor, next).await;
        within(Duration::from_secs(30), "everything after the reset", again.read_all()).await.unwrap();
    }
    report(format!("stalled: {READERS} readers were reset after the write timeout and resumed"));
}
