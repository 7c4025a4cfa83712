//! The administration over the in-memory directory, by call and through the socket.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use parking_lot::Mutex;
use serde_json::json;
use tidings_contract::{MemoryDisk, MemoryStore, TestClock};
use tidings_core::port::store::{Batch, Commits, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::socket::{AdminSocket, NAME, ShortPath};
use super::*;

struct Deaf;

impl Commits for Deaf {
    fn committed(&self, _batch: Batch) {}
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Revocations for Noted {
    fn key_revoked(&self, id: &str) {
        self.0.lock().push(id.to_owned());
    }
}

struct Bench {
    admin: Arc<Admin>,
    directory: Arc<MemoryStore>,
    revoked: Arc<Noted>,
}

fn bench() -> Bench {
    let clock = Arc::new(TestClock::default());
    let store =
        MemoryStore::open(&MemoryDisk::default(), Arc::clone(&clock) as _, Policy::default(), Arc::new(Deaf));
    let directory = Arc::new(store);
    let revoked = Arc::new(Noted::default());
    let admin = Arc::new(Admin::new(Arc::clone(&directory) as _, clock, Arc::clone(&revoked) as _));
    Bench { admin, directory, revoked }
}

fn wanted(tenant: &str, name: &str, grants: &[&str]) -> Request {
    Request::KeyCreate(KeyCreate {
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        grants: grants.iter().map(|&grant| grant.to_owned()).collect(),
        expires_in: None,
    })
}

async fn refused(admin: &Admin, request: Request) -> (&'static str, String) {
    let error = admin.carry_out(request).await.unwrap_err();
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_key_is_answered_once_and_stored_as_its_hash() {
    let bench = bench();
    let made = bench.admin.carry_out(wanted("default", "ci", &["publish:*", "subscribe:a:*"])).await.unwrap();
    let made: CreatedKey = serde_json::from_value(made).unwrap();
    let stored = bench.directory.find_key(crate::auth::hash_key(&made.key)).await.unwrap().unwrap();
    assert_eq!((stored.id.as_str(), stored.name.as_str()), (made.id.as_str(), "ci"));
    let listed = bench.admin.carry_out(Request::KeyList { tenant: None }).await.unwrap();
    assert_eq!(listed["keys"][0]["grants"], json!(["publish:*", "subscribe:a:*"]));
    assert!(!listed.to_string().contains(&made.key));
}

#[tokio::test]
async fn expiry_counts_from_now() {
    let bench = bench();
    let Request::KeyCreate(key) = wanted("default", "short", &["publish:*"]) else { unreachable!() };
    bench.admin.carry_out(Request::KeyCreate(KeyCreate { expires_in: Some(60), ..key })).await.unwrap();
    let listed = bench.admin.carry_out(Request::KeyList { tenant: Some("default".into()) }).await.unwrap();
    assert_eq!(listed["keys"][0]["createdAt"], "2025-11-21T09:00:00.000Z");
    assert_eq!(listed["keys"][0]["expiresAt"], "2025-11-21T09:01:00.000Z");
}

#[tokio::test]
async fn revoking_tells_whoever_has_streams_open() {
    let bench = bench();
    let made = bench.admin.carry_out(wanted("default", "ci", &["publish:*"])).await.unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let row = bench.admin.carry_out(Request::KeyRevoke { id: id.clone() }).await.unwrap();
    assert!(row["revokedAt"].is_string());
    assert_eq!(*bench.revoked.0.lock(), [id]);
    bench.admin.carry_out(wanted("default", "ci", &["publish:*"])).await.expect("the name is free again");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let bench = bench();
    let admin = &bench.admin;
    admin.carry_out(wanted("default", "ci", &["publish:*"])).await.unwrap();
    let table = [
        (wanted("nobody", "ci", &["publish:*"]), "missing", "tidings tenant add nobody"),
        (wanted("No", "ci", &["publish:*"]), "invalid", "a tenant's name"),
        (wanted("default", "ci", &["publish:*"]), "taken", "revoke that one first"),
        (wanted("default", "", &["publish:*"]), "invalid", "a key's name"),
        (wanted("default", "x", &[]), "invalid", "1 to 100 grants"),
        (wanted("default", "x", &["read:*"]), "invalid", "a grant is publish:<pattern>"),
        (Request::KeyRevoke { id: "key_x".into() }, "missing", "tidings key list"),
        (Request::TenantAdd { tenant: "default".into() }, "taken", "already"),
    ];
    for (request, code, words) in table {
        let (found, text) = refused(admin, request.clone()).await;
        assert_eq!(found, code, "{request:?}");
        assert!(text.contains(words), "{text}");
    }
}

async fn ask(directory: &Path, request: &[u8]) -> serde_json::Value {
    let mut stream = UnixStream::connect(ShortPath::new(directory, NAME).unwrap().as_path()).await.unwrap();
    // A refused request may be answered before all of it is read.
    let _ = stream.write_all(request).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn the_socket_answers_one_line_with_one_line() {
    let folder = Folder::new();
    let deep = folder.0.join("d".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join(NAME), "left over").unwrap();
    let socket = AdminSocket::bind(&deep).unwrap();
    let mode = std::fs::metadata(deep.join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bench = bench();
    let serving = tokio::spawn(socket.serve(Arc::clone(&bench.admin)));

    let answer = ask(&deep, b"{\"op\":\"tenant_add\",\"tenant\":\"acme\"}\n").await;
    assert_eq!(answer["ok"]["tenant"], "acme");
    let answer = ask(&deep, b"{\"op\":\"status\"}\n").await;
    assert_eq!(answer["ok"]["tenants"], 2);
    for bad in [&b"{}\n"[..], b"{\"op\":\"status\",\"x\":1}\n", b"{\"op\":\"drop\"}\n", b"\n"] {
        assert_eq!(ask(&deep, bad).await["error"]["code"], "invalid");
    }
    let answer = ask(&deep, &vec![b' '; 64 * 1024]).await;
    assert_eq!(answer["error"]["code"], "invalid");

    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert!(!deep.join(NAME).exists());
}

/// A directory of this test's own, gone afterwards.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(secret::draw_id().unwrap());
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
