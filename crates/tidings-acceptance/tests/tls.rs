//! TLS at the server's own sockets: everything that is promised over TCP holds under it, and certificates come and go
//! while streams stay.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod secure;
mod wire;

use std::process::Stdio;
use std::time::Duration;

use rand::Rng;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use secure::{Identity, VERSIONS, World, cert_file, key_file, over, try_connect, write};
use serde_json::json;
use tidings_acceptance::report::random;
use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{ServerOptions, binary, report};
use tidings_protocol::ws::{CloseCode, MaskKey, Message};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::time::Instant;
use wire::strict::{blocks, messages, take_chunks, take_head, take_response};
use wire::{End, UPGRADE, Wire, get, head};

const PATIENCE: Duration = Duration::from_secs(15);
const ENDS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_client_speaks_both_versions_of_http() {
    let world = World::make(ServerOptions::new()).await;
    let address = world.target.address;
    for (flag, begins) in [("--http1.1", "HTTP/1.1 200"), ("--http2", "HTTP/2 200")] {
        for version in ["--tlsv1.2", "--tlsv1.3"] {
            let mut curl = Command::new("curl");
            curl.args([flag, version, "-sSNi", "--max-time", "30", "--noproxy", "*", "--cacert"]);
            curl.arg(cert_file(world.folder())).arg("-H");
            curl.arg(format!("authorization: Bearer {}", world.target.key));
            curl.arg(format!("https://{address}/v1/events?channel=live"));
            curl.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = curl.spawn().expect("curl");
            let mut wire = Wire { stream: child.stdout.take().unwrap(), seen: Vec::new() };
            read_until(&mut wire, "event: $ready").await;
            world.publish(&json!({"channel": "live", "type": "mark", "data": "here"})).await;
            read_until(&mut wire, "\"here\"}\n\n").await;
            assert!(wire.seen.starts_with(begins.as_bytes()), "{}", String::from_utf8_lossy(&wire.seen));
        }
    }
}

