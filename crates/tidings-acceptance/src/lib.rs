//! Tests from outside: what a client and an operator see of the real binary, over real sockets and real signals.
//!
//! Owns: starting, killing and restarting a server ([`server`]), clients of every transport that notice everything
//! ([`http`], [`publish`], [`sse`], [`frames`], [`ws`], [`poll`], [`subscription`], [`follower`], [`proxy`], [`fault_proxy`]), users and
//! casts ([`users`], [`casts`]), and the judgement over what was sent and what came ([`journal`], [`checker`]); what the server and the system say of it ([`figures`]); tokens that are good
//! and tokens that are not ([`forged`], [`token_key`], [`issuer`]); requests that no client library would send ([`call`], [`routes`]). Leaves out: the tests, which are in `tests/`, a promise each.
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
pub mod call;
pub mod casts;
pub mod checker;
pub mod fault_proxy;
pub mod figures;
pub mod follower;
pub mod forged;
pub mod frames;
pub mod http;
pub mod issuer;
pub mod journal;
pub mod numbered;
pub mod poll;
pub mod proxy;
pub mod publish;
pub mod report;
pub mod routes;
pub mod server;
pub mod sse;
pub mod subscription;
pub mod target;
pub mod token_key;
pub mod users;
pub mod wait;
pub mod ws;

pub use call::{Call, Reply};
pub use checker::{Records, Verdict};
pub use fault_proxy::{Fault, FaultProxy, Strikes};
pub use figures::Figures;
pub use follower::Follower;
pub use frames::{Frame, Frames};
pub use journal::{Entry, Journal};
pub use publish::{Lane, Outcome};
pub use report::report;
pub use server::{Server, ServerOptions};
pub use subscription::{Ask, Subscription, Transport};
pub use target::Target;
pub use users::User;
pub use wait::within;
