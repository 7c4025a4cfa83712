//! The limits that are part of the protocol: the same on every server, so that a client can rely on them.
//!
//! Limits that an operator may set live in the server's configuration, not here.

/// Longest channel name, in bytes.
pub const CHANNEL_BYTES: usize = 200;
/// Longest event type, in bytes.
pub const TYPE_BYTES: usize = 100;
/// Longest category, in bytes.
pub const CATEGORY_BYTES: usize = 40;
/// Largest `data` of one event, in bytes of JSON without insignificant white space.
pub const DATA_BYTES: usize = 64 * 1024;
/// Deepest nesting of arrays and objects in `data`.
pub const DATA_DEPTH: usize = 64;
/// Most events in one publish.
pub const BATCH_EVENTS: usize = 100;
/// Largest body of one publish, in bytes.
pub const BATCH_BYTES: usize = 1024 * 1024;
/// Most further channels (`also`) of one event.
pub const ALSO_CHANNELS: usize = 8;
/// Longest conflation key, mutation id and actor, in bytes.
pub const WORD_BYTES: usize = 200;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Longest request target that clients should send, in bytes; more channels than fit go by `POST` or are added live.
pub const URL_BYTES: usize = 8 * 1024;
/// Most bytes a client may send after the head of a stream request before the stream is closed.
pub const STREAM_TRAILING_BYTES: usize = 8 * 1024;
/// Longest tenant name, in bytes.
pub const TENANT_BYTES: usize = 63;
/// Most types and most categories in one filter.
pub const FILTER_WORDS: usize = 100;
