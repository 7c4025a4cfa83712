//! A small client of the HTTP API, for the commands that use it.
//!
//! Owns: which server and key are meant ([`target`]), one request a connection ([`http`]), what refusals say
//! ([`refusal`]), whom is believed over TLS ([`trust`]), and following a stream over lost connections ([`follow`], with its
//! decisions in [`resume`]). Leaves out: proxies, and everything that a library for applications has.

pub(crate) mod follow;
pub(crate) mod http;
pub(crate) mod query;
pub(crate) mod refusal;
pub(crate) mod resume;
pub(crate) mod target;
pub(crate) mod trust;

pub(crate) use http::Client;
pub(crate) use query::Query;
pub(crate) use target::ServerArgs;
