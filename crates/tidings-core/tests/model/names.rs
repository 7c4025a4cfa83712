//! The tables that the steps' indices point into.

use std::sync::Arc;

use tidings_contract::suite::kit::{draft, json, selection};
use tidings_protocol::{ChannelName, Draft, Filter, Pattern};

use super::step::Post;

const CHANNELS: &[&str] = &["a", "b", "c", "x:1", "x:2", "x:y:1", "a", "b", "x:1"];
const PATTERNS: &[&str] =
    &["a", "b", "c", "x:1", "x:2", "x:y:1", "t:0", "x:*", "x:y:*", "*", "m:*", "a", "b", "x:*", "t:*"];
const FILTERS: &[(&[&str], &[&str])] =
    &[(&[], &[]), (&[], &[]), (&[], &[]), (&["t0"], &[]), (&[], &["ONE"]), (&["t0"], &["ONE", "TWO"])];

/// Channels of a burst: more than are named one by one when they were trimmed.
pub(crate) const BURST: usize = 70;

fn pick<T: Copy>(table: &[T], index: u8) -> T {
    table[usize::from(index) % table.len()]
}

pub(crate) fn channel(index: u8) -> ChannelName {
    pick(CHANNELS, index).parse().unwrap()
}

pub(crate) fn pattern(index: u8) -> Pattern {
    pick(PATTERNS, index).parse().unwrap()
}

pub(crate) fn patterns(indices: &[u8]) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for index in indices {
        let pattern = pattern(*index);
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns
}

pub(crate) fn filter(index: u8) -> Arc<Filter> {
    let (types, categories) = pick(FILTERS, index);
    selection(&[], types, categories).filter
}

/// The event of a post. `number` tells it from every other; a post with an idempotency key has always the same body.
pub(crate) fn event(post: Post, number: u64) -> Draft {
    // Two of the keys come with one body, so that they repeat; the others conflict.
    let post = match post.idempotency {
        Some(0 | 1) => Post { also: None, kind: 0, category: 0, key: None, terminal: false, ..post },
        _ => post,
    };
    // What ends is a channel of its own, so that the others live on.
    let on = if post.terminal {
        format!("t:{}", post.channel % 6).parse().unwrap()
    } else {
        channel(post.channel)
    };
    let also = post.also.map(channel).filter(|also| *also != on);
    let body = match post.idempotency {
        Some(key) => format!("\"k{key}\""),
        None => number.to_string(),
    };
    Draft {
        channel: on,
        also: also.into_iter().collect(),
        kind: if post.kind == 0 { "t0" } else { "t1" }.parse().unwrap(),
        category: [None, Some("ONE"), Some("TWO")][usize::from(post.category)]
            .map(|word| word.parse().unwrap()),
        key: post.key.map(|key| format!("key{key}").into()),
        terminal: post.terminal,
        data: json(&body),
        idempotency_key: post.idempotency.map(|key| format!("idem{key}").into()),
        ..draft("a")
    }
}

/// The events of a burst.
pub(crate) fn burst(number: u64) -> Vec<Draft> {
    (0..BURST).map(|n| Draft { data: json(&number.to_string()), ..draft(&format!("m:{n}")) }).collect()
}
