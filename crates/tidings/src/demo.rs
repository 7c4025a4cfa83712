//! `tidings serve --demo`: something to look at at once.
//!
//! Owns: the demo key (fresh at each start, the earlier one revoked), its file, the first events on the channel `demo`,
//! and the lines that are shown. Invariant: only with `--demo`, and that only on loopback, is a key made without being
//! asked for.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tidings_core::port::Store;
use tidings_core::port::store::{Action, Command};
use tidings_protocol::publish::parse_publish;
use tidings_server::admin::request::{CreatedKey, KeyCreate, Keys, Request};
use tidings_server::admin::{Admin, AdminError};

use crate::failure::Failure;

/// The tenant that the demo lives in.
const TENANT: &str = "default";
/// What the demo key is called.
const NAME: &str = "serve --demo";
/// Where its text is, in the data directory.
const FILE: &str = "demo-key";

/// What there is to read on the channel `demo`. The keys keep restarts from publishing it again within a day.
const EVENTS: &str = r#"{"events":[
    {"channel":"demo","type":"greeting","data":{"text":"Welcome to Tidings."},"idempotencyKey":"serve-demo-1"},
    {"channel":"demo","type":"progress","key":"upload","data":{"done":40,"of":100},"idempotencyKey":"serve-demo-2"},
    {"channel":"demo","type":"progress","key":"upload","data":{"done":100,"of":100},"idempotencyKey":"serve-demo-3"}
]}"#;

/// Draws a fresh demo key, writes it to its file, and publishes the demo's events.
///
/// # Errors
/// Storage or the file system refuses.
pub(crate) async fn prepare(admin: &Admin, store: &dyn Store, directory: &Path) -> Result<PathBuf, Failure> {
    let key =
        fresh_key(admin).await.map_err(|error| Failure::new(format!("cannot make the demo key: {error}")))?;
    let file = directory.join(FILE);
    let written = write_private(&file, &format!("{key}\n"));
    written
        .map_err(|error| Failure::new(format!("cannot write the demo key to {}: {error}", file.display())))?;
    publish(store).await?;
    Ok(fs::canonicalize(&file).unwrap_or(file))
}

async fn fresh_key(admin: &Admin) -> Result<String, AdminError> {
    let listed = admin.carry_out(Request::KeyList { tenant: Some(TENANT.to_owned()) }).await?;
    let listed: Keys = read(listed)?;
    for key in listed.keys.into_iter().filter(|key| key.name == NAME && key.revoked_at.is_none()) {
        admin.carry_out(Request::KeyRevoke { id: key.id }).await?;
    }
    let wanted = KeyCreate {
        tenant: TENANT.to_owned(),
        name: NAME.to_owned(),
        grants: vec!["publish:*".to_owned(), "subscribe:*".to_owned()],
        expires_in: None,
    };
    let made: CreatedKey = read(admin.carry_out(Request::KeyCreate(wanted)).await?)?;
    Ok(made.key)
}

fn read<T: serde::de::DeserializeOwned>(answer: serde_json::Value) -> Result<T, AdminError> {
    serde_json::from_value(answer).map_err(|error| AdminError::Failed(error.to_string()))
}

async fn publish(store: &dyn Store) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("cannot publish the demo's events: {error}"));
    let tenant = TENANT.parse().map_err(|error| failed(&error))?;
    let drafts = parse_publish(EVENTS.as_bytes()).map_err(|error| failed(&error))?;
    let command = Command { tenant, action: Action::Publish(drafts) };
    store.submit(command).await.map_err(|error| failed(&error))?;
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// What to type to see something.
pub(crate) fn lines(key_file: &Path, address: SocketAddr) -> String {
    let key = format!("\"Authorization: Bearer $(cat {})\"", quoted(key_file));
    format!(
        "the demo key is in {}; it works until the next start\n\n\
         follow the channel `demo` in one terminal:\n\n  \
         curl -N -H {key} 'http://{address}/v1/events?channel=demo&since=start'\n\n\
         and publish to it from another:\n\n  \
         curl -H {key} http://{address}/v1/publish -d '{{\"channel\":\"demo\",\"type\":\"hello\",\"data\":{{\"from\":\"curl\"}}}}'\n",
        key_file.display()
    )
}

/// The path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_demo_can_be_published() {
        let drafts = parse_publish(EVENTS.as_bytes()).unwrap();
        assert!(
            drafts.iter().all(|draft| draft.channel.as_str() == "demo" && draft.idempotency_key.is_some())
        );
    }

    #[test]
    fn the_key_file_is_private_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "earlier").unwrap();
        fs::write(path.with_extension("new"), "left over").unwrap();
        write_private(&path, "tdk_x\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "tdk_x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn lines_work_as_pasted() {
        let lines = lines(Path::new("/srv/it's here/demo-key"), "127.0.0.1:8080".parse().unwrap());
        assert!(
            lines.contains(r#"-H "Authorization: Bearer $(cat '/srv/it'\''s here/demo-key')""#),
            "{lines}"
        );
        assert!(
            lines.contains(r#"-d '{"channel":"demo","type":"hello","data":{"from":"curl"}}'"#),
            "{lines}"
        );
    }
}
