//! Held values on a wall clock that stands still: the timer behind it ends the window.

#![allow(clippy::unwrap_used, reason = "a test may end by it")]

mod bench;

use std::time::Duration;

use bench::{Bench, default, read};
use tidings_contract::suite::kit::{data, numbered, query};
use tidings_core::port::Store;
use tidings_core::port::store::{Action, Changes, Command, Hold};

#[tokio::test]
async fn a_held_value_waits_one_window_at_most_whatever_the_clock_shows() {
    let bench = Bench::new();
    let store = bench.open();
    let mut grown = bench.recorder.watch();
    for n in 1..=4 {
        let hold = Hold {
            stage: "s".into(),
            window: Duration::from_millis(200),
            event: numbered("a", n),
            records: Vec::new(),
        };
        let changes = Changes { hold: vec![hold], ..Changes::default() };
        let decide = Box::new(move |_: &[_]| Ok(changes.clone()));
        let action = Action::Decide { reads: Vec::new(), decide, idempotency: Vec::new() };
        store.submit(Command { tenant: default(), action }).await.unwrap();
    }
    grown.wait_for(|events| *events == 2).await.unwrap();
    assert_eq!(data(&read(&store, &query(&["*"])).await.events), ["1", "4"]);
    store.close();
    assert_eq!(bench.number("SELECT count(*) FROM held"), 0);
}
