//! The seam between replay and live under real threads, several nodes over one log, and what many readers ask of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "everything here is test code"
)]

mod node;
mod nodes;
mod opening;
mod reader;
mod reads;
mod threads;
