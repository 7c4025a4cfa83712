//! Administering the server of a data directory: by its admin socket while it runs, else directly.
//!
//! Owns: which of the two it is. Leaves out: what requests mean (`tidings_server::admin`) and which adapter the
//! directory holds ([`crate::parts`]).
//!
//! Invariant: the database is opened only by whoever holds the directory's lock.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidings_server::admin::request::Request;
use tidings_server::admin::socket::{CONVERSATION, NAME, ShortPath};
use tidings_server::admin::{Admin, NothingOpen};
use tidings_sqlite::LockError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::config::Settings;
use crate::failure::Failure;
use crate::parts;

/// How long to wait for a server that is starting or leaving, or for another command.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// The largest answer, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;

/// What comes back over the socket.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error { detail: String },
}

/// Carries a request out, on the running server if there is one.
///
/// # Errors
/// What did not work, or was refused.
pub(crate) async fn ask<T: DeserializeOwned>(settings: &Settings, request: Request) -> Result<T, Failure> {
    let directory = settings.data_dir.as_path();
    parts::make_directory(directory)?;
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        match parts::lock(directory) {
            Ok(lock) => break directly(directory, request, lock).await?,
            Err(LockError::Held(_)) => {}
            Err(other) => return Err(Failure::new(other.to_string())),
        }
        match connect(directory).await {
            Ok(stream) => break converse(stream, &request).await?,
            Err(error) if is_absent(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            Err(error) => return Err(unreachable(directory, &error)),
        }
    };
    serde_json::from_value(answer).map_err(|error| {
        Failure::new(format!("the server's answer is not understood ({error}): is it of another release?"))
    })
}

/// Whether a server answers on the directory's admin socket.
pub(crate) async fn is_served(directory: &Path) -> bool {
    connect(directory).await.is_ok()
}

async fn connect(directory: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(ShortPath::new(directory, NAME)?.as_path()).await
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn unreachable(directory: &Path, error: &io::Error) -> Failure {
    let directory = directory.display();
    Failure::new(match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "the server of {directory} runs as another user: run this as that user, or as root (sudo -u USER tidings …)"
        ),
        _ => format!(
            "{directory} is in use, but no server answers on its admin socket ({error}): wait until it has started or \
             ended, then try again"
        ),
    })
}

async fn directly(directory: &Path, request: Request, lock: parts::Lock) -> Result<Value, Failure> {
    let store = parts::open_for_command(directory)?;
    let admin = Admin::new(Arc::clone(&store) as _, parts::clock(), Arc::new(NothingOpen));
    let outcome = admin.carry_out(request).await;
    store.close();
    drop(lock);
    outcome.map_err(|error| Failure::new(error.to_string()))
}

async fn converse(mut stream: UnixStream, request: &Request) -> Result<Value, Failure> {
    let talk = async {
        let line = serde_json::to_string(request)? + "\n";
        stream.write_all(line.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
        Ok::<Answer, io::Error>(serde_json::from_slice(&answer)?)
    };
    match timeout(CONVERSATION, talk).await {
        Ok(Ok(Answer::Ok(value))) => Ok(value),
        Ok(Ok(Answer::Error { detail })) => Err(Failure::new(detail)),
        Ok(Err(error)) => Err(Failure::new(format!(
            "the server broke the conversation off ({error}); whether it did what was asked is not known"
        ))),
        Err(_) => Err(Failure::new("the server does not answer on its admin socket")),
    }
}
