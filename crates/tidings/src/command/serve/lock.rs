//! One server at a time in a data directory.

use std::path::Path;
use std::time::Duration;

use tidings_sqlite::LockError;
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::{local, parts};

/// A command may hold the lock for a moment, and so may a server that is leaving.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes the lock.
///
/// # Errors
/// A server has it, which is seen at once where its admin socket answers.
pub(super) async fn take(directory: &Path) -> Result<parts::Lock, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match parts::lock(directory) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held(_)) if Instant::now() < deadline && !local::is_served(directory).await => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(other) => return Err(Failure::new(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_server_is_refused_and_one_that_leaves_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).await.unwrap();
        let refused = take(folder.path()).await.unwrap_err().to_string();
        assert!(refused.contains(&folder.path().display().to_string()), "{refused}");
        let (second, ()) = tokio::join!(take(folder.path()), async {
            sleep(PATIENCE / 2).await;
            drop(first);
        });
        second.unwrap();
    }
}
