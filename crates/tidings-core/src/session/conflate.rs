//! Conflation: of events waiting for one connection, those that a later one supersedes are skipped.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_protocol::ChannelName;

use crate::entry::Entry;

/// An event that stays, and how many were skipped in its favour.
pub(super) struct Kept<'a> {
    pub(super) entry: &'a Arc<Entry>,
    pub(super) skipped: u64,
}

type Place<'a> = (&'a str, &'a ChannelName, &'a [ChannelName]);

/// Keeps of `waiting` (ascending, all of them meant for this session) what no later one supersedes, in order.
pub(super) fn conflate<'a>(waiting: &[&'a Arc<Entry>]) -> Vec<Kept<'a>> {
    let mut latest: HashMap<Place<'a>, usize> = HashMap::new();
    let mut kept: Vec<Kept<'a>> = Vec::with_capacity(waiting.len());
    // From the last to the first: what a place already has is the later event.
    for entry in waiting.iter().rev() {
        let event = entry.event();
        let Some(key) = event.key.as_deref() else {
            kept.push(Kept { entry, skipped: 0 });
            continue;
        };
        let place = (key, &event.channel, &*event.also);
        match latest.get(&place) {
            Some(&at) if event.is_superseded_by(kept[at].entry.event()) => kept[at].skipped += 1,
            _ => {
                latest.insert(place, kept.len());
                kept.push(Kept { entry, skipped: 0 });
            }
        }
    }
    kept.reverse();
    kept
}
