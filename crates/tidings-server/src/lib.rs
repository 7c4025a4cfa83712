//! The edge of Tidings: from accepted sockets to the core, and back.
//!
//! Owns: connections, the wire forms of streams, routes, credentials, limits, counts, and leaving without hurting.
//! Leaves out: storage and its choice, configuration files and command lines, and every decision about what a session
//! is told.
//!
//! Reading order: [`config`], [`app`] (what requests share), [`server`] (listening and leaving), [`connection`] (one
//! connection), [`tls`], [`takeover`] (how a stream leaves the HTTP library), [`departure`] (how a client leaves),
//! [`stream`], [`routes`], [`requests`], then [`auth`], [`tickets`], [`cors`], [`problem`], [`metrics`], [`admin`].

pub mod access;
pub mod admin;
pub mod app;
pub mod audit;
pub mod auth;
pub mod clock;
pub mod config;
pub mod connection;
pub mod cors;
pub mod departure;
pub mod guard;
pub mod ids;
pub mod jwt;
pub mod metrics;
pub mod module;
pub mod origin;
pub mod peer;
pub mod problem;
pub mod rate;
pub mod records;
pub mod requests;
pub mod routes;
pub mod server;
pub mod stream;
pub mod takeover;
pub mod tickets;
pub mod tls;

pub use app::{App, Parts};
pub use config::Config;
pub use server::Server;
