//! The judge itself: a clean run is clean, and each fault is seen and named.

use serde_json::json;
use tidings_protocol::Lineage;
use tokio::time::Instant;

use super::*;
use crate::subscription::Transport;

fn id(seq: u64) -> Cursor {
    Cursor::new(Seq(seq), Lineage::from_bits(1))
}

/// Ten events, number 100 + seq, all acknowledged.
fn history() -> Vec<Value> {
    (1..=10).map(|seq| json!({"id": id(seq).to_string(), "channel": "a", "data": {"n": 100 + seq}})).collect()
}

fn attempt(n: u64, outcome: Outcome) -> Attempt {
    Attempt { numbers: vec![n], sent: Instant::now(), answered: Instant::now(), outcome }
}

fn attempts() -> Vec<Attempt> {
    (1..=10).map(|seq| attempt(100 + seq, Outcome::Acked(vec![(id(seq), false)]))).collect()
}

fn event(seq: u64) -> Entry {
    Entry::Event { id: id(seq), n: 100 + seq }
}

fn opened(seq: u64, resumed: bool) -> Entry {
    Entry::Opened { id: id(seq), resumed }
}

fn judge(entries: Vec<Entry>) -> Verdict {
    judge_all(attempts(), &history(), entries)
}

fn judge_all(attempts: Vec<Attempt>, history: &[Value], entries: Vec<Entry>) -> Verdict {
    let mut journal = Journal::new(Transport::Sse, &["a".to_owned()]);
    journal.entries = entries;
    Records::new(attempts, history).judge(&[journal], true)
}

fn only(verdict: &Verdict, fault: Fault, count: usize) {
    for other in Fault::ALL {
        assert_eq!(verdict.count(other), if other == fault { count } else { 0 }, "{other}: {verdict}");
    }
}

#[test]
fn a_clean_run_is_clean() {
    let mut entries = vec![opened(2, false)];
    entries.extend((3..=6).map(event));
    entries.push(opened(6, true));
    entries.extend((7..=10).map(event));
    entries.push(Entry::Position(id(10)));
    let verdict = judge(entries);
    verdict.expect_clean("a clean run");
    assert_eq!((verdict.ok, verdict.received), (10, 8));
}

#[test]
fn what_is_skipped_is_a_silent_gap() {
    only(&judge(vec![opened(0, false), event(1), event(4)]), Fault::SilentGap, 2);
    only(&judge(vec![opened(0, false), event(1), Entry::Position(id(2))]), Fault::SilentGap, 1);
    only(&judge(vec![opened(0, false), event(1), opened(3, true)]), Fault::SilentGap, 2);
    let end = Entry::End { reason: "lifetime".into(), after: None, id: Some(id(2)) };
    only(&judge(vec![opened(0, false), event(1), end]), Fault::SilentGap, 1);
}

#[test]
fn what_is_announced_is_no_silent_gap() {
    let reset = Entry::Reset { reason: "expired".into(), through: Some(id(5)) };
    let verdict = judge(vec![opened(0, false), event(1), reset, event(6)]);
    verdict.expect_clean("a reset");
    assert_eq!(verdict.announced, 1);
}

#[test]
fn repeating_and_going_back_are_seen() {
    only(&judge(vec![opened(0, false), event(1), event(1)]), Fault::Doubled, 1);
    only(&judge(vec![opened(0, false), event(1), event(2), event(1)]), Fault::Reordered, 1);
    only(&judge(vec![opened(0, false), event(1), event(2), Entry::Position(id(1))]), Fault::Reordered, 1);
}

#[test]
fn what_nobody_sent_is_foreign() {
    let stranger = Entry::Event { id: id(1), n: 999 };
    only(&judge(vec![opened(0, false), stranger]), Fault::Foreign, 1);
    only(&judge_all(attempts().split_off(1), &history(), Vec::new()), Fault::Foreign, 1);
}

#[test]
fn acknowledged_and_not_there_is_lost() {
    let mut sends = attempts();
    sends.push(attempt(111, Outcome::Acked(vec![(id(11), false)])));
    only(&judge_all(sends, &history(), Vec::new()), Fault::Lost, 1);
}

#[test]
fn refused_and_there_is_an_aborted_read_but_unknown_is_not() {
    let refused = |outcome| {
        let mut sends = attempts();
        sends[3] = attempt(104, outcome);
        judge_all(sends, &history(), Vec::new())
    };
    only(&refused(Outcome::Refused { status: 429, code: "rate_limited".into() }), Fault::Aborted, 1);
    let verdict = refused(Outcome::Unknown("cut".into()));
    verdict.expect_clean("an unanswered send");
    assert_eq!((verdict.info, verdict.info_found), (1, 1));
}

#[test]
fn the_log_itself_is_judged() {
    let mut doubled = history();
    doubled[9]["data"]["n"] = 109.into();
    only(&judge_all(attempts().drain(..9).collect(), &doubled, Vec::new()), Fault::Doubled, 1);
    let mut holed = history();
    holed.remove(4);
    let mut sends = attempts();
    sends.remove(4);
    only(&judge_all(sends, &holed, Vec::new()), Fault::Hole, 1);
}
