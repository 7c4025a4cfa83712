//! The contract of Log, Store and Directory, on a file in a directory of its own.

mod harness;

tidings_contract::contract_tests!(harness::FileHarness::new());
