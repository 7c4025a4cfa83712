//! Administering the server of a data directory: by its admin socket while it runs, else directly.
//!
//! Owns: which of the two it is. Leaves out: what requests mean (`tidings_server::admin`) and which adapter the
//! directory holds ([`crate::parts`]).
//!
//! Invariant: the database is opened only by whoever holds the directory's lock.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidings_server::admin::request::Request;
use tidings_server::admin::socket::{CONVERSATION, NAME, ShortPath};
use tidings_server::admin::{Admin, Configured, NothingOpen};
use tidings_sqlite::{LockError, SqliteStore};
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

/// The way to what administers a data directory.
pub(crate) enum Local {
    /// The server that runs.
    Served {
        directory: PathBuf,
        /// Connected when it was found.
        first: Option<UnixStream>,
    },
    /// This process, with no server running. What is opened goes in this order, the lock last.
    Alone { admin: Admin, store: Arc<SqliteStore>, lock: parts::Lock },
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Local")
    }
}

/// Carries a request out, on the running server if there is one.
///
/// # Errors
/// What did not work, or was refused.
pub(crate) async fn ask<T: DeserializeOwned>(settings: &Settings, request: Request) -> Result<T, Failure> {
    if request.begins() {
        parts::make_directory(&settings.data_dir)?;
    }
    let mut local = Local::find(settings).await?;
    let answer = local.ask(request).await;
    local.leave();
    answer
}

impl Local {
    /// Finds the server that runs, or opens the directory where none does.
    ///
    /// # Errors
    /// There is no such directory, or neither can be done.
    pub(crate) async fn find(settings: &Settings) -> Result<Self, Failure> {
        let directory = settings.data_dir.as_path();
        if !directory.is_dir() {
            return Err(missing(directory));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match parts::lock(directory) {
                Ok(lock) => return Self::alone(settings, lock),
                Err(LockError::Held(_)) => {}
                Err(other) => return Err(Failure::new(other.to_string())),
            }
            match connect(directory).await {
                Ok(stream) => {
                    return Ok(Self::Served { directory: directory.to_owned(), first: Some(stream) });
                }
                Err(error) if is_absent(&error) && Instant::now() < deadline => sleep(PAUSE).await,
                Err(error) => return Err(unreachable(directory, &error)),
            }
        }
    }

    fn alone(settings: &Settings, lock: parts::Lock) -> Result<Self, Failure> {
        let store = parts::open_for_command(&settings.data_dir)?;
        let admin = Admin::new(Arc::clone(&store), parts::clock(), Arc::new(NothingOpen));
        let admin = admin.configured(configured(settings));
        Ok(Self::Alone { admin, store, lock })
    }

    /// Carries a request out.
    ///
    /// # Errors
    /// What did not work, or was refused.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, Failure> {
        let answer = match self {
            Self::Served { directory, first } => {
                let stream = match first.take() {
                    Some(stream) => stream,
                    None => connect(directory).await.map_err(|error| unreachable(directory, &error))?,
                };
                converse(stream, &request).await?
            }
            Self::Alone { admin, .. } => {
                admin.carry_out(request).await.map_err(|error| Failure::new(error.to_string()))?
            }
        };
        serde_json::from_value(answer).map_err(|error| {
            Failure::new(format!(
                "the server's answer is not understood ({error}): is it of another release?"
            ))
        })
    }

    /// Lets the directory go: what was changed is in the file before another takes the lock.
    pub(crate) fn leave(self) {
        if let Self::Alone { store, lock, .. } = self {
            store.close();
            drop(lock);
        }
    }
}

/// What a command knows of the server's configuration. It may have been given none of it: that it names no issuer does
/// not mean that the server believes none.
fn configured(settings: &Settings) -> Configured {
    let configured = Configured::default().github_secret(settings.github_secret.clone());
    match settings.server.issuers.as_slice() {
        [] => configured,
        issuers => configured.issuers(issuers),
    }
}

/// Whether a server answers on the directory's admin socket.
pub(crate) async fn is_served(directory: &Path) -> bool {
    connect(directory).await.is_ok()
}

fn missing(directory: &Path) -> Failure {
    Failure::new(format!(
        "there is no data directory {}: name the right one by --data-dir, or begin with `tidings serve`",
        directory.display()
    ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_server::admin::request::{CreatedKey, KeyCreate, KeyRow, Keys, Tenants};
    use tidings_server::admin::socket::AdminSocket;

    fn settings(directory: &Path) -> Settings {
        Settings { data_dir: directory.join("data"), ..Settings::default() }
    }

    fn wanted() -> Request {
        let grants = vec!["publish:*".to_owned()];
        Request::KeyCreate(KeyCreate { name: "ci".into(), grants, ..KeyCreate::default() })
    }

    #[tokio::test]
    async fn without_a_server_the_database_is_changed_directly() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let refused =
            ask::<Keys>(&settings, Request::KeyList { tenant: None }).await.unwrap_err().to_string();
        assert!(refused.contains("there is no data directory"), "{refused}");
        let made: CreatedKey = ask(&settings, wanted()).await.unwrap();
        let listed: Keys = ask(&settings, Request::KeyList { tenant: None }).await.unwrap();
        assert_eq!(listed.keys[0].id, made.id);
        let refused = ask::<CreatedKey>(&settings, wanted()).await.unwrap_err().to_string();
        assert!(refused.contains("has a key named `ci` already"), "{refused}");
        let row: KeyRow = ask(&settings, Request::KeyRevoke { id: made.id }).await.unwrap();
        assert!(row.revoked_at.is_some());
    }

    #[tokio::test]
    async fn with_a_server_its_socket_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let directory = settings.data_dir.as_path();
        parts::make_directory(directory).unwrap();
        let _lock = parts::lock(directory).unwrap();
        let store = parts::open_for_command(directory).unwrap();
        let admin = Admin::new(Arc::clone(&store), parts::clock(), Arc::new(NothingOpen));
        assert!(!is_served(directory).await);
        let serving = tokio::spawn(AdminSocket::bind(directory).unwrap().serve(Arc::new(admin)));
        assert!(is_served(directory).await);
        let made: CreatedKey = ask(&settings, wanted()).await.unwrap();
        let tenants: Tenants = ask(&settings, Request::TenantList {}).await.unwrap();
        assert_eq!(tenants.tenants[0].tenant, "default");
        let refused = ask::<CreatedKey>(&settings, wanted()).await.unwrap_err().to_string();
        assert!(refused.contains("has a key named `ci` already"), "{refused}");
        let listed: Keys = ask(&settings, Request::KeyList { tenant: Some("default".into()) }).await.unwrap();
        assert_eq!(listed.keys[0].id, made.id);
        let mut local = Local::find(&settings).await.unwrap();
        for _ in 0..2 {
            let tenants: Tenants = local.ask(Request::TenantList {}).await.unwrap();
            assert_eq!(tenants.tenants.len(), 1);
        }
        local.leave();
        serving.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_without_a_server_is_waited_for_and_then_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        parts::make_directory(&settings.data_dir).unwrap();
        let lock = parts::lock(&settings.data_dir).unwrap();
        let refused = ask::<Tenants>(&settings, Request::TenantList {}).await.unwrap_err().to_string();
        assert!(refused.contains("no server answers on its admin socket"), "{refused}");
        let (answer, ()) = tokio::join!(ask::<Tenants>(&settings, Request::TenantList {}), async {
            sleep(PATIENCE / 2).await;
            drop(lock);
        });
        assert_eq!(answer.unwrap().tenants.len(), 1);
    }
}
