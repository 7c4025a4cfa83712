//! Which of a channel's events a subscriber wants: by type, by category.

use crate::event::Event;
use crate::event_type::{Category, EventType};

/// A choice among events. No types means every type, no categories means every category; where both are named, an
/// event needs one of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// Types wanted; empty means all.
    pub types: Box<[EventType]>,
    /// Categories wanted; empty means all, also events without a category.
    pub categories: Box<[Category]>,
    /// Whether terminal events are wanted whatever their type and category: a stream that ends with its channel needs
    /// to see them.
    pub terminal: bool,
}

impl Filter {
    /// Whether the event is wanted.
    #[must_use]
    pub fn selects(&self, event: &Event) -> bool {
        self.terminal && event.terminal || self.names(event)
    }

    /// Whether the event's own type and category are wanted.
    #[must_use]
    pub fn names(&self, event: &Event) -> bool {
        (self.types.is_empty() || self.types.contains(&event.kind))
            && (self.categories.is_empty()
                || event.category.as_ref().is_some_and(|category| self.categories.contains(category)))
    }

    /// Whether every event is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.types.is_empty() && self.categories.is_empty()
    }
}
