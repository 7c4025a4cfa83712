//! Streams: a session and a socket, and nothing else.
//!
//! An HTTP/1.1 stream leaves the HTTP library once its request head was read ([`crate::takeover`]); from then on a
//! small future of its own drives it ([`pump::Pump`]): frames from the [`tidings_core::Feed`], encoded once and shared,
//! go into the [`outgoing::Outgoing`] queue and from there to the socket in one vectored write; what the client sends is read and
//! bounded. HTTP/2 streams stay in the library and are [`body::EventBody`].

pub mod batch;
pub mod body;
pub mod io;
pub mod open;
pub mod outgoing;
pub mod pump;
pub mod registry;
pub mod respond;
pub mod sse;
pub mod websocket;
