//! The unbroken runs of one tenant's log, by which a cursor is recognised.
//!
//! Owns: which cursors count, and with which lineage a position is given. Leaves out: how runs are stored (`start`).
//!
//! Invariants: runs are in the order of their starts; the last is the present one and has no end of its own; whatever
//! position is given here is recognised here for as long as its run is kept.

use tidings_protocol::{Cursor, Lineage, Seq};

/// One run: from the head at which it began (included) to the head found at the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) lineage: Lineage,
    pub(crate) began: Seq,
    /// `None` for the present run, which ends at the head.
    pub(crate) ended: Option<Seq>,
}

/// The present run and those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runs {
    earlier: Vec<Run>,
    present: Run,
}

impl Runs {
    /// The runs, the present one last.
    pub(crate) const fn new(earlier: Vec<Run>, present: Run) -> Self {
        Self { earlier, present }
    }

    /// The lineage of this run.
    pub(crate) const fn present(&self) -> Lineage {
        self.present.lineage
    }

    /// Whether the cursor lies in the range of its run.
    pub(crate) fn know(&self, cursor: Cursor, head: Seq) -> bool {
        self.all().any(|run| {
            run.lineage == cursor.lineage
                && run.began <= cursor.seq
                && cursor.seq <= run.ended.unwrap_or(head)
        })
    }

    /// The position `seq`: at the head with this run's lineage, elsewhere as [`Self::event`].
    pub(crate) fn at(&self, seq: Seq, head: Seq) -> Cursor {
        if seq >= head { Cursor::new(seq, self.present.lineage) } else { self.event(seq) }
    }

    /// The position `seq` with the lineage of the run that committed the event of this number.
    pub(crate) fn event(&self, seq: Seq) -> Cursor {
        let holds = |run: &&Run| run.ended.is_none_or(|ended| seq <= ended);
        let committed = self.all().find(|run| run.began < seq && holds(run));
        let began = || self.all().find(|run| run.began <= seq && holds(run));
        let run = committed.or_else(began).unwrap_or(&self.present);
        Cursor::new(seq, run.lineage)
    }

    /// Forgets the runs that lie wholly before `floor`. Answers whether there were any.
    pub(crate) fn forget_before(&mut self, floor: Seq) -> bool {
        let before = self.earlier.len();
        self.earlier.retain(|run| run.ended.is_none_or(|ended| ended >= floor));
        self.earlier.len() < before
    }

    fn all(&self) -> impl Iterator<Item = &Run> {
        self.earlier.iter().chain(std::iter::once(&self.present))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(seq: u64, lineage: u64) -> Cursor {
        Cursor::new(Seq(seq), Lineage::from_bits(lineage))
    }

    fn run(lineage: u64, began: u64, ended: Option<u64>) -> Run {
        Run { lineage: Lineage::from_bits(lineage), began: Seq(began), ended: ended.map(Seq) }
    }

    fn runs() -> Runs {
        Runs::new(vec![run(1, 0, Some(5)), run(2, 5, Some(5)), run(3, 5, Some(9))], run(4, 9, None))
    }

    #[test]
    fn both_ends_of_a_range_are_included() {
        let runs = runs();
        for (seq, lineage, expected) in [
            (0, 1, true),
            (5, 1, true),
            (6, 1, false),
            (5, 2, true),
            (4, 2, false),
            (4, 3, false),
            (9, 3, true),
            (8, 4, false),
            (9, 4, true),
            (12, 4, true),
            (13, 4, false),
            (5, 7, false),
        ] {
            assert_eq!(runs.know(cursor(seq, lineage), Seq(12)), expected, "{seq} of {lineage}");
        }
    }

    #[test]
    fn a_position_has_the_lineage_of_its_event_and_is_known() {
        let runs = runs();
        for (seq, lineage) in [(0, 1), (1, 1), (5, 1), (6, 3), (9, 3), (10, 4), (12, 4)] {
            assert_eq!(runs.at(Seq(seq), Seq(12)), cursor(seq, lineage));
            assert!(runs.know(cursor(seq, lineage), Seq(12)));
        }
        assert_eq!(runs.at(Seq(9), Seq(9)), cursor(9, 4), "the head is this run's");
    }

    #[test]
    fn a_run_is_forgotten_when_the_floor_has_passed_its_end() {
        let mut runs = runs();
        assert!(!runs.forget_before(Seq(5)));
        assert!(runs.forget_before(Seq(6)));
        assert!(!runs.know(cursor(5, 1), Seq(12)));
        assert!(runs.know(cursor(9, 3), Seq(12)));
    }
}
