//! The throttle: when a value of a stage enters the log at once, and when it waits.
//!
//! Owns: the decision, for one stage, as a pure function of what was offered and what the clock showed. Leaves out: the
//! held value itself, its durability and the timer, which are the store's.
//!
//! Rules: the first value passes and opens a window; values offered inside it are held, the latest in place of the one
//! before; at the window's end the held value enters the log and opens the next window; a window that ends with nothing
//! held is forgotten. Settling commits what is held at once and forgets the window; a start settles every stage.
//!
//! Invariants: within one window at most one value passes by itself. A value is held for one window at most, also when
//! the wall clock is set back: a look at a time before the last one ends the window, and since no reading of a wall
//! clock shows a small step back, whoever holds a value lets a monotonic timer run for [`Offer::Hold`]'s `wait`, started
//! with the first value held in the window and not anew with later ones, and calls [`Stage::expire`] when it ends. A
//! clock set forward ends windows early, which costs an event more and loses nothing.

use std::time::Duration;

use tidings_protocol::time::Timestamp;

/// What becomes of a value that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It enters the log now. A value that was still held is superseded by it and dropped.
    Emit,
    /// It is held in place of the one held before.
    Hold {
        /// When the window ends, by the wall clock.
        due: Timestamp,
        /// For how long from now; never more than the window that was offered.
        wait: Duration,
    },
}

/// What a look at a stage finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// No window is open: the stage can be forgotten.
    Closed,
    /// The window is open until then.
    Open {
        /// When it ends, by the wall clock.
        due: Timestamp,
    },
    /// The held value enters the log now; the next window has begun.
    Emit,
}

/// One stage: closed, or with an open window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stage {
    window: Option<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    length: Duration,
    due: Timestamp,
    /// The last look at the clock: an earlier one means that the clock was set back.
    seen: Timestamp,
    held: bool,
}

impl Window {
    fn open(now: Timestamp, length: Duration) -> Self {
        Self { length, due: after(now, length), seen: now, held: false }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.due || now < self.seen
    }
}

fn after(now: Timestamp, length: Duration) -> Timestamp {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(millis))
}

fn between(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0))
}

impl Stage {
    /// Offers a value that may enter the log once in `length`. A shorter `length` than the open window's brings the
    /// window's end nearer.
    pub fn offer(&mut self, now: Timestamp, length: Duration) -> Offer {
        let Some(window) = self.window.as_mut().filter(|window| !window.is_over(now)) else {
            self.window = Some(Window::open(now, length));
            return Offer::Emit;
        };
        let due = window.due.min(after(now, length));
        if due <= now {
            self.window = Some(Window::open(now, length));
            return Offer::Emit;
        }
        *window = Window { length, due, seen: now, held: true };
        Offer::Hold { due, wait: between(now, due) }
    }

    /// Looks whether the window is over.
    pub fn look(&mut self, now: Timestamp) -> Look {
        let Some(window) = &mut self.window else { return Look::Closed };
        if !window.is_over(now) {
            window.seen = now;
            return Look::Open { due: window.due };
        }
        if self.expire(now) { Look::Emit } else { Look::Closed }
    }

