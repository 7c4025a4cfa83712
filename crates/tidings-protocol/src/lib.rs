//! Names, cursors, events, frames, codes and codecs: everything that crosses a wire, and nothing else.
//!
//! Owns: what a word on the wire means, how it is parsed and how it is written. Leaves out: clocks, sockets, runtimes,
//! storage, and every decision about who may do what. All functions are pure; every decoder has a limit and a fuzz
//! target.
//!
//! Reading order: [`limits`], [`tenant`], [`channel`], [`event_type`], [`cursor`], [`event`], [`publish`], [`filter`],
//! [`control`], [`code`], [`socket`], then the codecs [`sse`], [`chunk`] and [`ws`].

#![warn(missing_docs)]

pub mod channel;
pub mod chunk;
pub mod code;
pub mod control;
pub mod cursor;
pub mod event;
pub mod event_type;
pub mod filter;
pub mod fuzz;
pub mod json;
pub mod limits;
pub mod problem;
pub mod publish;
pub mod socket;
pub mod sse;
pub mod tenant;
pub mod time;
pub mod ws;

pub use channel::{ChannelName, Pattern};
pub use code::{EndReason, ErrorCode, Retry};
pub use cursor::{Cursor, Lineage, Seq};
pub use event::Event;
pub use event_type::{Category, EventType};
pub use filter::Filter;
pub use publish::Draft;
pub use tenant::TenantId;
