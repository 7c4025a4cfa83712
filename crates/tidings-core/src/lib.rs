//! The heart of Tidings: how a committed event reaches everyone who may know, in order, once, without a silent gap.
//!
//! Owns: the hub, the sessions, the seam between replay and live, conflation, throttle, limits, and the ports through
//! which storage and other nodes are reached. Leaves out: sockets, storage, and the clock; time is an argument.
//!
//! Reading order: [`port`] (what storage promises), [`entry`] (an event encoded once), [`hub`] (who is told),
//! [`session`] (what one reader is told, and when), [`pages`] (how the log is read by many), [`feed`] (a session with
//! its effects carried out), then [`throttle`], [`principal`] and [`queue`].

#![warn(missing_docs)]

pub mod entry;
pub mod feed;
pub mod hub;
pub mod pages;
pub mod port;
pub mod principal;
pub mod queue;
pub mod session;
pub mod throttle;
pub mod view;

pub use entry::Entry;
pub use feed::Feed;
pub use hub::Hub;
pub use principal::Principal;
pub use session::Session;
