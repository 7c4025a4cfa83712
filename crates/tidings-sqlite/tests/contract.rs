//! The contract of Log, Store, Directory, Users and AuditLog, on a file in a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

mod harness;

tidings_contract::contract_tests!(harness::FileHarness::new());
