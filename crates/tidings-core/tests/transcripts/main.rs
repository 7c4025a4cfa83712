//! What a stream says in the main situations, as one would read it on the wire.
//!
//! A line is a frame: `a#4 id` is the event with number 4 on channel `a` with its id, `a#4` the same without; controls
//! and heartbeats stand as they are named, with the number of their id where they have one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "everything here is test code"
)]

mod changing;
mod conflating;
mod course;
mod ending;
mod opening;
mod stage;
