//! Reading: which events a selection gives.

use std::sync::Arc;

use tidings_core::port::log::{Query, Selection};
use tidings_protocol::{Draft, Filter};

use super::Harness;
use super::kit::{Bench, draft, numbers, query, selection, terminal, with_also};

/// A pattern is a channel, all below a prefix, or all; several give the union, in order.
pub async fn exact_channels_prefixes_and_all(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for on in ["a", "a:1", "a:1:x", "ab", "a:2", "b", "a", "b:1"] {
        bench.publish(draft(on)).await;
    }
    let cases: [(&[&str], &[u64]); 13] = [
        (&["a"], &[1, 7]),
        (&["a:1"], &[2]),
        (&["a", "b"], &[1, 6, 7]),
        (&["b", "a", "a:2", "a"], &[1, 5, 6, 7]),
        (&["a:*"], &[2, 3, 5]),
        (&["a:1:*"], &[3]),
        (&["*"], &[1, 2, 3, 4, 5, 6, 7, 8]),
        (&["a:*", "b"], &[2, 3, 5, 6]),
        (&["a", "a:*", "b:*"], &[1, 2, 3, 5, 7, 8]),
        (&["a:*", "a:1", "a:1:*"], &[2, 3, 5]),
        (&["*", "a"], &[1, 2, 3, 4, 5, 6, 7, 8]),
        (&["c"], &[]),
        (&["c:*", "ab"], &[4]),
    ];
    for (patterns, expected) in cases {
        assert_eq!(bench.numbers(patterns).await, expected, "{patterns:?}");
    }
    assert_eq!(numbers(&bench.read_after(2, &["a", "a:*"]).await), [3, 5, 7]);
    assert_eq!(numbers(&bench.read_after(7, &["a", "a:*"]).await), [0; 0]);
}

/// Types and categories narrow; where both are named an event needs one of each.
pub async fn types_and_categories(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for (kind, category) in
        [("x", None), ("x", Some("A")), ("y", Some("A")), ("y", Some("B")), ("z", None), ("z", Some("B"))]
    {
        let category = category.map(|text: &str| text.parse().unwrap());
        bench.publish(Draft { kind: kind.parse().unwrap(), category, ..draft("a:1") }).await;
    }
    let cases: [(&[&str], &[&str], &[u64]); 7] = [
        (&[], &[], &[1, 2, 3, 4, 5, 6]),
        (&["x"], &[], &[1, 2]),
        (&["x", "z"], &[], &[1, 2, 5, 6]),
        (&[], &["A"], &[2, 3]),
        (&[], &["A", "B"], &[2, 3, 4, 6]),
        (&["x", "y"], &["B"], &[4]),
        (&["q"], &[], &[]),
    ];
    for (types, categories, expected) in cases {
        for pattern in ["a:1", "a:*", "*"] {
            let wanted = Query { selection: selection(&[pattern], types, categories), ..query(&[]) };
            assert_eq!(
                numbers(&bench.read_paged(wanted).await),
                expected,
                "{pattern} {types:?} {categories:?}"
            );
        }
    }
}

/// An event is given once, however many of its channels are selected, and whole.
pub async fn an_event_on_several_selected_channels_is_given_once(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish(with_also("a:1", &["b:1", "b:2", "c"])).await;
    bench.publish(with_also("b:1", &["a:1"])).await;
    bench.publish(draft("c")).await;
    let cases: [(&[&str], &[u64]); 8] = [
        (&["a:1"], &[1, 2]),
        (&["b:1"], &[1, 2]),
        (&["b:2"], &[1]),
        (&["c"], &[1, 3]),
        (&["a:1", "b:1", "b:2", "c"], &[1, 2, 3]),
        (&["b:*"], &[1, 2]),
        (&["a:*", "b:*", "c"], &[1, 2, 3]),
        (&["*"], &[1, 2, 3]),
    ];
    for (patterns, expected) in cases {
        assert_eq!(bench.numbers(patterns).await, expected, "{patterns:?}");
    }
    let event = &bench.read_all(&["b:2"]).await[0];
    assert_eq!(event.channel.as_str(), "a:1");
    assert_eq!(event.also.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["b:1", "b:2", "c"]);
}

/// A selection of nothing gives nothing, and is at the head at once.
pub async fn no_pattern_selects_nothing(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    bench.publish_many("a", 30).await;
    let page = bench.read(&Query { max_examined: 10, ..query(&[]) }).await;
    assert!(page.events.is_empty());
    assert_eq!(page.scanned_to, page.head);
}

/// Case, wildcards of query languages and neighbours in sort order are nothing special.
pub async fn names_are_compared_byte_by_byte(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    for on in ["a_b:1", "aXb:1", "A_B:1", "a_b:~", "a_b", "a_b-", "a_b/x", "a_b:1:2"] {
        bench.publish(draft(on)).await;
    }
    assert_eq!(bench.numbers(&["a_b:*"]).await, [1, 4, 8]);
    assert_eq!(bench.numbers(&["A_B:*"]).await, [3]);
    assert_eq!(bench.numbers(&["a_b:1"]).await, [1]);
    assert_eq!(bench.numbers(&["a_b"]).await, [5]);
}

/// With `terminal` set a filter lets terminal events through, whatever their type and category; without it does not.
pub async fn terminal_events_whatever_their_type(harness: impl Harness) {
    let bench = Bench::start(harness).await;
    let wanted = Draft { kind: "wanted".parse().unwrap(), ..draft("a") };
    bench.try_publish(vec![draft("a"), wanted, draft("a"), terminal("a"), terminal("b")]).await.unwrap();
    for (patterns, with, without) in [(&["a"][..], &[2, 4][..], &[2][..]), (&["*"], &[2, 4, 5], &[2])] {
        for (is_set, expected) in [(true, with), (false, without)] {
            let chosen = selection(patterns, &["wanted"], &[]);
            let filter = Filter { terminal: is_set, ..Filter::clone(&chosen.filter) };
            let selection = Selection { filter: Arc::new(filter), ..chosen };
            let events = bench.read_paged(Query { selection, ..query(patterns) }).await;
            assert_eq!(numbers(&events), expected);
        }
    }
}
