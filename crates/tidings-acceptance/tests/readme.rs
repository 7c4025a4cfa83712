//! The README's lines, as they stand there, against a server with demo data; and the lines that it prints itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tidings_acceptance::wait::{until, within};
use tidings_acceptance::{Server, ServerOptions, Target, binary, http, report};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// The lines of a text that are curl calls: first the one that listens, then the one that publishes.
fn curl_lines(text: &str) -> [String; 2] {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    lines.map(str::to_owned).collect::<Vec<_>>().try_into().expect("two lines")
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
    paste(curl_lines(&readme), folder).await;

    server.start_kill().unwrap();
    let mut printed = String::new();
    server.stdout.take().unwrap().read_to_string(&mut printed).await.unwrap();
    let [listen, publish] = curl_lines(&printed);
    assert!(listen.contains("since=start") && publish.contains("/v1/publish"), "{printed}");
    report("the README's lines work as pasted");
}