async fn read_until(wire: &mut Wire<tokio::process::ChildStdout>, text: &str) {
    let reading = async {
        while !String::from_utf8_lossy(&wire.seen).contains(text) {
            assert!(wire.stream.read_buf(&mut wire.seen).await.unwrap() > 0, "waiting for {text}");
        }
    };
    within(PATIENCE, text, reading).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_protocol_is_the_one_both_know() {
    let world = World::make(ServerOptions::new()).await;
    for version in VERSIONS {
        for (offered, taken) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&["http/1.0", "http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            let wire = world.connect_as(world.identity.client(version, offered)).await;
            let session = wire.stream.get_ref().1;
            assert_eq!(session.alpn_protocol(), taken.map(str::as_bytes));
            assert_eq!(session.protocol_version(), Some(version.version));
        }
        let refused = try_connect(&world.target, world.identity.client(version, &["gopher"])).await;
        assert!(refused.err().unwrap().to_string().contains("NoApplicationProtocol"));
    }
    // Who trusts another certificate is told nothing.
    assert!(try_connect(&world.target, Identity::make().client(&TLS13, &[])).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_begins_with_what_stands_before_and_after_it() {
    let world = World::make(ServerOptions::new()).await;
    let pad = "x".repeat(50_000);
    let events: Vec<_> = (0..20).map(|_| json!({"channel": "large", "type": "t", "data": pad})).collect();
    world.publish(&json!({ "events": events })).await;
    let before = get(&world.target, "/healthz") + &get(&world.target, "/v1/history?channel=large").repeat(2);
    let ping = Message::text(r#"{"op":"ping","ref":"early"}"#).encode_masked(MaskKey([1, 2, 3, 4]));
    let forms = [(false, false), (true, false), (false, true), (true, true)];
    let ways = VERSIONS.into_iter().flat_map(|version| forms.map(|form| (version, form)));
    for (version, (is_socket, bytewise)) in ways {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        let tcp = socket.connect(world.target.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut wire = over(tcp, world.identity.client(version, &["http/1.1"])).await.unwrap();
        let upgrade = head(&world.target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE);
        let (request, after) =
            if is_socket { (upgrade, ping.repeat(2)) } else { (world.events(), vec![b'x'; 100]) };
        let all = [before.as_bytes(), request.as_bytes(), &after].concat();
        if bytewise {
            wire.send_bytewise(&all).await
        } else {
            wire.send(&all).await
        }
        for _ in 0..2 {
            let began = Instant::now();
            world.mark(&mut wire).await;
            report(format!("tls: a mark after {:?}", began.elapsed()));
        }
        let mut input = &wire.seen[..];
        assert_eq!(take_response(&mut input).1, b"{\"status\":\"ok\"}");
        for _ in 0..2 {
            let (head, body) = take_response(&mut input);
            assert!(head.status == 200 && body.len() > 1_000_000);
        }
        let answered = take_head(&mut input);
        if is_socket {
            let said = messages(input);
            let answers = said.iter().filter(|text| *text == r#"{"ref":"early","ok":{}}"#).count();
            let marks = said.iter().filter(|text| text.contains("marker-")).count();
            assert_eq!((answered.status, answers, marks, said.len()), (101, 2, 2, 5), "{said:?}");
        } else {
            let begin = wire.seen.len() - input.len();
            // The end of the last frame.
            while !wire.seen.ends_with(b"\n\n\r\n") {
                assert!(wire.stream.read_buf(&mut wire.seen).await.unwrap() > 0);
            }
            let (payload, ended) = take_chunks(&mut &wire.seen[begin..]);
            assert_eq!(
                (blocks(&payload), ended),
                (["retry", "$ready", "mark", "mark"].map(str::to_owned).to_vec(), false)
            );
        }
    }
}

/// Everything is offered while the client does not read, and nothing follows: what the library keeps must go on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_late_gets_the_last_event_too() {
    let world = World::make(ServerOptions::new().set("limits.stream_buffer", "64KiB")).await;
    for request in [world.events(), head(&world.target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE)] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let tcp = socket.connect(world.target.address).await.unwrap();
        let mut wire = over(tcp, world.client()).await.unwrap();
        wire.send(&request).await;
        wire.read_until("$ready").await;
        for batch in 0..10 {
            let pad = "x".repeat(20_000);
            let event =
                |number| json!({"channel": "live", "type": "t", "data": format!("{number:09};{pad}")});
            let events: Vec<_> = (batch * 10..batch * 10 + 10).map(event).collect();
            world.publish(&json!({ "events": events })).await;
        }
        wire.read_until("000000099;").await;
        let text = String::from_utf8_lossy(&wire.seen);
        let places = (0..100).map(|number| text.find(&format!("{number:09};")).expect("every event"));
        assert!(places.collect::<Vec<_>>().is_sorted());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_are_meant_are_said() {
    let mut world = World::make(ServerOptions::new().set("stream.lifetime", "300ms")).await;
    let upgrade = head(&world.target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE);
    let close = Message::close(CloseCode::NORMAL, "").encode_masked(MaskKey([1, 2, 3, 4]));
    for version in VERSIONS {
        let client = || world.identity.client(version, &["http/1.1"]);
        // A stream that is over, on either wire.
        let mut stream = world.connect_as(client()).await;
        stream.send(world.events()).await;
        assert_eq!(stream.read_to_end().await, End::Closed);
        assert!(stream.seen.ends_with(b"\r\n0\r\n\r\n") && stream.seen.windows(8).any(|w| w == b"lifetime"));
        let mut socket = world.connect_as(client()).await;
        socket.send(&upgrade).await;
        socket.read_until("lifetime").await;
        socket.send(&close).await;
        assert_eq!(socket.read_to_end().await, End::Closed);
        // A socket that the client closes, and one that is refused.
        let mut socket = world.connect_as(client()).await;
        socket.send([upgrade.as_bytes(), &close].concat()).await;
        assert_eq!(socket.read_to_end().await, End::Closed);
        let mut refused = world.connect_as(client()).await;
        refused.send(upgrade.replace("Bearer ", "Bearer no")).await;
        assert_eq!(refused.read_to_end().await, End::Closed);
        assert!(refused.seen.starts_with(b"HTTP/1.1 101"));
        // Answers to a client that has finished sending.
        let mut asked = world.connect_as(client()).await;
        asked.send(get(&world.target, "/healthz").repeat(2)).await;
        asked.finish().await;
        assert_eq!(asked.read_to_end().await, End::Closed);
        let mut input = &asked.seen[..];
        assert_eq!([take_response(&mut input).0.status, take_response(&mut input).0.status], [200, 200]);
        let mut half = world.connect_as(client()).await;
        half.send(world.events()).await;
        half.finish().await;
        assert_eq!(half.read_to_end().await, End::Closed);
    }
    // One that is killed says nothing.
    let mut cut = world.connect().await;
    cut.send(get(&world.target, "/healthz")).await;
    cut.read_until("\"ok\"}").await;
    world.server.kill().await;
    assert_eq!(cut.read_to_end().await, End::Truncated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_says_its_end_on_every_connection() {
    let mut world = World::make(ServerOptions::new()).await;
    let mut stream = world.connect().await;
    stream.send(world.events()).await;
    stream.read_until("$ready").await;
    let mut kept = world.connect().await;
    kept.send(get(&world.target, "/healthz")).await;
    kept.read_until("\"ok\"}").await;
    let mut silent = world.connect().await;
    world.server.terminate();
    assert_eq!(stream.read_to_end().await, End::Closed);
    assert!(stream.seen.windows(15).any(|window| window == b"server_shutdown"));
    assert_eq!((kept.read_to_end().await, silent.read_to_end().await), (End::Closed, End::Closed));
    assert!(world.server.ended(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_takes_its_place_and_streams_stay() {
    let world = World::make(ServerOptions::new()).await;
    let mut stream = world.connect().await;
    stream.send(world.events()).await;
    let shown = async |identity: &Identity| {
        until(PATIENCE, "the new certificate", async || {
            (world.shown_to(identity).await? == identity.der).then_some(())
        })
        .await;
    };
    shown(&world.identity).await;
    // At a signal, at once.
    let second = Identity::make();
    second.write(world.folder());
    world.hang_up();
    let began = Instant::now();
    shown(&second).await;
    report(format!("tls: a new certificate {:?} after the signal", began.elapsed()));
    assert!(world.shown_to(&world.identity).await.is_none());

    // What cannot be used changes nothing: a key that is not the certificate's, and no PEM at all.
    for (path, text) in
        [(key_file(world.folder()), &world.identity.key), (cert_file(world.folder()), &"no PEM".into())]
    {
        let said = world.server.words().matches("the old certificate stays").count();
        write(&path, text);
        world.hang_up();
        until(PATIENCE, "the refusal", async || {
            (world.server.words().matches("the old certificate stays").count() > said).then_some(())
        })
        .await;
        assert_eq!(world.shown_to(&second).await.as_ref(), Some(&second.der));
    }

    // Without a signal, within seconds.
    let third = Identity::make();
    third.write(world.folder());
    let began = Instant::now();
    shown(&third).await;
    report(format!("tls: a new certificate {:?} after its files", began.elapsed()));
    // The stream began before all of it. Who publishes trusts the third.
    let mut publisher = try_connect(&world.target, third.client(&TLS13, &[])).await.unwrap();
    let body = json!({"channel": "live", "type": "mark", "data": "still here"}).to_string();
    let length = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    publisher.send(head(&world.target, "POST", "/v1/publish", "1.1", &length) + &body).await;
    stream.read_until("still here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_stalls_is_cut_and_holds_a_place_until_then() {
    let world = World::make(ServerOptions::new().set("limits.header_timeout", "700ms")).await;
    let hello = client_hello(&world);
    for sent in [0, 1, hello.len() / 2, hello.len()] {
        let began = Instant::now();
        let mut wire = Wire::open(world.target.address).await;
        wire.send(&hello[..sent]).await;
        let connections = world.figures().await.sum("tidings_connections", "");
        assert_eq!(connections, 2, "the one that stalls and the one that asks");
        wire.read_to_end().await;
        assert!((Duration::from_millis(600)..Duration::from_secs(5)).contains(&began.elapsed()), "{sent}");
    }
    // One that takes its time is served.
    let tcp = TcpStream::connect(world.target.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut slow = over(tcp, world.client()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    slow.send(get(&world.target, "/healthz")).await;
    slow.read_until("\"ok\"}").await;
}

/// The first bytes of a handshake.
fn client_hello(world: &World) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(world.client(), name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_told_to_come_by_https() {
    let world = World::make(ServerOptions::new()).await;
    for request in [world.events(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), "x".repeat(100_000)] {
        let mut wire = Wire::open(world.target.address).await;
        wire.send(&request).await;
        assert_eq!(wire.read_to_end().await, End::Closed);
        let text = String::from_utf8_lossy(&wire.seen);
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("speaks https"), "{text}");
    }
    // What is neither is closed.
    let mut wire = Wire::open(world.target.address).await;
    wire.send([0u8; 100]).await;
    wire.read_to_end().await;
    assert!(!wire.seen.starts_with(b"HTTP"));
    let mut twin = world.connect().await;
    twin.send(world.events()).await;
    world.mark(&mut twin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_abrupt_ends_leave_nothing() {
    let mut rng = random("tls");
    let world = World::make(ServerOptions::new()).await;
    let hello = client_hello(&world);
    let requests = [world.events(), head(&world.target, "GET", "/v1/ws?channel=live", "1.1", UPGRADE)];
    let client = world.client();
    let mut waiting = Vec::new();
    for n in 0..ENDS {
        let tcp = TcpStream::connect(world.target.address).await.unwrap();
        let by_reset = rng.random_bool(0.5);
        if by_reset {
            tcp.set_zero_linger().unwrap();
        }
        if rng.random_range(0..6) == 0 {
            // In the middle of the handshake.
            let mut raw = Wire { stream: tcp, seen: Vec::new() };
            raw.send(&hello[..rng.random_range(0..=hello.len())]).await;
            continue;
        }
        let mut wire = over(tcp, client.clone()).await.unwrap();
        let request = &requests[n % requests.len()];
        match rng.random_range(0..4) {
            0 => wire.send(&request[..rng.random_range(0..request.len())]).await,
            1 => wire.send(request).await,
            _ => {
                wire.send(request).await;
                wire.read_until("$ready").await;
            }
        }
        if rng.random_bool(0.2) {
            wire.finish().await;
        } else if rng.random_bool(0.2) {
            waiting.push(wire);
            let oldest = waiting.len().saturating_sub(40);
            waiting.drain(..oldest);
        }
    }
    drop(waiting);
    until(PATIENCE, "every place to be given back", async || {
        let figures = world.figures().await;
        let open = ["tidings_streams", "tidings_sessions_attached", "tidings_connections"]
            .map(|name| figures.sum(name, ""));
        (open == [0, 0, 1]).then_some(())
    })
    .await;
    report(format!("tls: {ENDS} abrupt ends"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_speaks_tls_and_believes_whom_it_is_told() {
    let world = World::make(ServerOptions::new()).await;
    let url = format!("https://{}", world.target.address);
    let other = world.folder().join("other.pem");
    write(&other, &Identity::make().cert);
    let publish = async |more: &[&str]| {
        let mut command = Command::new(binary::path());
        command.args(["publish", "live", "--type", "t", "--data", "1", "--server", &url]).args(more);
        let output = command.env("TIDINGS_API_KEY", &*world.target.key).output().await.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let cert = cert_file(world.folder());
    let (done, said) = publish(&["--ca", cert.to_str().unwrap()]).await;
    assert!(done, "{said}");
    for refused in [&["--ca", other.to_str().unwrap()][..], &[]] {
        let (done, said) = publish(refused).await;
        assert!(!done && said.contains("--ca"), "{said}");
    }
    // The doctor believes the very certificate of the configuration, and nothing else.
    let found = world.server.json(&["doctor"]).await;
    let checks = found["checks"].as_array().unwrap();
    for name in ["certificate", "network"] {
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        assert_eq!(check["state"], "ok", "{found}");
    }
}

/// Starts a server on all addresses and returns its first line, or why it does not serve.
async fn start(folder: &std::path::Path, settings: &[(&str, &str)]) -> Result<String, (Option<i32>, String)> {
    let mut command = Command::new(binary::path());
    command.args(["serve", "--listen", "0.0.0.0:0", "--data-dir"]).arg(folder.join("open-data"));
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command.envs(settings.iter().map(|(name, value)| (format!("TIDINGS_{name}"), value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the server's process");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = within(PATIENCE, "the first line", lines.next_line()).await.unwrap();
    if first.is_some() {
        child.start_kill().unwrap();
    }
    let output = within(PATIENCE, "the end", child.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    first.map(|first| first + "\n" + &said).ok_or((output.status.code(), said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_listens_openly_only_under_cover() {
    let home = tempfile::tempdir().unwrap();
    let (identity, other) = (Identity::make(), Identity::make());
    identity.write(home.path());
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        write(&path, text);
        path.to_str().unwrap().to_owned()
    };
    let cert = cert_file(home.path()).to_str().unwrap().to_owned();
    let key = key_file(home.path()).to_str().unwrap().to_owned();
    let (foreign, empty, gone) = (file("foreign.pem", &other.key), file("empty.pem", ""), "/nowhere.pem");
    let broken = file("broken.pem", &identity.cert[..200]);
    type Settings<'a> = &'a [(&'a str, &'a str)];
    let refusals: [(Settings<'_>, Option<i32>, &str); 9] = [
        (&[], Some(2), "can be reached from other machines"),
        (&[("TLS__CERT", &cert)], Some(2), "set tls.key too"),
        (&[("TLS__KEY", &key)], Some(2), "set tls.cert too"),
        (&[("TLS__CERT", gone), ("TLS__KEY", &key)], Some(1), "tls.cert /nowhere.pem cannot be read"),
        (&[("TLS__CERT", &cert), ("TLS__KEY", gone)], Some(1), "tls.key /nowhere.pem cannot be read"),
        (&[("TLS__CERT", &empty), ("TLS__KEY", &key)], Some(1), "holds no certificate"),
        (&[("TLS__CERT", &broken), ("TLS__KEY", &key)], Some(1), "is no sound PEM file"),
        (&[("TLS__CERT", &cert), ("TLS__KEY", &empty)], Some(1), "holds no key that can be read"),
        (&[("TLS__CERT", &cert), ("TLS__KEY", &foreign)], Some(1), "is not that of the certificate"),
    ];
    for (settings, status, words) in refusals {
        let (found, said) = start(home.path(), settings).await.unwrap_err();
        assert!(found == status && said.contains(words), "{settings:?}: {found:?} {said}");
    }
    let secure = [("TLS__CERT", cert.as_str()), ("TLS__KEY", key.as_str())];
    let said = start(home.path(), &secure).await.unwrap();
    assert!(said.contains("https://0.0.0.0:") && !said.contains("chmod"), "{said}");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = start(home.path(), &secure).await.unwrap();
    assert!(said.contains("https://0.0.0.0:") && said.contains("chmod o-r"), "{said}");
    let said = start(home.path(), &[("BEHIND_PROXY", "true")]).await.unwrap();
    assert!(said.contains("http://0.0.0.0:"), "{said}");
}
