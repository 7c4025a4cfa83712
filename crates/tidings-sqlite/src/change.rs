//! Changes besides commands: of the directory, of users, of the audit log.
//!
//! Owns: the way of such a change through the writer, each in a transaction of its own, and of lists through the
//! readers. Leaves out: what is changed (`directory`, `webhooks`, `users`, `cookie_sessions`, `audit`).

use rusqlite::{Connection, OptionalExtension};
use tidings_core::port::StorageError;
use tidings_core::port::directory::DirectoryError;
use tidings_protocol::TenantId;
use tokio::sync::oneshot;

use crate::error::Step;
use crate::inbox::{Change, Chore};
use crate::store::SqliteStore;

/// What a change answers.
pub(crate) type Answer<T> = Result<T, DirectoryError>;

/// A change as two closures, and who waits for it.
struct Work<T, F, G> {
    work: F,
    /// Called on the writer's thread once the change is committed.
    after: G,
    result: Option<Answer<T>>,
    reply: oneshot::Sender<Answer<T>>,
}

impl<T, F, G> Change for Work<T, F, G>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<Answer<T>> + Send,
    G: FnOnce(&T) + Send,
{
    fn apply(&mut self, connection: &Connection) -> Step<()> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let lost = || Err(StorageError::Unavailable("the change was not carried out".into()).into());
        let answer = match committed {
            Ok(()) => self.result.unwrap_or_else(lost),
            Err(why) => Err(why.into()),
        };
        if let Ok(value) = &answer {
            (self.after)(value);
        }
        let _ = self.reply.send(answer);
    }
}

impl SqliteStore {
    /// Queues a change. What it refuses, it must not have written.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<Answer<T>> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> impl Future<Output = Answer<T>> + Send {
        let (reply, answer) = oneshot::channel();
        let work = Work { work, after, result: None, reply };
        let queued =
            self.shared.health().and_then(|()| self.shared.inbox.push_chore(Chore::Change(Box::new(work))));
        async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(self.lost().into()))
        }
    }

    /// Reads a list.
    pub(crate) fn list<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Answer<T>> + Send {
        let read = self.readers.read(read);
        async move { Ok(read.await?) }
    }
}

/// A tenant's row.
pub(crate) fn tenant_row(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM tenants WHERE name = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()
}
