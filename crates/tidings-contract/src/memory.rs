//! The in-memory reference: Log, Store, Directory, Users and AuditLog as an executable specification, and a Tail within
//! one process.
//!
//! Naive and clear before fast: where the suites and this code agree, this code is what the words of the ports mean.
//! Every command is a commit of its own, made under one lock; nothing is ever half written.
//!
//! Reading order: [`disk`] (what outlives a start), `tenant` (what a tenant's state is), `read`, `write`, `retention`,
//! [`store`] (the ports), `directory`, `users`, `audit`, [`tail`].

mod audit;
mod directory;
pub mod disk;
mod lineage;
mod read;
mod retention;
pub mod store;
pub mod tail;
mod tenant;
mod users;
mod write;

pub use disk::{Backup, MemoryDisk};
pub use store::MemoryStore;
pub use tail::{MemoryTail, MemoryWire};
