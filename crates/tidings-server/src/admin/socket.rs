//! The socket in the data directory: one request a connection.
//!
//! Owns: where it lies, who may connect, and the bounds of a conversation. Leaves out: what requests mean.
//!
//! Invariants: the socket is never reachable by another user, not even while it is being made (it is bound inside a
//! directory of mode 0700, given mode 0600, and then moved into place); it is bound by a path of a few bytes, since a
//! socket's path has at most 107 (unix(7)); whoever binds holds the directory's lock, so that what lies in the way is
//! left over from a server that is gone.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidings_protocol::json::from_object;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::request::Request;
use super::{Admin, AdminError};

/// The socket's name in the data directory.
pub const NAME: &str = "tidings.sock";
/// The largest request, in bytes.
pub const REQUEST_BYTES: u64 = 64 * 1024;
/// A conversation takes at most so long.
pub const CONVERSATION: Duration = Duration::from_secs(30);
/// So many conversations at once; further ones wait in the kernel's queue.
const CONVERSATIONS: usize = 16;
/// Where the socket is made before it is moved into place.
const WORKSHOP: &str = ".tidings.sock.new";

/// A path to a file of the directory that is short however deep the directory lies; good while this lives.
#[derive(Debug)]
pub struct ShortPath {
    _directory: File,
    path: PathBuf,
}

impl ShortPath {
    /// A path to `name` in `directory`, through the process's own descriptor of the directory.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn new(directory: &Path, name: &str) -> io::Result<Self> {
        let handle = File::open(directory)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        let base = if short.exists() { short } else { directory.to_owned() };
        Ok(Self { _directory: handle, path: base.join(name) })
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

/// A bound socket; the file goes when this is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    file: PathBuf,
    /// Who may connect, besides root.
    owner: u32,
}

impl AdminSocket {
    /// Binds the socket of a data directory whose lock the caller holds. Within a tokio runtime.
    ///
    /// # Errors
    /// The file system, or the kernel, refuses.
    pub fn bind(directory: &Path) -> io::Result<Self> {
        let file = directory.join(NAME);
        let workshop = directory.join(WORKSHOP);
        remove(fs::remove_dir_all(&workshop))?;
        DirBuilder::new().mode(0o700).create(&workshop)?;
        let listener = UnixListener::bind(ShortPath::new(&workshop, "s")?.as_path())?;
        let made = workshop.join("s");
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        let owner = fs::metadata(&made)?.uid();
        fs::rename(&made, &file)?;
        fs::remove_dir(&workshop)?;
        Ok(Self { listener, file, owner })
    }

    /// Answers requests until the future is dropped.
    pub async fn serve(self, admin: Arc<Admin>) {
        let places = Arc::new(Semaphore::new(CONVERSATIONS));
        let mut conversations = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while conversations.try_join_next().is_some() {}
            match self.accept().await {
                Ok(stream) => {
                    let admin = Arc::clone(&admin);
                    conversations.spawn(async move {
                        converse(stream, &admin).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin socket refused a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        if uid != self.owner && uid != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("user {uid} may not connect"),
            ));
        }
        Ok(stream)
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = remove(fs::remove_file(&self.file)) {
            tracing::warn!(%error, "the admin socket's file stays behind");
        }
    }
}

/// What is not there needs no removing.
fn remove(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

async fn converse(stream: UnixStream, admin: &Admin) {
    match tokio::time::timeout(CONVERSATION, exchange(stream, admin)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a conversation on the admin socket broke off"),
        Err(_) => tracing::debug!("a conversation on the admin socket took too long"),
    }
}

async fn exchange(mut stream: UnixStream, admin: &Admin) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    BufReader::new(reader).take(REQUEST_BYTES).read_until(b'\n', &mut line).await?;
    let answer = match answer(&line, admin).await {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": {"code": error.code(), "detail": error.to_string()}}),
    };
    writer.write_all(format!("{answer}\n").as_bytes()).await?;
    writer.shutdown().await
}

async fn answer(line: &[u8], admin: &Admin) -> Result<serde_json::Value, AdminError> {
    if line.last() != Some(&b'\n') {
        let why = format!("a request is one line of at most {REQUEST_BYTES} bytes");
        return Err(AdminError::Invalid(why));
    }
    let request: Request =
        from_object(line).map_err(|problem| AdminError::Invalid(format!("not a request: {problem}")))?;
    admin.carry_out(request).await
}
