//! What is secret stays where it was sent: at the most talkative log level no key, token, cookie, ticket, password,
//! signature or secret is in the server's words, its answers, its audit log, its figures or its files.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod canaries;
mod h2;
mod requests;

use std::path::Path;
use std::time::Duration;

use tidings_acceptance::wait::until;
use tidings_acceptance::{Call, Server, report};

use canaries::{Canaries, Found};
use requests::Stage;

/// The one kind of secret that is kept as it is: what verifies a signature is what makes it (RFC 2104).
const KEPT: &str = "the stored webhook secret";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_logged_answered_audited_or_stored() {
    let mut stage = Stage::make().await;
    stage.good().await;
    stage.bad_headers().await;
    stage.bad_bodies().await;
    stage.bad_messages().await;
    stage.bad_deliveries().await;
    stage.malformed().await;
    stage.over_http2().await;
    stage.by_command_line().await;
    let Stage { mut server, canaries, answers, .. } = stage;
    for path in ["/metrics", "/openapi.json", "/asyncapi.json", "/readyz", "/healthz"] {
        canaries.assert_none(path, &Call::get(path).make(server.address()).await.body);
    }
    lists(&server, &canaries).await;

    server.stop().await;
    let rows = server.json(&["audit", "--limit", "10000"]).await.to_string();
    canaries.assert_none("audit rows", rows.as_bytes());
    let (out, err) = (words(&server, "stdout"), words(&server, "stderr"));
    canaries.assert_none("stdout", &out);
    canaries.assert_none("stderr", &err);
    let text = String::from_utf8_lossy(&err);
    assert!(text.contains("TRACE") && text.contains("DEBUG"), "the log was at its most talkative");
    assert!(!text.contains("panicked"), "{}", server.words());
    let (files, bytes) = data(&server.data_dir(), &canaries);
    report(format!(
        "secrets: {} canaries in {answers} answers, {} KiB of logs, {} KiB of audit rows, {files} files of {} KiB: none found",
        canaries.len(),
        err.len() / 1_024,
        rows.len() / 1_024,
        bytes / 1_024
    ));
    report(format!("secrets: kept as it is, in the database alone: {KEPT}"));
}

/// What the command line lists of a running server.
async fn lists(server: &Server, canaries: &Canaries) {
    for command in
        [["key", "list"], ["user", "list"], ["webhook", "list"], ["tenant", "list"], ["config", "print"]]
    {
        canaries.assert_none(&command.join(" "), server.json(&command).await.to_string().as_bytes());
    }
    // Rows are written a moment after what they tell of.
    let rows = until(Duration::from_secs(5), "the control in the audit log", async || {
        let rows = server.json(&["audit", "--limit", "10000"]).await.to_string();
        rows.contains(canaries.control()).then_some(rows)
    })
    .await;
    canaries.assert_none("audit rows", rows.as_bytes());
}

/// All that the process of the first start has written.
fn words(server: &Server, what: &str) -> Vec<u8> {
    std::fs::read(server.scratch().join(format!("{what}.1"))).unwrap()
}

/// Looks through every file of the data directory: how many there are, and their bytes.
fn data(directory: &Path, canaries: &Canaries) -> (usize, usize) {
    let (mut files, mut bytes, mut kept) = (0, 0, 0);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let Ok(content) = std::fs::read(&path) else { continue };
        for Found { name, form } in canaries.find(&content) {
            assert_eq!((name.as_str(), form), (KEPT, "as it is"), "{}", path.display());
            kept += 1;
        }
        files += 1;
        bytes += content.len();
    }
    assert!(files > 0 && kept > 0, "{kept} in {files} files: the search finds what is there");
    (files, bytes)
}
