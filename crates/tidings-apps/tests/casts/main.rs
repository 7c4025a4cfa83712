//! The casts from outside the crate: what requests and webhooks come to, and how it looks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "everything here is test code")]

mod frames;
mod github;
mod kit;
mod rights;
mod sequences;
mod telling;
mod transitions;
