//! A client that adds channels to live streams, and the events that it follows.

pub(crate) mod client;
pub(crate) mod source;
