//! Lineages and their ranges: which cursors are of a tenant's own history.

use std::hash::{BuildHasher, Hasher, RandomState};

use tidings_protocol::{Cursor, Lineage, Seq};

/// One lineage and the numbers under which it counts, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) lineage: Lineage,
    pub(super) begin: Seq,
    /// The head that the next start found; of the present lineage, none.
    end: Option<Seq>,
}

/// A tenant's lineages, oldest first; the last is that of this run.
#[derive(Debug, Clone)]
pub(super) struct Lineages(Vec<Range>);

impl Range {
    fn contains(&self, seq: Seq, head: Seq) -> bool {
        self.begin <= seq && seq <= self.end.unwrap_or(head)
    }
}

impl Lineages {
    /// The first lineage of a new tenant.
    pub(super) fn first() -> Self {
        let mut lineages = Self(Vec::new());
        lineages.start(Seq::ZERO);
        lineages
    }

    /// A start that found `head`: closes the ranges there, each at most, and draws a new lineage that begins there.
    /// Ranges that end before their beginning were in a lost tail and are forgotten.
    pub(super) fn start(&mut self, head: Seq) {
        for range in &mut self.0 {
            range.end = Some(range.end.unwrap_or(head).min(head));
        }
        self.0.retain(|range| range.end >= Some(range.begin));
        let mut lineage = draw();
        while self.0.iter().any(|range| range.lineage == lineage) {
            lineage = draw();
        }
        self.0.push(Range { lineage, begin: head, end: None });
    }

    /// The lineage of this run.
    pub(super) fn present(&self) -> Lineage {
        self.0.last().map_or(Lineage::from_bits(0), |range| range.lineage)
    }

    /// Whether a cursor is of this history.
    pub(super) fn know(&self, cursor: Cursor, head: Seq) -> bool {
        self.0.iter().any(|range| range.lineage == cursor.lineage && range.contains(cursor.seq, head))
    }

    /// A cursor for a number, under a lineage whose range contains it. The head is given under the present one.
    pub(super) fn cursor(&self, seq: Seq, head: Seq) -> Cursor {
        let present = self.present();
        let found = self.0.iter().find(|range| seq != head && range.contains(seq, head));
        Cursor::new(seq, found.map_or(present, |range| range.lineage))
    }

    /// Forgets the ranges that lie wholly under the floor.
    pub(super) fn forget_under(&mut self, floor: Seq) {
        self.0.retain(|range| range.end.is_none_or(|end| end >= floor));
    }
}

/// 35 bits that no earlier draw foretells: the hasher's keys are random in each process and differ in each draw.
fn draw() -> Lineage {
    Lineage::from_bits(RandomState::new().build_hasher().finish())
}
