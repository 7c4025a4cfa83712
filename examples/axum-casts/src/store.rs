//! The program's own database: a file of casts, written whole. Yours is PostgreSQL, MongoDB or what you have.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tidings_client::CastStatus;
use tokio::sync::Mutex;

/// A cast as this program keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cast {
    pub id: String,
    pub user_id: String,
    pub spell: String,
    pub status: CastStatus,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub finished_at: Option<String>,
    pub cost_cents: Option<u64>,
    pub artifact_url: Option<String>,
    pub error_message: Option<String>,
    /// Whether Tidings knows of the last change. Written as false with each change, so that no crash can hide one.
    pub is_told: bool,
}

/// Why a cast was not changed.
#[derive(Debug)]
pub enum NotChanged {
    Missing,
    Ended,
    Failed(io::Error),
}

/// Casts by their ids. One change at a time.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    casts: Mutex<BTreeMap<String, Cast>>,
}

impl Store {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let casts = match tokio::fs::read(&path).await {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, casts: Mutex::new(casts) })
    }

    pub async fn find(&self, id: &str) -> Option<Cast> {
        self.casts.lock().await.get(id).cloned()
    }

    pub async fn untold(&self) -> Vec<Cast> {
        self.casts.lock().await.values().filter(|cast| !cast.is_told).cloned().collect()
    }

    /// A cast that waits.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn create(&self, user_id: String, spell: String) -> io::Result<Cast> {
        let cast = Cast {
            id: format!("cast_{:032x}", rand::random::<u128>()),
            user_id,
            spell,
            status: CastStatus::Queued,
            started_at: None,
            finished_at: None,
            cost_cents: None,
            artifact_url: None,
            error_message: None,
            is_told: false,
        };
        let mut casts = self.casts.lock().await;
        casts.insert(cast.id.clone(), cast.clone());
        self.write(&casts).await?;
        Ok(cast)
    }

    /// Changes a cast that has not ended.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn change(&self, id: &str, change: impl FnOnce(&mut Cast)) -> Result<Cast, NotChanged> {
        let mut casts = self.casts.lock().await;
        let cast = casts.get_mut(id).ok_or(NotChanged::Missing)?;
        if cast.status.is_end() {
            return Err(NotChanged::Ended);
        }
        change(cast);
        cast.is_told = false;
        let changed = cast.clone();
        self.write(&casts).await.map_err(NotChanged::Failed)?;
        Ok(changed)
    }

    /// Notes that Tidings knows of this state of a cast; not if it has changed since.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn mark_told(&self, told: &Cast) -> io::Result<()> {
        let mut casts = self.casts.lock().await;
        match casts.get_mut(&told.id) {
            Some(cast) if cast == told => cast.is_told = true,
            _ => return Ok(()),
        }
        self.write(&casts).await
    }

    async fn write(&self, casts: &BTreeMap<String, Cast>) -> io::Result<()> {
        let new = self.path.with_extension("new");
        tokio::fs::write(&new, serde_json::to_vec(casts)?).await?;
        tokio::fs::rename(&new, &self.path).await
    }
}
