//! Tests from outside: what a client and an operator see of the real binary, over real sockets and real signals.
//!
//! Owns: starting, killing and restarting a server ([`server`]), clients of every transport that notice everything
//! ([`http`], [`publish`], [`sse`], [`ws`], [`poll`], [`subscription`], [`follower`], [`proxy`]), and the judgement over what was
//! sent and what came ([`journal`], [`checker`]); what the server and the system say of it ([`figures`]). Leaves out: the tests, which are in `tests/`, a promise each.
//!
//! Invariants: nothing is known of the server but its command line, its configuration and its wire; what is not as it
//! should be panics, since a failed assumption is a failed test; waiting has a limit and names what was waited for.

#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "for tests alone: an assumption that fails is a failed test"
)]

pub mod binary;
pub mod checker;
pub mod figures;
pub mod follower;
pub mod http;
pub mod journal;
pub mod numbered;
pub mod poll;
pub mod proxy;
pub mod publish;
pub mod report;
pub mod server;
pub mod sse;
pub mod subscription;
pub mod target;
pub mod wait;
pub mod ws;

pub use checker::{Records, Verdict};
pub use figures::Figures;
pub use follower::Follower;
pub use journal::{Entry, Journal};
pub use publish::{Lane, Outcome};
pub use report::report;
pub use server::{Server, ServerOptions};
pub use subscription::{Ask, Subscription, Transport};
pub use target::Target;
pub use wait::within;
