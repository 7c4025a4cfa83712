//! Log, Store, Directory, Users and AuditLog in one SQLite file: the default storage.
//!
//! Owns: the file's shape and its migrations, the one writer with its group commit, the pool of readers, retention,
//! idempotency, held values, and the lineages by which a lost tail is recognised. Leaves out: who may do what, and
//! everything after a commit but telling [`Commits`](tidings_core::port::Commits).
//!
//! Invariants: one thread writes; nothing is answered or told before its commit; a failed commit ends writing for good;
//! no statement's cost depends on how many events are stored; every queue and cache has a limit.
//!
//! Reading order: [`store`] (the face), `options`, `open` with `start` (what a start does), `writer` (the thread),
//! `group` (one transaction), `append` (one command's events) with `keys`, `answers`, `channels`, `records` and `stages`;
//! `retention` with `sweep`, `floor` and `remove`; `readers`, `page`, `merge` and `marks` (reading); `change` (what is no
//! command) with `directory`, `webhooks`, `users`, `cookie_sessions` and `audit`.

#![warn(missing_docs)]

mod answers;
mod append;
mod audit;
mod cache;
mod change;
mod channels;
mod connection;
mod cookie_sessions;
mod directory;
mod error;
mod floor;
mod group;
mod held;
mod inbox;
mod inspect;
mod keys;
mod lock;
mod marks;
mod merge;
mod migrate;
mod open;
mod options;
mod page;
mod readers;
mod records;
mod remove;
mod retention;
mod row;
mod runs;
mod stages;
mod start;
pub mod store;
mod sweep;
mod tenants;
mod trim;
mod users;
mod webhooks;
mod writer;

#[cfg(test)]
mod plans;

pub use error::OpenError;
pub use inspect::{Inspection, inspect};
pub use lock::{DirectoryLock, LockError};
pub use options::{Durability, Options};
pub use store::SqliteStore;
