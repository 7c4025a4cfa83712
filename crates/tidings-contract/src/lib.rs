//! What every Log, Store, Directory and Tail must pass, the in-memory reference, and wrappers that make trouble.
//!
//! Owns: the contract of the ports as tests ([`suite`]), the naive implementation that is their executable
//! specification ([`memory`]), a clock set by hand ([`clock`]), and faults driven by one seed ([`faulty`]). Leaves out:
//! everything that ships; this crate is a dev-dependency only.
//!
//! An adapter implements [`suite::Harness`] and writes `tidings_contract::contract_tests!(its_harness())` in one of its
//! test files.

#![warn(missing_docs)]

pub mod clock;
pub mod faulty;
pub mod memory;
pub mod suite;

pub use clock::TestClock;
pub use memory::{MemoryDisk, MemoryStore, MemoryTail, MemoryWire};
