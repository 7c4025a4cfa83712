//! A reader that has not taken what waits for it: after the cause it gets what the kernel holds already, and no more.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tidings_acceptance::http::{Connection, request};
use tidings_acceptance::publish::Lane;
use tidings_acceptance::wait::until;
use tidings_acceptance::{Figures, Server, ServerOptions, Target, report, within};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::PATIENCE;

/// Of one event.
const EVENT: usize = 2_000;
/// What the end of a stream takes, with its framing, and that of one event.
const FRAMING: usize = 1_000;

/// Bytes that the kernel holds between the two: sent and not taken by the client.
fn in_kernel(client: SocketAddr, server: SocketAddr) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's table of connections");
    let port = |address: &str| u16::from_str_radix(address.split(':').nth(1).unwrap(), 16).unwrap();
    let mut held = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (sending, taking) = fields[4].split_once(':').unwrap();
        let bytes = |hex: &str| usize::from_str_radix(hex, 16).unwrap();
        match (port(fields[1]), port(fields[2])) {
            (local, remote) if (local, remote) == (server.port(), client.port()) => held += bytes(sending),
            (local, remote) if (local, remote) == (client.port(), server.port()) => held += bytes(taking),
            _ => {}
        }
    }
    held
}

/// A stream that nobody reads.
async fn unread(target: &Target, path: &str, more: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut connection = Connection::over(socket.connect(target.address).await.unwrap());
    connection.send(&request(target, "GET", path, more, None)).await.unwrap();
    let status = connection.head().await.unwrap().status;
    assert!([101, 200].contains(&status), "{status}");
    connection.into_stream()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_what_the_kernel_has_and_no_more() {
    let server = Server::start(ServerOptions::new().set("limits.stream_buffer", "128KiB")).await;
    let master = server.master().await;
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut shown = Vec::new();
    for (path, more) in [("/v1/events?channel=big", ""), ("/v1/ws?channel=big", upgrade)] {
        let made = server.json(&["key", "create", "--name", path, "--grant", "subscribe:*"]).await;
        let target = Target::new(server.address(), made["key"].as_str().unwrap());
        let mut stream = unread(&target, path, more).await;
        let client = stream.local_addr().unwrap();
        let mut lane = Lane::new(&master);
        for _ in 0..40 {
            let event = json!({"channel": "big", "type": "t", "data": "x".repeat(EVENT)});
            let events: Vec<_> = std::iter::repeat_n(event, 25).collect();
            lane.expect(&json!({ "events": events })).await;
        }
        // Until nothing more goes out.
        let mut before = 0;
        let held = until(PATIENCE, "the kernel to be full", async || {
            let now = in_kernel(client, server.address());
            let is_still = now == before && now > 64 * 1024;
            before = now;
            sleep(Duration::from_millis(150)).await;
            is_still.then_some(now)
        })
        .await;
        server.json(&["key", "revoke", made["id"].as_str().unwrap()]).await;
        sleep(Duration::from_millis(100)).await;
        let mut bytes = Vec::new();
        let reading = async {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut piece).await {
                bytes.extend_from_slice(&piece[..count]);
            }
        };
        within(PATIENCE, "the end", reading).await;
        let more = bytes.len().saturating_sub(held);
        assert!(more <= EVENT + FRAMING, "{path}: {more} bytes more than the {held} that the kernel had");
        let told = String::from_utf8_lossy(&bytes).contains(r#""reason":"revoked""#);
        assert!(told, "{path}: a reader that takes it is told why");
        shown.push(format!("{held} bytes and {more}"));
        until(PATIENCE, "the stream to be given back", async || {
            (Figures::read(server.address()).await.streams() == 0).then_some(())
        })
        .await;
    }
    report(format!("now: unread streams of a revoked key gave {}", shown.join(", ")));
}
