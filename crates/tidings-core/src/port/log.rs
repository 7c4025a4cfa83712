//! Reading a tenant's log.

use std::sync::Arc;

use tidings_protocol::{Cursor, Event, Filter, Pattern, Seq, TenantId};

use super::{PortFuture, StorageError};

/// Where a reader may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The cursor is of this log's own history; reading goes on after it.
    Known,
    /// The log does not know the cursor's lineage, or its number lies outside of the lineage's range.
    Unknown,
}

/// Both ends of a tenant's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The position after which everything that is retained lies: 0 at first, raised when there are more marks of
    /// trimmed channels than may be kept. Its lineage is one whose range contains it.
    pub floor: Cursor,
    /// The position of the last committed event.
    pub head: Cursor,
}

/// Which events a reader wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Selection {
    /// On any of these channels.
    pub patterns: Arc<[Pattern]>,
    /// Of these types and categories.
    pub filter: Arc<Filter>,
}

impl Selection {
    /// Whether the event is on one of the channels and of the wanted types and categories.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.patterns.iter().any(|pattern| event.is_on(pattern)) && self.filter.selects(event)
    }
}

/// One page asked of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    /// After which number; events with larger numbers are wanted.
    pub after: Seq,
    /// Which events.
    pub selection: Selection,
    /// At most so many events, at least 1.
    pub max_events: usize,
    /// Stop once the events' data come to so many bytes, just before or just after the event that reaches them; one
    /// event is given however large.
    pub max_bytes: usize,
    /// Look at no more than so many stored rows, at least 1.
    pub max_examined: usize,
}

/// Events that retention has removed: of the pattern, some or all with numbers up to `through`, none beyond. Where the
/// pattern is not a single channel, others up to there may still be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed {
    /// A channel; or a selected prefix pattern or `*`, where more than [`MAX_TRIMMED`] of its channels were trimmed, or
    /// where the floor lies beyond the position, since the floor stands for all channels.
    pub pattern: Pattern,
    /// The last number removed.
    pub through: Cursor,
}

/// Past so many trimmed channels under one prefix pattern, the pattern itself is named.
pub const MAX_TRIMMED: usize = 64;

/// One page of a tenant's log.
#[derive(Debug, Clone)]
pub struct LogPage {
    /// Matching events with numbers above [`Query::after`], ascending. An event on several selected channels is there
    /// once; an event that retention removed from every selected channel is not there.
    pub events: Vec<Event>,
    /// Every matching event up to here is in the page, or removed. Never before [`Query::after`]; it moves also when
    /// nothing matched, unless the page is empty and `after` is the head. Like every cursor that the log gives, it is
    /// one that [`Log::resolve`] knows.
    pub scanned_to: Cursor,
    /// The head when the page was read.
    pub head: Cursor,
    /// What retention removed beyond [`Query::after`] of the selected channels, read in the same snapshot; of each
    /// pattern once, however many selected patterns take it in. It speaks of the whole log, not of this page.
    pub trimmed: Vec<Trimmed>,
    /// How many stored rows were looked at.
    pub examined: usize,
}

/// A tenant's ordered, replayable record of events.
///
/// Promises: numbers run from 1 without a hole in commit order; an event is seen only after its commit is durable (in
/// the configured mode), and then by every later read; a page is one snapshot; an event reads the same for ever, its
/// id with the lineage under which it was committed. The lineage of this run is durable before anything is served
/// under it.
pub trait Log: Send + Sync + 'static {
    /// Both ends of the log. The head carries this run's lineage.
    fn bounds<'a>(&'a self, tenant: &'a TenantId) -> PortFuture<'a, Result<Bounds, StorageError>>;

    /// Whether a cursor that a client holds is of this log's history: its lineage is known and its number lies within
    /// the range from the head at which the lineage began (included) to the head found at the next start; for the
    /// lineage of this run, to the present head.
    ///
    /// A start that finds a smaller head than before (a restored backup, a lost tail) shortens every range to it, for
    /// good. Ranges that lie wholly under the floor are forgotten.
    fn resolve<'a>(
        &'a self,
        tenant: &'a TenantId,
        cursor: Cursor,
    ) -> PortFuture<'a, Result<Resolution, StorageError>>;

    /// Reads one page. Cost: on exact channels O(log n + rows looked at), where rows looked at are hits; on prefixes
    /// the rows after [`Query::after`]. Both end at [`Query::max_examined`].
    fn read<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> PortFuture<'a, Result<LogPage, StorageError>>;
}
