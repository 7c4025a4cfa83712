//! Power cuts and failing disks: what was answered is on the disk, and a disk that fails is not written on.
//!
//! The server runs over a recording file layer ([`shim`]). What a disk would hold at any moment is played back from the
//! record ([`disk`]), and a server is started on it. The layer is preloaded, which is done on Linux alone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cuts;
mod disk;
mod faults;
mod order;
mod recording;
mod shim;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tidings_acceptance::numbered::draft;
use tidings_acceptance::publish::Make;
use tokio::sync::Mutex;

/// One after the other: each keeps both cores busy.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Small events, and every seventh so large that it needs pages of its own.
fn make() -> Make {
    Arc::new(|n| draft(&format!("power:{}", n % 5), n, if n.is_multiple_of(7) { 9_000 } else { 80 }))
}

/// The ids in a 200 to a publish, if these bytes are one.
fn receipts(sent: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(sent);
    if !text.starts_with("HTTP/1.1 200") || !text.contains("\"duplicate\":") {
        return Vec::new();
    }
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("an answer cut in two ({error}): {text}"));
    let events = body["events"].as_array().expect("receipts");
    events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
}

/// SQLite's own opinion of the file, after whatever recovery it needs.
fn check_integrity(data_dir: &Path) {
    let connection = rusqlite::Connection::open(data_dir.join("tidings.db")).expect("the database");
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    let mut broken = connection.prepare("PRAGMA foreign_key_check").expect("a check");
    assert!(!broken.exists([]).expect("a verdict"), "rows that refer to nothing");
}
