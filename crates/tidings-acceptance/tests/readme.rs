//! The README's lines, as they stand there, against a server with demo data; and the lines that it prints itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Server, ServerOptions, Target, binary, http, report};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The lines of a text that are curl calls.
fn curl_lines<const N: usize>(text: &str) -> [String; N] {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    lines.map(str::to_owned).collect::<Vec<_>>().try_into().expect("so many lines")
}

fn shell(line: &str, folder: &Path) -> Child {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("exec {line}")]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().unwrap()
}

/// Reads what the listener prints until a line begins with `wanted`.
async fn read_to(lines: &mut (impl AsyncBufReadExt + Unpin), wanted: &str) {
    let mut line = String::new();
    while !line.starts_with(wanted) {
        line.clear();
        let read = within(Duration::from_secs(10), wanted, lines.read_line(&mut line)).await.unwrap();
        assert_ne!(read, 0, "the listener ended before {wanted}");
    }
}

async fn paste(lines: [String; 2], folder: &Path) {
    let [listen, publish] = lines;
    let mut listener = shell(&listen, folder);
    let mut heard = BufReader::new(listener.stdout.take().unwrap());
    read_to(&mut heard, "event: $ready").await;
    let answer =
        within(Duration::from_secs(10), &publish, shell(&publish, folder).wait_with_output()).await.unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.contains("\"duplicate\":false"), "{publish}: {answer}");
    read_to(&mut heard, "event: hello").await;
}

async fn answer(line: &str, folder: &Path) -> String {
    let output = within(Duration::from_secs(20), line, shell(line, folder).wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the server says, up to the line that drives a cast, and that line.
async fn welcome(server: &mut Child) -> (String, String) {
    let mut said = BufReader::new(server.stdout.take().unwrap());
    let mut printed = String::new();
    loop {
        let start = printed.len();
        let read = within(Duration::from_secs(20), "the lines", said.read_line(&mut printed)).await.unwrap();
        assert_ne!(read, 0, "the server ended: {printed}");
        if printed[start..].contains(" simulate casts ") {
            let line = printed[start..].trim().to_owned();
            return (printed, line);
        }
    }
}

/// The README's line that drives a cast, by the binary under test.
fn simulate_line(readme: &str) -> String {
    let mut lines = readme.lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_prefix("target/release/tidings simulate casts "));
    format!("{} simulate casts {}", binary::path().display(), line.expect("a line that drives a cast"))
}

/// Follows a cast while the command drives it to its end.
async fn drive(follow: &str, simulate: &str, folder: &Path) {
    let mut follower = shell(follow, folder);
    let mut heard = BufReader::new(follower.stdout.take().unwrap());
    read_to(&mut heard, "event: $ready").await;
    answer(&format!("{simulate} --duration 1s"), folder).await;
    for frame in ["event: progress", "event: artifact", "event: complete", "event: $end"] {
        read_to(&mut heard, frame).await;
    }
}

#[tokio::test]
async fn the_lines_work_as_pasted() {
    let place = Server::prepare(ServerOptions::new());
    let (folder, address) = (place.scratch(), place.address());
    let mut command = Command::new(binary::path());
    command
        .args(["serve", "--demo", "--data-dir", "data", "--listen", &address.to_string()])
        .current_dir(folder);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until(Duration::from_secs(10), "the server to be ready", async || {
        let answer = http::ask(&Target::new(address, ""), "GET", "/readyz", None).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;

    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap().replace("127.0.0.1:8080", &address.to_string());
    let [listen, publish, sign_in, create, follow] = curl_lines(&readme);
    paste([listen, publish], folder).await;
    for (line, wanted) in [(&sign_in, "member@demo.example"), (&create, "\"status\":\"queued\"")] {
        let told = answer(line, folder).await;
        assert!(told.contains(wanted), "{line}: {told}");
    }
    drive(&follow, &simulate_line(&readme), folder).await;

    let (printed, simulate) = welcome(&mut server).await;
    let [listen, publish, sign_in, me, follow] = curl_lines(&printed);
    assert!(listen.contains("since=start"), "{printed}");
    paste([listen, publish], folder).await;
    for line in [&sign_in, &me] {
        let user = answer(line, folder).await;
        assert!(user.contains("\"email\":\"member@demo.example\""), "{line}: {user}");
    }
    drive(&follow, &simulate, folder).await;
    report("the README's and the demo's lines work as pasted");
}
