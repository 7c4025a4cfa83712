//! A client that adds channels to live streams, and the events that it follows.

pub mod client;
pub mod source;