    /// Ends the window whatever the wall clock shows, as a timer that has run out does. Answers whether the held value
    /// enters the log now; then the next window has begun.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let ended = self.window.take();
        self.window = ended.filter(|window| window.held).map(|window| Window::open(now, window.length));
        self.window.is_some()
    }

    /// Forgets the window. Answers whether a held value enters the log now.
    pub fn settle(&mut self) -> bool {
        self.window.take().is_some_and(|window| window.held)
    }

    /// When the held value enters the log, if one is held.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.window.filter(|window| window.held).map(|window| window.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_millis(1_000);

    fn held(due: i64, wait: u64) -> Offer {
        Offer::Hold { due: Timestamp(due), wait: Duration::from_millis(wait) }
    }

    #[test]
    fn the_first_passes_and_the_latest_follows_at_the_windows_end() {
        let mut stage = Stage::default();
        assert_eq!(stage.offer(Timestamp(5_000), WINDOW), Offer::Emit);
        assert_eq!(stage.due(), None);
        assert_eq!(stage.offer(Timestamp(5_100), WINDOW), held(6_000, 900));
        assert_eq!(stage.offer(Timestamp(5_999), WINDOW), held(6_000, 1));
        assert_eq!(stage.look(Timestamp(5_999)), Look::Open { due: Timestamp(6_000) });
        assert_eq!(stage.look(Timestamp(6_000)), Look::Emit);
        assert_eq!(stage.offer(Timestamp(6_500), WINDOW), held(7_000, 500));
        assert_eq!(stage.look(Timestamp(7_000)), Look::Emit);
        assert_eq!(stage.look(Timestamp(8_000)), Look::Closed);
        assert_eq!(stage, Stage::default());
        assert_eq!(stage.offer(Timestamp(8_001), WINDOW), Offer::Emit);
    }

    #[test]
    fn settling_empties_the_stage() {
        let mut stage = Stage::default();
        assert!(!stage.settle());
        stage.offer(Timestamp(0), WINDOW);
        assert!(!stage.settle());
        stage.offer(Timestamp(0), WINDOW);
        stage.offer(Timestamp(1), WINDOW);
        assert!(stage.settle());
        assert_eq!(stage.offer(Timestamp(2), WINDOW), Offer::Emit);
    }

    #[test]
    fn an_offer_after_the_end_supersedes_what_a_late_timer_still_holds() {
        let mut stage = Stage::default();
        stage.offer(Timestamp(0), WINDOW);
        stage.offer(Timestamp(1), WINDOW);
        assert_eq!(stage.offer(Timestamp(1_000), WINDOW), Offer::Emit);
        assert_eq!(stage.look(Timestamp(2_000)), Look::Closed);
    }

    #[test]
    fn a_clock_set_back_ends_the_window() {
        let mut stage = Stage::default();
        stage.offer(Timestamp(10_000), WINDOW);
        stage.offer(Timestamp(10_500), WINDOW);
        assert_eq!(stage.look(Timestamp(4_000)), Look::Emit);
        assert_eq!(stage.offer(Timestamp(4_500), WINDOW), held(5_000, 500));
        assert_eq!(stage.offer(Timestamp(4_499), WINDOW), Offer::Emit);
    }

    #[test]
    fn windows_may_be_empty_or_endless() {
        let mut stage = Stage::default();
        assert_eq!(stage.offer(Timestamp(1), Duration::ZERO), Offer::Emit);
        assert_eq!(stage.offer(Timestamp(1), Duration::ZERO), Offer::Emit);
        stage.offer(Timestamp(2), Duration::MAX);
        assert!(matches!(stage.offer(Timestamp(3), Duration::MAX), Offer::Hold { .. }));
        assert_eq!(stage.offer(Timestamp(4), Duration::from_millis(6)), held(10, 6));
        assert_eq!(stage.offer(Timestamp(5), Duration::ZERO), Offer::Emit);
    }

    /// One step of the world: time that really passes, how far the clock is set, and whether a value is offered.
    fn steps() -> impl Strategy<Value = Vec<(u64, i64, bool)>> {
        let set = prop_oneof![6 => Just(0i64), 1 => -5_000i64..0, 1 => 0i64..5_000];
        prop::collection::vec((0u64..700, set, any::<bool>()), 1..80)
    }

    /// A store: a value held, the real time since when, and the timer started with it.
    #[derive(Default)]
    struct World {
        real: u64,
        clock: i64,
        stage: Stage,
        latest: Option<u32>,
        since: u64,
        timer: Option<u64>,
        emitted: Vec<(i64, u32)>,
    }

    impl World {
        fn emit(&mut self, value: u32) {
            self.emitted.push((self.clock, value));
            self.latest = None;
            self.timer = None;
        }

        fn pass(&mut self, millis: u64) {
            let until = self.real + millis;
            while let Some(ends) = self.timer.filter(|ends| *ends <= until) {
                self.clock += i64::try_from(ends - self.real).unwrap();
                self.real = ends;
                assert!(self.stage.expire(Timestamp(self.clock)), "a timer runs while a value is held");
                let value = self.latest.unwrap();
                self.emit(value);
            }
            self.clock += i64::try_from(until - self.real).unwrap();
            self.real = until;
        }

        fn look(&mut self) {
            match self.stage.look(Timestamp(self.clock)) {
                Look::Emit => self.emit(self.latest.unwrap()),
                Look::Closed => assert_eq!(self.latest, None, "a held value was forgotten"),
                Look::Open { .. } => {}
            }
        }

        fn offer(&mut self, value: u32) {
            match self.stage.offer(Timestamp(self.clock), WINDOW) {
                Offer::Emit => self.emit(value),
                Offer::Hold { wait, .. } => {
                    assert!(wait <= WINDOW);
                    if self.latest.replace(value).is_none() {
                        self.since = self.real;
                        self.timer = Some(self.real + u64::try_from(wait.as_millis()).unwrap());
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_waits_longer_than_a_window_and_the_latest_is_never_lost(steps in steps()) {
            let mut world = World::default();
            let mut value = 0;
            for (passes, set, offers) in steps {
                world.pass(passes);
                world.clock += set;
                world.look();
                if offers {
                    value += 1;
                    world.offer(value);
                }
                if world.latest.is_some() {
                    prop_assert!(world.real - world.since <= 1_000);
                }
            }
            world.pass(1_000);
            prop_assert_eq!(world.latest, None);
            if value > 0 {
                prop_assert_eq!(world.emitted.last().map(|(_, value)| *value), Some(value));
            }
            prop_assert!(world.emitted.is_sorted_by(|a, b| a.1 < b.1));
        }

        #[test]
        fn on_a_steady_clock_at_most_one_passes_in_a_window(gaps in prop::collection::vec(0u64..400, 1..100)) {
            let mut world = World::default();
            for (value, gap) in (1u32..).zip(gaps) {
                world.pass(gap);
                world.offer(value);
            }
            world.pass(1_000);
            for pair in world.emitted.windows(2) {
                prop_assert!(pair[1].0 - pair[0].0 >= 1_000);
            }
        }
    }
}
