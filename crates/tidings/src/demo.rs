//! `tidings serve --demo`: something to look at at once.
//!
//! Owns: two users and two keys, with fresh secrets at each start ([`people`]), the files that hold them ([`files`]), the
//! first events on the channel `demo`, the first casts ([`samples`]), and the lines that are shown ([`lines`]).
//!
//! Invariants: only with `--demo`, and that only on loopback, is a credential made without being asked for; what an
//! earlier start has drawn works no longer when this one listens.

mod files;
mod lines;
mod people;
mod samples;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidings_core::port::Store;
use tidings_core::port::store::{Action, Command};
use tidings_protocol::publish::parse_publish;
use tidings_server::admin::Admin;

use crate::failure::Failure;
use files::Files;
use samples::Samples;

/// The tenant that the demo lives in.
const TENANT: &str = "default";

/// What there is to read on the channel `demo`. The keys keep restarts from publishing it again within a day.
const EVENTS: &str = r#"{"events":[
    {"channel":"demo","type":"greeting","data":{"text":"Welcome to Tidings."},"idempotencyKey":"serve-demo-1"},
    {"channel":"demo","type":"progress","key":"upload","data":{"done":40,"of":100},"idempotencyKey":"serve-demo-2"},
    {"channel":"demo","type":"progress","key":"upload","data":{"done":100,"of":100},"idempotencyKey":"serve-demo-3"}
]}"#;

/// The demo of one start.
pub(crate) struct Demo {
    files: Files,
    service_key: String,
    /// The member's id.
    member: String,
    /// The cast that waits to be driven.
    cast: Option<String>,
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo").field("member", &self.member).finish_non_exhaustive()
    }
}

/// Draws fresh credentials, writes them to their files, and publishes the demo's events. To be called before anything is
/// served: what the earlier credentials opened is not ended.
///
/// # Errors
/// Storage or the file system refuses.
pub(crate) async fn prepare(admin: &Admin, store: &dyn Store, directory: &Path) -> Result<Demo, Failure> {
    let drawn = people::draw(admin).await;
    let drawn =
        drawn.map_err(|error| Failure::new(format!("cannot make the demo's users and keys: {error}")))?;
    let files = Files::of(directory);
    let line = |text: &str| format!("{text}\n");
    files.write(files::KEY, &line(&drawn.service_key))?;
    files.write(files::MEMBER_KEY, &line(&drawn.member_key))?;
    files.write(files::MEMBER_PASSWORD, &line(drawn.member.password.as_deref().unwrap_or_default()))?;
    files.write(files::ADMIN_PASSWORD, &line(drawn.admin.password.as_deref().unwrap_or_default()))?;
    // The session in it has ended, and curl keeps the mode of a file that is there.
    files.write(files::COOKIES, "")?;
    publish(store).await?;
    Ok(Demo { files, service_key: drawn.service_key, member: drawn.member.id, cast: None })
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

impl Demo {
    /// Tells the server, which serves by now and without TLS, of the demo's casts.
    pub(crate) async fn tell_of_casts(self, server: SocketAddr) -> Self {
        let Self { files, service_key, member, .. } = &self;
        let cast = Samples { files, service_key, member }.tell(server).await;
        Self { cast, ..self }
    }

    /// The file with the service key.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.files.path(files::KEY)
    }

    /// What to type to see something on the server at this URL.
    pub(crate) fn lines(&self, url: &str) -> String {
        lines::lines(&self.files, url, self.cast.as_deref())
    }

    /// The same for programs: where the secrets are, and what there is.
    pub(crate) fn describe(&self) -> Value {
        json!({
            "key": self.files.path(files::KEY),
            "memberKey": self.files.path(files::MEMBER_KEY),
            "member": { "id": self.member, "email": people::MEMBER_EMAIL, "password": self.files.path(files::MEMBER_PASSWORD) },
            "admin": { "email": people::ADMIN_EMAIL, "password": self.files.path(files::ADMIN_PASSWORD) },
            "cast": self.cast,
        })
    }
}

#[cfg(test)]
mod tests;
