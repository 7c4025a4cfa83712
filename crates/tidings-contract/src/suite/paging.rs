//! Paging: where a page ends, and that no limit loses or doubles an event.

use tidings_core::port::log::Query;
use tidings_protocol::{Draft, Seq};

use super::Harness;
use super::kit::{Bench, draft, json, numbers, query, selection, with_also};

async fn mixed<H: Harness>(bench: &Bench<H>) {
    for n in 0..120usize {
        let on = ["a:1", "a:2", "b", "c:1"][(n * 7 + n / 5) % 4];
        let event = if n % 9 == 0 { with_also(on, &["d", "b:2"]) } else { draft(on) };
        let kind = if n % 3 == 0 { "x" } else { "y" }.parse().unwrap();
        let data = json(&format!("\"{}\"", "-".repeat((n * 37) % 300)));
        bench.publish(Draft { kind, data, ..event }).await;
    }
}

/// No more events than asked for.
pub async fn a_page_ends_at_its_events(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish_many("a", 10).await;
    for (after, max_events, expected) in [(0, 1, vec![1]), (0, 4, vec![1, 2, 3, 4]), (7, 4, vec![8, 9, 10])] {
        let page = bench.read(&Query { after: Seq(after), max_events, ..query(&["a"]) }).await;
        assert_eq!(numbers(&page.events), expected);
        assert_eq!(page.head.seq, Seq(10));
    }
}

/// The page ends once the bytes are reached; one event is given however large.
pub async fn a_page_ends_at_its_bytes_with_one_event_at_least(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for _ in 0..6 {
        bench.publish(Draft { data: json(&format!("\"{}\"", "x".repeat(998))), ..draft("a") }).await;
    }
    for pattern in ["a", "*"] {
        let page = bench.read(&Query { max_bytes: 10, ..query(&[pattern]) }).await;
        assert_eq!(numbers(&page.events), [1]);
        let page = bench.read(&Query { max_bytes: 3_000, ..query(&[pattern]) }).await;
        assert_eq!(numbers(&page.events), [1, 2, 3]);
        let page = bench.read(&Query { max_bytes: 6_001, ..query(&[pattern]) }).await;
        assert_eq!(numbers(&page.events), [1, 2, 3, 4, 5, 6]);
    }
}

/// A page looks at no more rows than asked, and moves on by what it looked at.
pub async fn a_page_ends_at_its_examined_rows(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish_many("b", 50).await;
    bench.publish_many("a:1", 1).await;
    let page = bench.read(&Query { max_examined: 20, ..query(&["a:*"]) }).await;
    assert!(page.events.is_empty());
    assert!(page.examined <= 20);
    assert!(page.scanned_to.seq >= Seq(1) && page.scanned_to.seq < Seq(51), "{}", page.scanned_to);
    let wanted = Query { max_examined: 7, selection: selection(&["b"], &["other"], &[]), ..query(&[]) };
    let page = bench.read(&wanted).await;
    assert!(page.events.is_empty());
    assert!(page.scanned_to.seq >= Seq(1) && page.scanned_to.seq < Seq(50), "{}", page.scanned_to);
    let wanted = Query { max_examined: 1, ..query(&["a:*"]) };
    assert_eq!(numbers(&bench.read_paged(wanted).await), [51]);
}

/// Whatever the limits, the pages together are the one page.
pub async fn any_limits_give_the_same_events(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    mixed(&bench).await;
    let selections: [(&[&str], &[&str]); 7] = [
        (&["a:1"], &[]),
        (&["a:1", "d", "b"], &[]),
        (&["a:1", "b:2", "d"], &["x"]),
        (&["a:*"], &["y"]),
        (&["b:*", "a:2"], &[]),
        (&["*"], &[]),
        (&["*"], &["x"]),
    ];
    for (patterns, types) in selections {
        let whole = Query { selection: selection(patterns, types, &[]), ..query(&[]) };
        let expected = numbers(&bench.read_paged(whole.clone()).await);
        assert!(!expected.is_empty());
        for (max_events, max_bytes, max_examined) in [
            (1, 1, 1),
            (1, 10_000, 500),
            (3, 10_000, 2),
            (500, 1, 500),
            (500, 700, 500),
            (7, 300, 11),
            (500, 10_000, 1),
        ] {
            let paged = Query { max_events, max_bytes, max_examined, ..whole.clone() };
            let given = numbers(&bench.read_paged(paged).await);
            assert_eq!(given, expected, "{patterns:?} {types:?} {max_events} {max_bytes} {max_examined}");
        }
    }
}

/// A quiet channel costs nothing: its page is at the head at once, whatever else happened.
pub async fn a_page_without_a_hit_moves_on(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish_many("busy", 100).await;
    let page = bench.read(&Query { max_examined: 10, ..query(&["quiet"]) }).await;
    assert!(page.events.is_empty());
    assert_eq!(page.scanned_to, page.head);
    assert_eq!(page.head, bench.bounds().await.head);
    let page = bench.read(&query(&["quiet:*"])).await;
    assert!(page.events.is_empty());
    assert_eq!(page.scanned_to, page.head);
}

/// At the head a page is empty and stays where it is, also in an empty log.
pub async fn a_page_at_the_head_stays_there(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for _ in 0..2 {
        let head = bench.bounds().await.head;
        for patterns in [&["a"][..], &["*"], &["a:*", "b"]] {
            let page = bench.read(&Query { after: head.seq, ..query(patterns) }).await;
            assert!(page.events.is_empty() && page.trimmed.is_empty());
            assert_eq!((page.scanned_to, page.head), (head, head));
        }
        bench.publish_many("a", 3).await;
    }
}
