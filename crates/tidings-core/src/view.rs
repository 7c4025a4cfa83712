//! How events look on a wire that is not the native one.
//!
//! A view is a pure function of the event, so that an event is encoded once for each view, and the same bytes go to
//! every subscriber that has it. It leaves nothing out for some of its readers: who may see an event is decided by
//! channels, and which events a reader wants by its filter.

use std::fmt::Debug;

use tidings_protocol::Event;

/// One frame of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFrame {
    /// The event name on the wire, without line ends; empty for none, which EventSource takes for `message`.
    pub name: String,
    /// The data: JSON on one line.
    pub data: String,
}

/// A view.
pub trait View: Debug + Send + Sync + 'static {
    /// What tells it from every other view, where its frames are worth remembering; a view that few streams have in
    /// common has none.
    fn key(&self) -> Option<u32>;

    /// The frames of an event, in order. Where there are several, the last one carries the id.
    fn frames(&self, event: &Event) -> Vec<ViewFrame>;
}
